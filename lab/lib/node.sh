# shellcheck shell=bash
# Nodes: up, down, boot, kill, exec. A node's folder, $LAB_DIR/nodes/NAME:
#   id (its number, the last octet)   options (lower dir, trusted users, init)   disk/   pid   log   slow   lock

lab_mode() {
    local reason
    if reason=$(why_no_namespaces); then
        warn "$reason"
        echo loopback
    else
        echo namespaces
    fi
}

# Prints why nodes cannot be had here; false when they can. Tries the real thing, in namespaces that vanish with it.
why_no_namespaces() {
    local output
    if [[ ${LAB_MODE:-} == loopback ]]; then
        echo "LAB_MODE asks for loopback"
    elif [[ $EUID -ne 0 ]]; then
        echo "not root"
    elif ! command -v unshare >/dev/null || ! command -v ip >/dev/null; then
        echo "unshare or ip is missing (apt-get install util-linux iproute2)"
    elif ! output=$(unshare --net --mount --pid --uts --ipc --fork sh -e 2>&1 <<'END'
ip link set lo up
ip link add probe type bridge
ip link add end0 type veth peer name end1
ip link set end0 master probe
mount -t tmpfs probe /mnt
mkdir /mnt/upper /mnt/work /mnt/root /mnt/dev
mount -t overlay probe -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
mknod /mnt/upper/gone c 0 0
mknod /mnt/dev/null c 1 3
mount -t proc proc /mnt/root/proc
END
    ); then
        echo "namespaces do not work here: ${output//$'\n'/; }"
    else
        return 1
    fi
}

need_namespaces() {
    local reason
    need_tools
    # Trying takes as long as booting does: once per lab is enough.
    [[ ! -e $LAB_DIR/namespaces ]] || return 0
    ! reason=$(why_no_namespaces) || die "no nodes on this machine, $reason: \`lab loopback-up\` needs less"
    ensure_lab
    touch "$LAB_DIR/namespaces"
}

# An upper dir cannot lie on every file system (not on another overlay, for one): then the disks live in memory.
ensure_disks() {
    local probe=$LAB_DIR/probe
    if [[ -e $LAB_DIR/disks ]]; then
        [[ $(<"$LAB_DIR/disks") == folder ]] || mountpoint -q "$nodes" || die "the disks of $LAB_DIR were in memory and are lost: \`lab down\`"
        return
    fi
    mkdir -p "$probe/upper" "$probe/work" "$probe/root"
    if unshare --mount mount -t overlay probe -o "lowerdir=/,upperdir=$probe/upper,workdir=$probe/work" "$probe/root" 2>/dev/null; then
        echo folder >"$LAB_DIR/disks"
    else
        warn "the file system of $LAB_DIR cannot hold an overlay's upper dir: the nodes' disks are in memory"
        mount -t tmpfs -o mode=0755 "lab-disks" "$nodes"
        echo memory >"$LAB_DIR/disks"
    fi
    rm -rf "$probe"
}

check_lower() {
    local part
    [[ -x $1/usr/bin/nix-daemon && -x $1/usr/sbin/sshd ]] || die "$1 lacks nix-daemon or sshd: \`lab root SUITE\` makes a tree with both"
    for part in etc usr var; do
        ! mountpoint -q "$1/$part" || die "${1%/}/$part is a file system of its own, an overlay of $1 would miss it: use --root"
    done
}

