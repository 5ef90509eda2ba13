# shellcheck shell=bash
# Debian trees for --root, made once per user and suite.

packages=(nix-bin openssh-server openssh-client sudo iproute2 libdbi-perl ca-certificates git perl procps curl
    systemd systemd-sysv dbus libpam-systemd dbus-user-session)

# libssh2 was renamed when 64-bit times came, after bookworm.
libssh2_of() { [[ $1 == bookworm ]] && echo libssh2-1 || echo libssh2-1t64; }

# The mirror that this machine's own apt uses for Debian; deb822 files first, they are what Debian installs today.
debian_mirror() {
    local file
    for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/*.sources; do
        [[ -r $file ]] || continue
        sed -n 's/^URIs: *\([^ ]*\/debian\/\?\)\( .*\)\?$/\1/p' "$file"
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ -r $file ]] || continue
        sed -n 's/^deb \(\[[^]]*\] *\)\?\([^ ]*\/debian\/\?\) .*/\2/p' "$file"
    done
}

lab_root() {
    [[ $# -eq 1 && $1 =~ ^[a-z]+$ ]] || die "usage: lab root SUITE (bookworm, trixie, forky)" 2
    local suite=$1 roots=${XDG_CACHE_HOME:-$HOME/.cache}/deploy-swift/roots
    if [[ ! -d $roots/$suite ]]; then
        [[ $EUID -eq 0 ]] || die "root needs root, for debootstrap"
        need debootstrap debootstrap
        mkdir -p "$roots"
        locked "$roots/$suite.lock" make_root "$suite" "$roots"
    fi
    echo "$roots/$suite"
}

make_root() {
    local suite=$1 roots=$2 mirror script=$1 scripts=/usr/share/debootstrap/scripts new
    [[ ! -d $roots/$suite ]] || return 0 # another process made it while this one waited
    read -r mirror < <(debian_mirror) || true
    [[ -n $mirror ]] || die "no Debian mirror in /etc/apt: add one to its sources"
    # A suite newer than this debootstrap is bootstrapped as unstable is.
    [[ -e $scripts/$suite ]] || script=sid
    new=$(mktemp -d "$roots/.$suite.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf --one-file-system '$new'" EXIT
    chmod 0755 "$new"
    warn "making a Debian $suite tree in $roots/$suite (once, some minutes)"
    local include
    include=$(IFS=,; echo "${packages[*]},$(libssh2_of "$suite")")
    debootstrap --variant=minbase --include="$include" "$suite" "$new" "$mirror" "$scripts/$script" >"$roots/$suite.log" 2>&1 ||
        die "debootstrap $suite failed, see $roots/$suite.log: $(grep -E '^[EW]: ' "$roots/$suite.log" | tail -n 1)"
    rm -rf "$new"/var/cache/apt/archives/*.deb "$new"/var/lib/apt/lists/* "$new"/etc/ssh/ssh_host_*
    mv -T "$new" "$roots/$suite"
    trap - EXIT
}
