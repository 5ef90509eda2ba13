# shellcheck shell=bash
# Nodes that run systemd as their init: a control group of their own on the host, and a few units on the disk.

make_systemd_disk() {
    local system=$1/etc/systemd/system unit
    mkdir -p "$system/multi-user.target.wants"
    cat >"$system/nix-daemon.service" <<'END'
[Unit]
Description=Nix daemon

[Service]
ExecStartPre=/usr/bin/nix-store --init
ExecStart=/usr/bin/nix-daemon
KillMode=process
END
    ln -s ../nix-daemon.service "$system/multi-user.target.wants/nix-daemon.service"
    ln -s /usr/lib/systemd/system/ssh.service "$system/multi-user.target.wants/ssh.service"
    ln -s /usr/lib/systemd/system/multi-user.target "$system/default.target"
    # A node has no hardware, no terminals, and nobody to fetch updates from.
    for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
        systemd-networkd.service systemd-networkd.socket systemd-resolved.service systemd-timesyncd.service getty.target \
        console-getty.service getty@.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer \
        e2scrub_all.timer e2scrub_reap.service systemd-remount-fs.service dev-hugepages.mount dev-mqueue.mount; do
        ln -s /dev/null "$system/$unit"
    done
}

# Where this machine has cgroup2 (beside version 1, or alone); nothing where it has none.
cgroup_mount() { findmnt --first-only -n -t cgroup2 -o TARGET; }

cgroup_of() { echo "$(cgroup_mount)/$(bridge)-$(<"$1/id")"; }

# Called by the process that becomes the node: its group is the root of the group tree that the node will see.
enter_cgroup() {
    [[ -n $(cgroup_mount) ]] || die "--systemd needs cgroup2: mount -t cgroup2 cgroup2 /sys/fs/cgroup"
    mkdir -p "$1"
    echo "$BASHPID" >"$1/cgroup.procs"
}

leave_cgroup() {
    [[ ! -d $1 ]] || wait_for 10 remove_cgroup "$1" || warn "the control group $1 is still in use"
}

remove_cgroup() { find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; }

# Before its boot has ended systemd lets nobody in but root (/run/nologin). A unit that failed is no reason to refuse.
await_systemd() { timeout 60 nsenter --target "$1" --mount --uts --ipc --net --pid --cgroup systemctl is-system-running --wait >/dev/null 2>&1 || true; }
