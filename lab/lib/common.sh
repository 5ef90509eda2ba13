# shellcheck shell=bash
# What every part needs: errors, waiting, locks, processes and the lab's folders.

nodes=$LAB_DIR/nodes
deployer=$LAB_DIR/deployer

die() {
    printf 'lab: error: %s\n' "$1" >&2
    exit "${2:-1}"
}

warn() { printf 'lab: %s\n' "$*" >&2; }

# need TOOL PACKAGE: names the apt package, for the tool alone rarely tells.
need() { command -v "$1" >/dev/null || die "$1 is missing: apt-get install $2"; }

need_tools() {
    need unshare util-linux
    need nsenter util-linux
    need setpriv util-linux
    need flock util-linux
    need ip iproute2
    need sshd openssh-server
    need ssh-keygen openssh-client
    need perl perl
    need nix-daemon nix-bin
}

# A pipe that never has anything to read: `read -t` from it waits without starting a process.
exec {never}<> <(:)
pause() { read -rt "$1" -u "$never" || true; }

# wait_for SECONDS CMD…: true as soon as CMD is, false when the time is over.
wait_for() {
    local deadline=$((SECONDS + $1 + 1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        pause 0.01
    done
}

# locked FILE CMD…: runs CMD in a subshell that holds the lock. What CMD leaves running must close the lock: see
# close_inherited.
locked() {
    local file=$1
    shift
    (
        exec {held}>>"$file"
        flock "$held"
        "$@"
    )
}

# close_inherited [LAST]: a node or relay outlives the command that started it: whatever it kept open above descriptor LAST
# (a caller's pipe, a lock) would be kept too.
close_inherited() {
    local fd
    for fd in /proc/self/fd/*; do
        fd=${fd##*/}
        ((fd <= ${1:-2})) || eval "exec $fd>&-" 2>/dev/null || true
    done
}

# A process is known by id and start time, so that a reused id is never taken for ours. These are polled by many boots at
# once, so they start no process: results are in REPLY.
start_time() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -ra stat <<<"${stat##*) }"
    [[ ${stat[0]} != Z ]] || return 1
    REPLY=${stat[19]}
}

record_process() {
    start_time "$1" || REPLY=gone
    printf '%s %s\n' "$1" "$REPLY" >"$2"
}

is_running() {
    local pid start
    { read -r pid start <"$1"; } 2>/dev/null && start_time "$pid" && [[ $REPLY == "$start" ]] && REPLY=$pid
}

is_gone() { ! is_running "$1"; }

# running FILE: prints the id of the process recorded in FILE if it is still that process.
running() { is_running "$1" && echo "$REPLY"; }

# end_process FILE [SIGNAL]: ends the recorded process and returns once it is gone.
end_process() {
    if is_running "$1"; then
        kill -s "${2:-KILL}" "$REPLY" 2>/dev/null || true
        wait_for 10 is_gone "$1" || die "the process recorded in $1 does not end"
    fi
    rm -f "$1"
}

# The lab's folders; cheap when they are there.
ensure_lab() {
    [[ $LAB_DIR != *[[:space:],:\\]* ]] || die "LAB_DIR \"$LAB_DIR\" holds a blank, comma, colon or backslash: choose another"
    [[ -e $LAB_DIR/.lab ]] && return
    if [[ -d $LAB_DIR && -n $(ls -A "$LAB_DIR") && ! -e $LAB_DIR/lock ]]; then
        die "LAB_DIR $LAB_DIR is a folder of something else: choose an empty or a new one"
    fi
    mkdir -p "$LAB_DIR" 2>/dev/null && [[ -w $LAB_DIR ]] || die "cannot write in $LAB_DIR: set LAB_DIR to a folder of yours"
    chmod 0755 "$LAB_DIR" # accounts of the loopback mode and of nodes pass through it
    locked "$LAB_DIR/lock" make_lab
}

make_lab() {
    [[ ! -e $LAB_DIR/.lab ]] || return 0
    mkdir -p "$nodes"
    make_deployer
    touch "$LAB_DIR/.lab"
}

# default_root VARIABLE: the folder that the environment names in place of this machine's own root, or /.
default_root() { readlink -f "${!1:-/}" || die "$1 names no folder: ${!1}"; }

node_dir() {
    [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$ && $1 != *-slow ]] ||
        die "\"$1\" is no name for a node: letters, digits, '.', '_' and '-', not ending in -slow" 2
    echo "$nodes/$1"
}

# known_node NAME: its folder, or an error when there is no such node.
known_node() {
    local dir
    dir=$(node_dir "$1") || exit
    [[ -e $dir/id ]] || die "no node \"$1\" in $LAB_DIR: \`lab list\` shows those there are"
    echo "$dir"
}

node_pid() {
    local dir
    dir=$(known_node "$1") || exit
    running "$dir/pid" || die "node \"$1\" is off: \`lab boot $1\` starts it"
}

node_names() {
    local id
    for id in "$nodes"/*/id; do
        [[ -e $id ]] || continue
        id=${id%/id}
        echo "${id##*/}"
    done
}

one_name() { [[ $# -eq 1 && -n $1 ]] || die "one node name is needed: \`lab help\`" 2; }
