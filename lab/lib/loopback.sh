# shellcheck shell=bash
# Without root: one sshd of its own on 127.0.0.1, as the current user, and a Nix store in the lab's folder that both sides
# use. The "node" is this machine: nothing is really copied, and nobody can become another user.

loopback=$LAB_DIR/loopback

free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'; }

lab_loopback_up() {
    need sshd openssh-server
    need perl perl
    need nix-store nix-bin
    ensure_lab
    locked "$LAB_DIR/lock" start_loopback
    # A server that has just been started, beside others that knock, may turn one away.
    wait_for 10 loopback_lets_in ||
        die "$(id -un) cannot log in on 127.0.0.1: $(grep -m 1 'not allowed' "$loopback/log" || cat "$loopback/login.log")"
    cat <<END
ssh:         ssh -F $loopback/ssh_config local
port:        $(<"$loopback/port")
key:         $loopback/id_ed25519
known hosts: $loopback/known_hosts
log:         $loopback/log
END
}

loopback_lets_in() { ssh -F "$loopback/ssh_config" -o BatchMode=yes local true 2>"$loopback/login.log"; }

# The listener only: sessions live on, as `lab sshd-stop` leaves them.
lab_loopback_stop() { end_process "$loopback/pid" TERM; }

# exec: the command has this process's id, so signals, descriptors and exit code are its own.
lab_loopback_run() {
    local words
    [[ ${1:-} != -- ]] || shift
    [[ $# -gt 0 ]] || die "loopback-run needs a command" 2
    [[ -e $loopback/ssh_config ]] || die "there is no loopback in $LAB_DIR: \`lab loopback-up\` makes it"
    mapfile -t words < <(loopback_environment)
    unset "${!NIX_@}" "${!XDG_@}" SSH_AUTH_SOCK SSH_ASKPASS
    exec env "${words[@]}" "$@"
}

# What makes Nix work in the lab's folder alone, on both sides of the connection; HOME for what Nix leaves there.
loopback_environment() {
    local nix=$loopback/nix
    printf '%s\n' "NIX_STORE_DIR=$nix/store" "NIX_STATE_DIR=$nix/state" "NIX_LOCALSTATE_DIR=$nix/state" \
        "NIX_LOG_DIR=$nix/log" "NIX_CONF_DIR=$nix/conf" NIX_REMOTE=local "HOME=$loopback/home" "PATH=$PATH"
}

start_loopback() {
    local port tries was
    ! is_running "$loopback/pid" || return 0
    mkdir -p -m 0700 "$loopback"
    [[ -e $loopback/id_ed25519 ]] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$loopback/id_ed25519"
    [[ -e $loopback/host_key ]] || ssh-keygen -q -t ed25519 -N '' -C '' -f "$loopback/host_key"
    # A port that is free now can be taken when sshd binds it: then the next.
    for tries in 1 2 3 4 5; do
        # One that was stopped comes back where it was: whoever lost it looks there.
        was=$(cat "$loopback/port" 2>/dev/null) || was=''
        [[ $tries == 1 && -n $was ]] && port=$was || port=$(free_port)
        write_loopback_files "$port"
        (
            exec </dev/null >"$loopback/log" 2>&1
            close_inherited
            exec setsid "$(command -v sshd)" -D -e -f "$loopback/sshd_config"
        ) &
        record_process "$!" "$loopback/pid"
        wait_for 5 loopback_settled "$port" || true
        ! is_running "$loopback/pid" || return 0
    done
    die "no sshd on 127.0.0.1 after $tries tries: $(tail -n 1 "$loopback/log")"
}

loopback_settled() { is_gone "$loopback/pid" || grep -q 'Server listening' "$loopback/log"; }

write_loopback_files() {
    local key variables
    mkdir -p "$loopback/nix/conf" "$loopback/home"
    nix_conf "$(id -un)" >"$loopback/nix/conf/nix.conf"
    echo "flake-registry = $deployer/conf/registry.json" >>"$loopback/nix/conf/nix.conf"
    variables=$(loopback_environment | sed 's/.*/"&"/' | tr '\n' ' ')
    # Only root's sshd needs, and can make, its privilege separation folder.
    [[ $EUID -ne 0 ]] || mkdir -p /run/sshd
    echo "$1" >"$loopback/port"
    cat >"$loopback/sshd_config" <<END
ListenAddress 127.0.0.1
Port $1
HostKey $loopback/host_key
AuthorizedKeysFile $loopback/id_ed25519.pub
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PrintMotd no
Subsystem sftp internal-sftp
SetEnv ${variables% }
END
    cat >"$loopback/ssh_config" <<END
Host local
    HostName 127.0.0.1
    Port $1
    User $(id -un)
    IdentityFile $loopback/id_ed25519
    IdentitiesOnly yes
    UserKnownHostsFile $loopback/known_hosts
END
    key=$(<"$loopback/host_key.pub")
    echo "[127.0.0.1]:$1 ${key% }" >"$loopback/known_hosts"
}

loopback_down() { [[ ! -e $loopback/pid ]] || end_process "$loopback/pid" TERM; }
