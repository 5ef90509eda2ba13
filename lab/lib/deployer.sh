# shellcheck shell=bash
# The deployer's side, $LAB_DIR/deployer:
#   nix/ (its /nix)   ssh/ (its ~/.ssh)   conf/ (NIX_CONF_DIR)   cache/ state/ data/ config/ (the XDG folders)

make_deployer() {
    mkdir -p "$deployer"/{nix,conf,cache,state,data,config/git}
    mkdir -p -m 0700 "$deployer/ssh"
    [[ -e $deployer/ssh/id_ed25519 ]] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$deployer/ssh/id_ed25519"
    nix_conf root >"$deployer/conf/nix.conf"
    # The usual registry is fetched from the internet; this one says that there is nothing.
    echo "flake-registry = $deployer/conf/registry.json" >>"$deployer/conf/nix.conf"
    echo '{"flakes":[],"version":2}' >"$deployer/conf/registry.json"
    # Here, not in ~/.gitconfig: both git and the libgit2 inside newer Nix read it.
    printf '[safe]\n\tdirectory = *\n' >"$deployer/config/git/config"
    make_passwords >"$LAB_DIR/passwords"
    chmod 0600 "$LAB_DIR/passwords"
    write_ssh_files
}

# ACCOUNT HASH lines for the two accounts that have a password.
make_passwords() {
    # shellcheck disable=SC2016
    perl -e 'my %p = (admin => "correct horse", pw => "battery staple");
        print "$_ ", crypt($p{$_}, "\$6\$rounds=1000\$deployswiftlab\$"), "\n" for sort keys %p'
}

# Renamed into place as a whole: an ssh that reads meanwhile sees the old or the new list, never half of one.
write_ssh_files() { locked "$LAB_DIR/ssh.lock" write_ssh_files_now; }

write_ssh_files_now() {
    local name dir id slow key ssh=$deployer/ssh
    : >"$ssh/config.new"
    : >"$ssh/known_hosts.new"
    while read -r name; do
        dir=$nodes/$name
        [[ -e $dir/host_keys ]] || continue
        id=$(<"$dir/id")
        printf 'Host %s\n    HostName %s\n    User root\n\n' "$name" "$(address_of "$id")" >>"$ssh/config.new"
        slow=''
        if [[ -e $dir/slow ]]; then
            slow=$(slow_endpoint "$dir")
            printf 'Host %s-slow\n    HostName %s\n    User root\n' "$name" "${slow%:*}" >>"$ssh/config.new"
            [[ $slow != *:* ]] || printf '    Port %s\n' "${slow#*:}" >>"$ssh/config.new"
            echo >>"$ssh/config.new"
            [[ $slow != *:* ]] || slow="[${slow%:*}]:${slow#*:}"
        fi
        while read -r key; do
            echo "$name,$(address_of "$id"),$(ipv6_of "$id")${slow:+,$slow} ${key% }"
        done <"$dir/host_keys" >>"$ssh/known_hosts.new"
    done < <(node_names)
    {
        cat "$ssh/config.new"
        printf 'Host *\n    IdentityFile %s\n    UserKnownHostsFile %s\n' "$ssh/id_ed25519" "$ssh/known_hosts"
    } >"$LAB_DIR/ssh_config.new"
    mv "$LAB_DIR/ssh_config.new" "$LAB_DIR/ssh_config"
    mv "$ssh/known_hosts.new" "$ssh/known_hosts"
    mv "$ssh/config.new" "$ssh/config"
}

lab_run() {
    local root side=$deployer
    root=$(default_root LAB_DEPLOYER_ROOT) || exit
    if [[ ${1:-} == --root ]]; then
        root=$(readlink -f "${2:-}") || die "no folder ${2:-}"
        shift 2
    fi
    [[ ${1:-} != -- ]] || shift
    [[ $# -gt 0 ]] || die "run needs a command" 2
    [[ $root == / || -x $root/usr/bin/nix ]] || die "$root lacks nix: \`lab root SUITE\` makes a tree with it"
    [[ $EUID -eq 0 ]] || die "run needs root, for its private mounts"
    need unshare util-linux
    need nix nix-bin
    ensure_lab
    # exec all the way: the command has this process's id, so signals, descriptors and exit code are its own.
    exec unshare --mount "$LAB_HOME/lib/deployer-side" "$side" "$root" "$@"
}

lab_ssh() {
    [[ $# -gt 0 ]] || die "ssh needs a node name" 2
    known_node "${1%-slow}" >/dev/null || exit
    lab_run -- ssh "$@"
}
