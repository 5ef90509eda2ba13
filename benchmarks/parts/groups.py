"""Processor time by control group: what other programs do meanwhile does not count."""

import glob
import os
import time


class Group:
    """A group of cgroup2, beside version 1 or alone; it counts without any controller."""

    def __init__(self, name):
        mounts = [line.split() for line in open("/proc/mounts")]
        top = next((words[1] for words in mounts if words[2] == "cgroup2"), None)
        if top is None:
            raise SystemExit("benchmarks: error: no cgroup2 here: mount -t cgroup2 cgroup2 /sys/fs/cgroup")
        self.path = f"{top}/deploy-bench-{os.getpid()}-{name}"
        os.mkdir(self.path)

    def take(self, process="0"):
        """What the process starts from now on belongs here as well; 0 is whoever calls."""
        with open(f"{self.path}/cgroup.procs", "w") as processes:
            processes.write(process)

    def take_node(self, init):
        """All processes of a node of the lab, by its init's id."""
        space = os.readlink(f"/proc/{init}/ns/pid")
        for folder in glob.glob("/proc/[0-9]*"):
            try:
                if os.readlink(f"{folder}/ns/pid") == space:
                    self.take(folder.removeprefix("/proc/"))
            except OSError:
                # It has ended meanwhile.
                continue

    @property
    def seconds(self):
        with open(f"{self.path}/cpu.stat") as facts:
            return int(dict(line.split() for line in facts)["usage_usec"]) / 1e6

    def close(self):
        """Once its processes have ended, which those of a node that was taken down soon have."""
        for _ in range(100):
            try:
                return os.rmdir(self.path)
            except OSError:
                time.sleep(0.1)
