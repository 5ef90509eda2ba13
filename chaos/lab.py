"""A lab as faults and checks see it: its nodes' processes, disks and journals, looked at from outside."""

import contextlib
import json
import os
import pathlib
import subprocess

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "lab" / "lab"


class Lab:
    """Nodes of one `LAB_DIR`."""

    def __init__(self, folder, names):
        self.folder = pathlib.Path(folder)
        self.environment = {**os.environ, "LAB_DIR": str(folder)}
        self.nodes = [Node(self, name) for name in names]

    def tool(self, *words, check=True):
        """Runs a subcommand to its end; its output."""
        result = subprocess.run(
            [PROGRAM, *map(str, words)], env=self.environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
        )
        if check and result.returncode != 0:
            raise RuntimeError(f"lab {' '.join(map(str, words))} ended with {result.returncode}: {result.stdout}")
        return result.stdout

    def start(self, words, log):
        """Starts a program on the deployer's side; the process is the program's own."""
        return subprocess.Popen(
            [PROGRAM, "run", "--", *map(str, words)], env=self.environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )

    def up(self):
        # Its account may bring closures without a signature, where it logs in itself.
        self.tool("up", *(node.name for node in self.nodes), "--trust", "app")

    def down(self):
        for node in self.nodes:
            node.thaw()
        self.tool("down")


class Node:
    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.home = lab.folder / "nodes" / name

    def run(self, text, user="root", check=True):
        return self.lab.tool("exec", self.name, "--user", user, "sh", "-c", text, check=check)

    @property
    def pid(self):
        """The host's id of the node's init; None while the node is off."""
        with contextlib.suppress(OSError, IndexError):
            pid, start = (self.home / "pid").read_text().split()
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19] == start:
                return int(pid)
        return None

    def path(self, path):
        """A path of the node as this side sees it, with what is mounted there; its disk where the node is off."""
        root = f"/proc/{self.pid}/root" if self.pid else self.home / "disk"
        return pathlib.Path(f"{root}{path}")

    def processes(self):
        """The node's processes: the host's id and the words of each."""
        found = []
        with contextlib.suppress(OSError):
            space = os.readlink(f"/proc/{self.pid}/ns/pid")
            for entry in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{entry}/ns/pid") == space:
                        words = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="replace").split("\0")
                        found.append((int(entry), words[:-1]))
        return found

    def freeze(self, path):
        """Lets nobody change a folder, root neither."""
        subprocess.run(["chattr", "+i", f"{self.home}/disk{path}"], check=True, capture_output=True)

    def thaw(self):
        for profile in PROFILES.values():
            for folder in (profile.folder, profile.state):
                subprocess.run(["chattr", "-i", f"{self.home}/disk{folder}"], capture_output=True)


class Profile:
    """One profile that every node has, and the folder in which its activation leaves what is active."""

    def __init__(self, name, user, folder, home):
        self.name, self.user, self.folder, self.home = name, user, folder, home
        self.link = f"{folder}/{name}"
        self.state = f"{folder}/.deploy-swift/{name}"

    def current(self, node):
        """What the link says and where it leads; None without a link."""
        try:
            target = os.readlink(node.path(self.link))
        except FileNotFoundError:
            return None
        return target, self.generations(node).get(target, target)

    def generations(self, node):
        """The store path of each generation's link, by its name."""
        folder = node.path(self.folder)
        if not folder.exists():
            return {}
        names = [name for name in os.listdir(folder) if name.startswith(f"{self.name}-") and name.endswith("-link")]
        return {name: os.readlink(folder / name) for name in names}

    def active(self, node):
        """The two files that every activation writes, one after the other: alike unless one was cut short."""
        def text(name):
            file = node.path(f"{self.home}/{name}")
            return file.read_text().strip() if file.exists() else None
        return text(f"{self.name}.first"), text(f"{self.name}.last")

    def journal(self, node):
        """The newest record; None if there is none."""
        try:
            return json.loads(node.path(f"{self.state}/journal.json").read_text())
        except FileNotFoundError:
            return None

    def records(self, node):
        """How each activation ended that the node remembers, oldest first; of several words about one, the last."""
        file = node.path(f"{self.state}/history.jsonl")
        lines = file.read_text().splitlines() if file.exists() else []
        newest = self.journal(node)
        found = {}
        for record in [json.loads(line) for line in lines] + ([newest] if newest else []):
            found.pop(record["id"], None)
            found[record["id"]] = record
        return list(found.values())


PROFILES = {
    "system": Profile("system", "root", "/nix/var/nix/profiles", "/root"),
    "web": Profile("web", "app", "/home/app/.local/state/nix/profiles", "/home/app"),
}
