# shellcheck shell=bash
# The lab's network: one bridge, one /24 of the pool, one cable (veth pair) per node.
#
# Hardware addresses follow from subnet and node number, and both ends know each other by permanent neighbor entries.
# So a cut or dead node is silence, as it is across the internet, and not the "no route to host" that a failed ARP gives.

pool=${LAB_POOL:-10.231} # the first two octets

subnet() { cat "$LAB_DIR/subnet" 2>/dev/null; }
bridge() { echo "dsl$(subnet)"; }
hardware_address() { printf '02:d5:%02x:%02x:%02x:%02x' "${pool%.*}" "${pool#*.}" "$(subnet)" "$1"; }
address_of() { echo "$pool.$(subnet).$1"; }
# As the system writes it: a group of 0 would be left out there, and known_hosts knows one spelling.
ipv6_of() { printf 'fd00:%x:%x:1%02x::%x' "${pool%.*}" "${pool#*.}" "$(subnet)" "$1"; }
has_ipv6() { [[ -e /proc/net/if_inet6 ]]; }
cable_of() { echo "$(bridge)-$1"; }

# Making a bridge of a given name succeeds for one process only: that is the claim to the subnet.
claim_subnet() {
    local first number name tried owner
    first=$(printf %s "$LAB_DIR" | cksum)
    first=$((${first%% *} % 256))
    for ((tried = 0; tried < 256; tried++)); do
        number=$(((first + tried) % 256))
        name=dsl$number
        owner=$(ip -o link show "$name" 2>/dev/null | sed -n 's/.*\\ *alias //p') || true
        # Left behind by a lab whose folder was removed by other means than `lab down`.
        [[ -z $owner || -e $owner ]] || ip link del "$name" 2>/dev/null || true
        [[ -z $(ip -o -4 address show to "$pool.$number.0/24") ]] || continue
        ip link add "$name" type bridge 2>/dev/null || continue
        ip link set "$name" alias "$LAB_DIR"
        echo "$number" >"$LAB_DIR/subnet"
        return
    done
    die "no free /24 left in $pool.0.0/16: \`ip link\` shows the bridges dsl*; LAB_POOL chooses another pool"
}

owns_bridge() { [[ -n $(subnet) && $(cat "/sys/class/net/$(bridge)/ifalias" 2>/dev/null) == "$LAB_DIR" ]]; }

# Call with the lab's lock held.
ensure_bridge() {
    ! owns_bridge || return 0
    claim_subnet
    local name
    name=$(bridge)
    {
        echo "link set $name address $(hardware_address 1) up"
        echo "address add $(address_of 1)/24 dev $name"
        ! has_ipv6 || echo "address add $(ipv6_of 1)/64 dev $name nodad"
    } | ip -batch - || die "cannot configure the bridge $name"
}

# connect_node ID PID: a cable from the bridge into the network namespace of PID.
connect_node() {
    local id=$1 pid=$2 name cable
    name=$(bridge)
    cable=$(cable_of "$id")
    {
        echo "link add $cable type veth peer name eth0 netns $pid"
        echo "link set $cable master $name up"
        echo "neighbor replace $(address_of "$id") lladdr $(hardware_address "$id") dev $name nud permanent"
        ! has_ipv6 || echo "neighbor replace $(ipv6_of "$id") lladdr $(hardware_address "$id") dev $name nud permanent"
    } | ip -batch - || return
    {
        echo "link set lo up"
        echo "link set eth0 address $(hardware_address "$id") up"
        echo "address add $(address_of "$id")/24 dev eth0"
        echo "neighbor replace $(address_of 1) lladdr $(hardware_address 1) dev eth0 nud permanent"
        if has_ipv6; then
            echo "address add $(ipv6_of "$id")/64 dev eth0 nodad"
            echo "neighbor replace $(ipv6_of 1) lladdr $(hardware_address 1) dev eth0 nud permanent"
        fi
    } | nsenter --target "$pid" --net ip -batch -
}

disconnect_node() { ip link del "$(cable_of "$1")" 2>/dev/null || true; }

lab_address() {
    local kind=plain dir id
    case ${1:-} in
        --slow | --ipv6)
            kind=${1#--}
            shift
            ;;
    esac
    one_name "$@"
    dir=$(known_node "$1") || exit
    id=$(<"$dir/id")
    case $kind in
        plain) address_of "$id" ;;
        ipv6) ipv6_of "$id" ;;
        slow)
            [[ -e $dir/slow ]] || die "node \"$1\" has no slow way in: \`lab slow $1 MS\` makes one"
            slow_endpoint "$dir"
            ;;
    esac
}

set_cable() {
    one_name "${@:2}"
    local dir
    node_pid "$2" >/dev/null || exit
    dir=$(known_node "$2")
    ip link set "$(cable_of "$(<"$dir/id")")" "$1"
}

# The direction to the node alone: the other one carries answers.
lab_rate() {
    [[ $# -eq 2 && $2 =~ ^([1-9][0-9]*|off)$ ]] || die "usage: lab rate NAME MBIT|off" 2
    local dir cable
    node_pid "$1" >/dev/null || exit
    dir=$(known_node "$1")
    cable=$(cable_of "$(<"$dir/id")")
    need tc iproute2
    tc qdisc del dev "$cable" root 2>/dev/null || true
    [[ $2 != off ]] || return 0
    tc qdisc add dev "$cable" root tbf rate "$2mbit" burst 256kbit latency 50ms || die "this kernel has no tbf (sch_tbf)"
}

lab_cut() { set_cable down "$@"; }
lab_heal() { set_cable up "$@"; }