lab_up() {
    local names=() root trusted=root init=lab chosen='' name
    root=$(default_root LAB_NODE_ROOT) || exit
    while [[ $# -gt 0 ]]; do
        case $1 in
            --root | --trust)
                [[ $# -gt 1 ]] || die "$1 needs a value" 2
                [[ $1 == --trust ]] && trusted+=" $2" || root=$(readlink -f "$2") || die "no folder $2"
                chosen+=" $1"
                shift
                ;;
            --systemd)
                init=systemd
                chosen+=" $1"
                ;;
            -*) die "unknown option $1 of up: \`lab help\`" 2 ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    [[ ${#names[@]} -gt 0 ]] || die "up needs a node name" 2
    need_namespaces
    ensure_lab
    check_lower "$root"
    [[ $init != systemd || -x $root/lib/systemd/systemd ]] || die "$root has no systemd: --systemd needs --root \"\$(lab root trixie)\""
    [[ $root != *[[:space:],:\\]* ]] || die "--root $root holds a blank, comma, colon or backslash"
    for name in "${names[@]}"; do
        if [[ -e $(node_dir "$name")/id && -n $chosen ]]; then
            die "node \"$name\" exists, its options (${chosen# }) are fixed: \`lab down $name\` first"
        fi
    done
    locked "$LAB_DIR/lock" number_nodes "$root" "$trusted" "$init" "${names[@]}"
    # All disks, then the deployer's files once, then all boots: a node that answers is already known to ssh.
    each prepare_node "${names[@]}"
    write_ssh_files
    each boot_node "${names[@]}"
}

# each FUNCTION NAME…: in parallel, every one under its node's lock; fails after all have ended if one did.
each() {
    local function=$1 name jobs=() job failed=0
    shift
    for name in "$@"; do
        locked "$nodes/$name/lock" "$function" "$name" &
        jobs+=("$!")
    done
    for job in "${jobs[@]}"; do wait "$job" || failed=1; done
    [[ $failed -eq 0 ]] || exit 1
}

number_nodes() {
    local root=$1 trusted=$2 init=$3 name dir id=2
    shift 3
    ensure_bridge
    ensure_disks
    local used=' '
    used+=$(cat "$nodes"/*/id 2>/dev/null | tr '\n' ' ') || true
    for name in "$@"; do
        dir=$(node_dir "$name") || exit
        [[ ! -e $dir/id ]] || continue
        while [[ $used == *" $id "* ]]; do id=$((id + 1)); done
        # The upper half of the subnet is for slow relays.
        ((id <= 126)) || die "a lab holds 125 nodes, there is no number left for \"$name\""
        used+="$id "
        mkdir -p "$dir"
        printf '%s\n' "$root" "$trusted" "$init" >"$dir/options"
        echo "$id" >"$dir/id"
    done
}

# Sets lower, trusted and init for a node's folder.
read_options() {
    { read -r lower && read -r trusted && read -r init; } <"$1/options"
}

prepare_node() {
    local dir lower trusted init
    dir=$(node_dir "$1")
    [[ ! -e $dir/disk/complete ]] || return 0
    read_options "$dir"
    make_disk "$1" "$dir" "$lower" "$trusted"
    [[ $init != systemd ]] || make_systemd_disk "$dir/disk/upper" "$lower"
    cat "$dir/disk/upper/etc/ssh/"ssh_host_*_key.pub >"$dir/host_keys"
}

boot_node() {
    local name=$1 dir id pid lower trusted init
    dir=$(node_dir "$name")
    ! is_running "$dir/pid" || return 0
    id=$(<"$dir/id")
    read_options "$dir"
    disconnect_node "$id"
    # The daemon's stale socket must not look like readiness.
    rm -f "$dir/disk/nix/var/nix/daemon-socket/socket"
    local from_node
    exec {from_node}< <(start_node "$name" "$dir" "$lower" "$init")
    read -r pid <&"$from_node" || die "node \"$name\" did not start: $(tail -n 3 "$dir/log")"
    exec {from_node}<&-
    record_process "$pid" "$dir/pid"
    connect_node "$id" "$pid" || die "node \"$name\" got no network"
    wait_for 30 is_ready_or_gone "$dir" "$pid" || die "node \"$name\" is not ready after 30 s: see $dir/log and \`lab exec $name\`"
    is_running "$dir/pid" || die "node \"$name\" died while it started: $(tail -n 3 "$dir/log")"
    [[ $init != systemd ]] || await_systemd "$pid"
    wait_for 10 greets "$(address_of "$id")" || die "node \"$name\": its sshd listens but does not greet"
}

start_node() {
    local name=$1 dir=$2 lower=$3 init=$4 cgroup=()
    exec 3>&1 </dev/null >"$dir/log" 2>&1
    if [[ $init == systemd ]]; then
        cgroup=(--cgroup)
        enter_cgroup "$(cgroup_of "$dir")"
    fi
    close_inherited 3
    # A session of its own: a Ctrl-C at the terminal is not for nodes.
    exec setsid unshare --mount --uts --ipc --net --pid "${cgroup[@]}" --fork --kill-child \
        "$LAB_HOME/node/start" "$name" "$dir/disk" "$lower" "$init"
}

# listens PID PORT: some socket in the network namespace of PID listens there (state 0A).
listens() {
    local table port
    printf -v port %04X "$2"
    table=$(cat "/proc/$1/net/tcp" "/proc/$1/net/tcp6" 2>/dev/null) || return 1
    [[ $table =~ :$port\ [0-9A-F:]+\ 0A\  ]]
}

# Flag 00010000: the socket listens; its file alone appears a moment earlier.
daemon_listens() {
    local table
    { table=$(<"/proc/$1/net/unix"); } 2>/dev/null || return 1
    [[ $table =~ \ 00010000\ [^/]*/nix/var/nix/daemon-socket/socket ]]
}

is_ready_or_gone() { { daemon_listens "$2" && listens "$2" 22; } || is_gone "$1/pid"; }

# greets ADDRESS: an SSH banner came back over the wire. The port listens already, so connecting cannot take long.
greets() {
    (
        exec 3<>"/dev/tcp/$1/22"
        read -rt 5 -u 3 line && [[ $line == SSH-2.0* ]]
    ) 2>/dev/null
}

lab_boot() {
    one_name "$@"
    known_node "$1" >/dev/null || exit
    need_namespaces
    locked "$LAB_DIR/lock" ensure_bridge
    write_ssh_files
    each boot_node "$1"
}

# Power loss. The cable goes first: dying processes would still say goodbye to their peers.
power_off() {
    local dir id
    dir=$(node_dir "$1")
    id=$(<"$dir/id")
    ip link set "$(cable_of "$id")" down 2>/dev/null || true
    end_process "$dir/pid"
    disconnect_node "$id"
    leave_cgroup "$(cgroup_of "$dir")"
}

lab_kill() {
    one_name "$@"
    known_node "$1" >/dev/null || exit
    each power_off "$1"
}

remove_node() {
    local dir
    dir=$(node_dir "$1")
    [[ -e $dir/id ]] || return 0
    power_off "$1"
    stop_relay "$1"
    ip neighbor del "$(address_of "$(<"$dir/id")")" dev "$(bridge)" 2>/dev/null || true
    ! has_ipv6 || ip neighbor del "$(ipv6_of "$(<"$dir/id")")" dev "$(bridge)" 2>/dev/null || true
    rm -f "$dir/id"
    rm -rf --one-file-system "$dir"
}

lab_down() {
    local name names=()
    if [[ $# -eq 0 ]]; then
        [[ ! -e $LAB_DIR/.lab ]] || remove_lab
        return
    fi
    for name in "$@"; do
        [[ ! -e $(node_dir "$name")/id ]] || names+=("$name")
    done
    [[ ${#names[@]} -gt 0 ]] || return 0
    each remove_node "${names[@]}"
    write_ssh_files
}

remove_lab() {
    local names
    loopback_down
    mapfile -t names < <(node_names)
    [[ ${#names[@]} -eq 0 ]] || each remove_node "${names[@]}"
    ! owns_bridge || ip link del "$(bridge)"
    ! mountpoint -q "$nodes" || umount "$nodes"
    # Without root, a store's folders can be emptied only once they can be written.
    [[ $EUID -eq 0 || ! -d $loopback/nix ]] || chmod -R u+w "$loopback/nix"
    rm -rf --one-file-system "$LAB_DIR"
}

lab_list() {
    local name dir state lower trusted init
    while read -r name; do
        dir=$nodes/$name
        read_options "$dir"
        state=off
        if is_running "$dir/pid"; then
            state=on
            [[ $(cat "/sys/class/net/$(cable_of "$(<"$dir/id")")/carrier" 2>/dev/null) == 1 ]] || state="cut"
        fi
        printf '%-16s %-4s %-15s root=%s init=%s trusted=%s%s\n' "$name" "$state" "$(address_of "$(<"$dir/id")")" \
            "$lower" "$init" "${trusted// /,}" "$([[ ! -e $dir/slow ]] || echo " slow=$(<"$dir/slow")ms")"
    done < <(node_names)
}

lab_pid() {
    one_name "$@"
    node_pid "$1"
}

# in_node NAME CMD…: as root, with a node's environment, whatever the network does.
in_node() {
    local pid
    pid=$(node_pid "$1") || exit
    local dir lower trusted init cgroup=()
    dir=$(node_dir "$1")
    shift
    read_options "$dir"
    [[ $init != systemd ]] || cgroup=(--cgroup)
    nsenter --target "$pid" --mount --uts --ipc --net --pid "${cgroup[@]}" env -i HOME=/root USER=root LOGNAME=root \
        SHELL=/bin/bash TERM="${TERM:-dumb}" LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

lab_exec() {
    local name=${1:-} user=root
    [[ $# -eq 0 ]] || shift
    if [[ ${1:-} == --user ]]; then
        user=${2:-}
        shift 2
    fi
    [[ ${1:-} != -- ]] || shift
    [[ -n $name && $# -gt 0 ]] || die "usage: lab exec NAME [--user USER] CMD…" 2
    # shellcheck disable=SC2016
    in_node "$name" sh -c '
        user=$1; shift
        home=$(getent passwd "$user" | cut -d: -f6)
        [ -n "$home" ] || { echo "lab: error: the node has no account \"$user\"" >&2; exit 1; }
        cd "$home"
        export HOME="$home" USER="$user" LOGNAME="$user"
        [ "$user" = root ] || set -- setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@"
        exec "$@"' sh "$user" "$@"
}
