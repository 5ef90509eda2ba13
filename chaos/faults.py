"""The faults: each strikes once, lasts, and is put right again before the node is looked at."""

import contextlib
import dataclasses
import os
import signal
import time
import typing

from lab import PROFILES


# The phases of an activation as its journal tells them; "start" is before it has one.
MOMENTS = ["start", "staged", "setting", "script", "awaiting", "rolling back", "ended"]


def is_agent(words, *subcommands):
    """True for our own agent; an option may stand in front of its subcommand."""
    return bool(words) and words[0].endswith("/activate") and any(word in subcommands for word in words[1:3])


# How each kind of process is known by its words.
ROLES = {
    # Whoever carries an activation; not who watches over it.
    "guardian": lambda words: is_agent(words, "guardian") and words[2:3] == ["carry"],
    "any agent": lambda words: bool(words) and words[0].endswith("/activate"),
    "agent": lambda words: is_agent(words, "activate", "confirm", "revoke", "recover"),
    "script": lambda words: any("/deploy-rs-activate" in word for word in words[:2]) and not is_agent(words, "guardian"),
    "nix-env": lambda words: bool(words) and words[0].rsplit("/", 1)[-1] == "nix-env",
    "SSH sessions": lambda words: bool(words) and words[0].startswith(("sshd: ", "sshd-session: ")) and "[listener]" not in words[0],
    "nix-daemon": lambda words: bool(words) and words[0].rsplit("/", 1)[-1] == "nix-daemon",
}


@dataclasses.dataclass
class Fault:
    """`strike` returns whether there was anything to strike."""

    strike: typing.Callable
    heal: typing.Callable = lambda run, blow, node: None
    # Lasts longer than the node waits for its confirmation.
    is_long: bool = False
    # Not beside another one on the same node.
    is_alone: bool = False
    # When there may be something to strike.
    moments: tuple = tuple(MOMENTS)


def processes(node, role):
    return [pid for pid, words in node.processes() if ROLES[role](words)]


def send(number, pids):
    struck = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            struck += 1
    return struck > 0


def killing(role, **facts):
    def strike(run, blow, node):
        return send(signal.SIGKILL, processes(node, role))
    return Fault(strike, **facts)


def stopping(role, **facts):
    def strike(run, blow, node):
        blow.stopped = processes(node, role)
        return send(signal.SIGSTOP, blow.stopped)
    return Fault(strike, lambda run, blow, node: send(signal.SIGCONT, blow.stopped), **facts)


def signaling(*numbers):
    """To the deployer itself."""
    def strike(run, blow, node):
        sent = [number for number in numbers if run.deploy.signal(number) and not time.sleep(0.05)]
        return bool(sent)
    return Fault(strike)


def tool(command, undo, is_long, is_alone=False):
    """One of the lab's own."""
    def strike(run, blow, node):
        node.lab.tool(command, node.name)
        return True
    return Fault(strike, lambda run, blow, node: node.lab.tool(undo, node.name), is_long, is_alone)


def start_daemon(run, blow, node):
    node.run("lab-service nix-daemon restart")


def fill(run, blow, node):
    """The small file system was put there before the run: what is written to it stays while it is full."""
    file = node.path(PROFILES[blow.profile].folder) / ".filler"
    with contextlib.suppress(OSError), open(file, "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    return True


def empty(run, blow, node):
    (node.path(PROFILES[blow.profile].folder) / ".filler").unlink(missing_ok=True)


def freeze(run, blow, node):
    profile = PROFILES[blow.profile]
    for folder in (profile.folder, profile.state):
        if node.path(folder).exists():
            node.freeze(folder)
    return True


def second_deploy(run, blow, node):
    run.start_second()
    return True


FULL, READ_ONLY, POWER_LOSS = "full state disk", "read-only state", "power loss"
GUARDED = ("staged", "setting", "script", "awaiting", "rolling back")
FAULTS = {
    "guardian killed": killing("guardian", moments=GUARDED),
    "agent killed": killing("agent", moments=GUARDED),
    "all agents killed": killing("any agent", moments=GUARDED),
    "script killed": killing("script", moments=("script", "rolling back")),
    "nix-env killed": killing("nix-env", moments=("setting", "rolling back")),
    "SSH sessions killed": killing("SSH sessions"),
    "nix-daemon killed": killing("nix-daemon", heal=start_daemon),
    "guardian stopped, short": stopping("guardian", moments=GUARDED),
    "guardian stopped, long": stopping("guardian", is_long=True, moments=GUARDED),
    "script stopped": stopping("script", is_long=True, moments=("script", "rolling back")),
    "link cut, short": tool("cut", "heal", False),
    "link cut, long": tool("cut", "heal", True),
    "sshd down, short": tool("sshd-stop", "sshd-start", False),
    "sshd down, long": tool("sshd-stop", "sshd-start", True),
    POWER_LOSS: tool("kill", "boot", False, is_alone=True),
    FULL: Fault(fill, empty, True, is_alone=True),
    READ_ONLY: Fault(freeze, lambda run, blow, node: node.thaw(), True, is_alone=True),
    "deploy killed": signaling(signal.SIGKILL),
    "deploy stopped": Fault(
        lambda run, blow, node: run.deploy.signal(signal.SIGSTOP), lambda run, blow, node: run.deploy.signal(signal.SIGCONT), True),
    "Ctrl-C": signaling(signal.SIGINT),
    "Ctrl-C twice": signaling(signal.SIGINT, signal.SIGINT),
    "second deployer": Fault(second_deploy),
}
