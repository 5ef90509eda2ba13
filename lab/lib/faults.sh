# shellcheck shell=bash
# What can go wrong on purpose: a slow link, a full disk, another sshd configuration.

# --- slow: a relay on this machine, on an address of its own in the upper half of the subnet

slow_address() { address_of "$((128 + $1))"; }

# ADDRESS, or ADDRESS:PORT where this machine's own sshd holds port 22 on every address.
slow_endpoint() {
    local port
    port=$(<"$1/slow.port")
    slow_address "$(<"$1/id")" | sed "s/\$/:$port/; s/:22\$//"
}

stop_relay() {
    local dir=$nodes/$1
    [[ -e $dir/slow ]] || return 0
    end_process "$dir/slow.pid"
    ip address del "$(slow_address "$(<"$dir/id")")/32" dev "$(bridge)" 2>/dev/null || true
    rm -f "$dir/slow" "$dir/slow.port"
}

start_relay() {
    local name=$1 milliseconds=$2 dir=$nodes/$1 id port from_relay
    stop_relay "$name"
    id=$(<"$dir/id")
    ip address replace "$(slow_address "$id")/32" dev "$(bridge)"
    exec {from_relay}< <(
        exec 3>&1 </dev/null >"$dir/slow.log" 2>&1
        close_inherited 3
        exec setsid perl "$LAB_HOME/lib/relay.pl" "$(slow_address "$id")" "$(address_of "$id")" "$milliseconds"
    )
    read -r pid port <&"$from_relay" || die "the slow relay of \"$name\" did not start: $(tail -n 1 "$dir/slow.log")"
    exec {from_relay}<&-
    record_process "$pid" "$dir/slow.pid"
    echo "$port" >"$dir/slow.port"
    echo "$milliseconds" >"$dir/slow"
}

lab_slow() {
    [[ $# -eq 2 && $2 =~ ^([0-9]+|off)$ ]] || die "usage: lab slow NAME MS|off" 2
    local dir
    dir=$(known_node "$1") || exit
    if [[ $2 == off ]]; then
        locked "$dir/lock" stop_relay "$1"
    else
        need perl perl
        locked "$dir/lock" start_relay "$1" "$2"
    fi
    write_ssh_files
}

# --- full: what PATH holds is copied to a small file system first, so that a full /nix is still a working store

lab_full() {
    local name=${1:-} path=${2:-} size=${3:-} free=0
    [[ ${4:-} != --free ]] || free=${5:-}
    [[ $path == /* && -n $size ]] || die "usage: lab full NAME PATH SIZE [--free SIZE] | lab full NAME PATH off (PATH absolute)" 2
    if [[ $size != off ]]; then
        size=$(bytes "$size") && free=$(bytes "$free") || exit
    fi
    in_node "$name" bash -s "$path" "$size" "$free" <"$LAB_HOME/node/full"
}

bytes() { numfmt --from=iec "$1" 2>/dev/null || die "\"$1\" is no size: 500K, 20M, 1G" 2; }

# --- sshd

lab_sshd() {
    [[ $# -eq 2 ]] || die "usage: lab sshd NAME FILE|default" 2
    node_pid "$1" >/dev/null || exit
    if [[ $2 == default ]]; then
        in_node "$1" rm -f /etc/ssh/lab.conf
    else
        [[ -r $2 ]] || die "cannot read $2"
        # shellcheck disable=SC2016
        in_node "$1" sh -c 'cat >/etc/ssh/new.conf && cat /etc/ssh/new.conf /etc/ssh/sshd_config >/run/sshd-try.conf &&
            mkdir -p /run/sshd && /usr/sbin/sshd -t -f /run/sshd-try.conf && mv /etc/ssh/new.conf /etc/ssh/lab.conf' <"$2" ||
            die "node \"$1\": its sshd refuses $2; nothing was changed"
    fi
    in_node "$1" lab-service sshd restart
    await_sshd "$1"
}

# The port is looked at from inside, so this works on a cut node too.
await_sshd() {
    local pid
    pid=$(node_pid "$1") || exit
    wait_for 10 listens "$pid" 22 || die "node \"$1\": its sshd does not listen: \`lab exec $1 tail /var/log/sshd.log\`"
}

lab_sshd_stop() {
    one_name "$@"
    node_pid "$1" >/dev/null || exit
    in_node "$1" lab-service sshd stop
}

lab_sshd_start() {
    one_name "$@"
    node_pid "$1" >/dev/null || exit
    in_node "$1" lab-service sshd start
    await_sshd "$1"
}
