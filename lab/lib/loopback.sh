# shellcheck shell=bash
# Without root: one sshd of its own on 127.0.0.1, as the current user. No node, no store: only a way in.

loopback=$LAB_DIR/loopback

free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'; }

lab_loopback_up() {
    need sshd openssh-server
    need perl perl
    ensure_lab
    locked "$LAB_DIR/lock" start_loopback
    cat <<END
ssh:         ssh -F $loopback/ssh_config local
port:        $(<"$loopback/port")
key:         $loopback/id_ed25519
known hosts: $loopback/known_hosts
log:         $loopback/log
END
}

start_loopback() {
    local port tries
    ! is_running "$loopback/pid" || return 0
    mkdir -p -m 0700 "$loopback"
    [[ -e $loopback/id_ed25519 ]] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$loopback/id_ed25519"
    [[ -e $loopback/host_key ]] || ssh-keygen -q -t ed25519 -N '' -C '' -f "$loopback/host_key"
    # A port that is free now can be taken when sshd binds it: then the next.
    for tries in 1 2 3 4 5; do
        port=$(free_port)
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
    local key
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
