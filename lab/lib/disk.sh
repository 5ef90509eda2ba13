# shellcheck shell=bash
# A node's disk, a folder that outlives its processes:
#   upper/ work/    what the node changed of its root (the upper dir of an overlay)
#   home/ root/ nix/    bind-mounted, on the real file system: fsync, hard links and inotify as on a real machine

accounts=(app deploy admin pw)

# Hides what the machine keeps at its root beside the usual folders (a white-out each): a node has no business with it.
hide_foreign_folders() {
    local lower=$1 upper=$2 entry
    for entry in "$lower"/* "$lower"/.[!.]*; do
        entry=${entry##*/}
        case $entry in
            bin | dev | etc | home | lib | lib?? | libx32 | media | mnt | nix | opt | proc | root | run | sbin | srv | sys | tmp | usr | var) ;;
            *) [[ ! -e $lower/$entry && ! -L $lower/$entry ]] || mknod "$upper/$entry" c 0 0 ;;
        esac
    done
}

# One line per account appended by hand: four useradd calls would take longer than the rest of the boot.
write_accounts() {
    local lower=$1 etc=$2 file user uid=2000 pattern passwords
    pattern="^($(
        IFS='|'
        echo "${accounts[*]}"
    )):"
    for file in passwd shadow group; do
        grep -Ev "$pattern" "$lower/etc/$file" >"$etc/$file"
    done
    passwords=$(<"$LAB_DIR/passwords")
    for user in "${accounts[@]}"; do
        uid=$((uid + 1))
        echo "$user:x:$uid:$uid::/home/$user:/bin/bash" >>"$etc/passwd"
        echo "$user:x:$uid:" >>"$etc/group"
        [[ $passwords == *"$user "* ]] || echo "$user:*:20000:0:99999:7:::" >>"$etc/shadow"
    done
    while read -r user hash; do
        echo "$user:$hash:20000:0:99999:7:::" >>"$etc/shadow"
    done <<<"$passwords"
    # root: no password, but not locked either, or sshd would refuse its key.
    sed -i 's/^root:[^:]*:/root:*:/' "$etc/shadow"
    sed -i 's|^\(root:[^:]*:0:0:[^:]*\):.*|\1:/root:/bin/bash|' "$etc/passwd"
    chown --reference="$lower/etc/shadow" "$etc/shadow"
    chmod 0640 "$etc/shadow"
}

write_homes() {
    local disk=$1 user uid=2000
    mkdir -m 0700 "$disk/root" "$disk/root/.ssh"
    mkdir -m 0755 "$disk/home"
    cp "$deployer/ssh/id_ed25519.pub" "$disk/root/.ssh/authorized_keys"
    for user in "${accounts[@]}"; do
        uid=$((uid + 1))
        mkdir -m 0755 "$disk/home/$user"
        mkdir -m 0700 "$disk/home/$user/.ssh"
        cp "$deployer/ssh/id_ed25519.pub" "$disk/home/$user/.ssh/authorized_keys"
        chown -R "$uid:$uid" "$disk/home/$user"
    done
}

write_sudoers() {
    cat >"$1" <<'END'
Defaults env_reset
Defaults use_pty
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
admin ALL=(ALL:ALL) ALL
deploy ALL=(ALL:ALL) NOPASSWD: ALL
END
    chmod 0440 "$1"
}

# `lab sshd` writes lab.conf: sshd takes the first value that it meets.
write_sshd_config() {
    local lower=$1 etc=$2
    rm -f "$etc"/ssh/ssh_host_*
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$etc/ssh/ssh_host_ed25519_key"
    ssh-keygen -q -t ecdsa -N '' -C '' -f "$etc/ssh/ssh_host_ecdsa_key"
    {
        cat <<'END'
Include /etc/ssh/lab*.conf
HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
PidFile /run/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication yes
KbdInteractiveAuthentication yes
UsePAM yes
PrintMotd no
PrintLastLog no
AcceptEnv LANG LC_*
END
        echo "Subsystem sftp $(sftp_server "$lower")"
        # From 9.8 on a few failed logins block the address; tests fail to log in on purpose.
        ! grep -qa persourcepenalties "$lower/usr/sbin/sshd" || echo "PerSourcePenalties no"
    } >"$etc/ssh/sshd_config"
}

sftp_server() { [[ -e $1/usr/lib/openssh/sftp-server ]] && echo /usr/lib/openssh/sftp-server || echo internal-sftp; }

# nix_conf TRUSTED_USERS: the settings of nodes and deployer. Nothing is ever fetched: no substituters, no build users.
nix_conf() {
    cat <<END
sandbox = false
build-users-group =
experimental-features = nix-command flakes
substituters =
trusted-users = $1
END
}

# make_disk NAME DIR LOWER TRUSTED: in a temporary folder first, so that a half-made disk is never booted.
make_disk() {
    local name=$1 dir=$2 lower=$3 trusted=$4 etc=$2/disk/upper/etc
    rm -rf "$dir/disk"
    mkdir -p "$dir/disk/work" "$etc/ssh" "$etc/nix" "$dir/disk/upper/usr/local/sbin" "$dir/disk/nix"
    hide_foreign_folders "$lower" "$dir/disk/upper"
    write_accounts "$lower" "$etc"
    write_homes "$dir/disk"
    write_sudoers "$etc/sudoers"
    write_sshd_config "$lower" "$etc"
    nix_conf "$trusted" >"$etc/nix/nix.conf"
    echo "$name" >"$etc/hostname"
    printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" >"$etc/hosts"
    # No name server and no proxy: a node knows nobody but its deployer.
    : >"$etc/resolv.conf"
    : >"$etc/environment"
    tr -d - </proc/sys/kernel/random/uuid >"$etc/machine-id"
    install -m 0755 "$LAB_HOME/node/init" "$dir/disk/upper/usr/local/sbin/lab-init"
    install -m 0755 "$LAB_HOME/node/service" "$dir/disk/upper/usr/local/sbin/lab-service"
    touch "$dir/disk/complete"
}
