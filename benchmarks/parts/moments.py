"""Single moments of a deploy: its memory, the node's deadline, the verdict."""

import pathlib
import statistics
import subprocess
import threading
import time

from .bench import DEPLOY, LAB, PREFIX
from .report import summary


def peak(bench, flake):
    """The most memory that `deploy` itself had resident, in MB."""
    program = (PREFIX / "bin" / "deploy").resolve()
    process = subprocess.Popen(
        [LAB, "run", "--", *map(str, DEPLOY), flake], stdout=bench.log, stderr=bench.log, stdin=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if flake.encode() not in (folder / "cmdline").read_bytes() or (folder / "exe").resolve() != program:
                    continue
                status = (folder / "status").read_text()
                most = max(most, int(status.split("VmHWM:")[1].split()[0]))
            except (OSError, IndexError):
                # It ended meanwhile.
                continue
        time.sleep(0.02)
    if process.returncode != 0:
        bench.fail(DEPLOY, process.returncode, (bench.scratch / "log").read_text())
    return most / 1024


def memory(bench, rounds):
    nodes = bench.nodes(32)
    small = [peak(bench, bench.flake(nodes)) for _ in range(rounds + 1)]
    large = [peak(bench, bench.flake(nodes[:1], size=300_000_000, profiles=["system"])) for _ in range(rounds)]
    bench.lab("down")
    return {"megabytes": {"32 nodes": summary(small), "1 node, 300 MB": summary(large)}}


WATCH = r"""
import json, sys, time
journal = "/nix/var/nix/profiles/.deploy-swift/system/journal.json"
now = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME)
deadline = None
while True:
    try:
        record = json.load(open(journal))
    except (OSError, ValueError):
        record = {}
    if record.get("state") == "awaitingConfirmation":
        deadline = record["deadline"]
    if deadline and record.get("state") in ("rollingBack", "rolledBack"):
        print((now() - deadline) / 1e9)
        break
    time.sleep(0.001)
"""


def deadline(bench, rounds):
    """Seconds by the node's own clock, until its journal says that it rolls back."""
    [node] = bench.nodes(1)
    bench.run([*DEPLOY, bench.flake([node], profiles=["system"])])
    delays = []
    for _ in range(rounds):
        flake = bench.flake([node], profiles=["system"])
        watch = subprocess.Popen([LAB, "exec", node, "python3", "-c", WATCH], stdout=subprocess.PIPE, text=True)
        deploy = subprocess.Popen(
            [LAB, "run", "--", *map(str, DEPLOY), "--confirm-timeout", "2", flake], stdout=bench.log, stderr=subprocess.PIPE, text=True)
        for line in deploy.stderr:
            if "activating (" in line:
                bench.lab("cut", node)
                break
        threading.Thread(target=deploy.stderr.read, daemon=True).start()
        delays.append(float(watch.communicate(timeout=60)[0]))
        bench.lab("heal", node)
        deploy.wait()
    bench.lab("down")
    return {"seconds": {"delay": summary(delays)}}


def verdict(bench, rounds):
    """Both from the lines of one deploy: its first login with a command, and what comes after the activation."""
    [node] = bench.nodes(1)
    bench.run([*DEPLOY, bench.flake([node], profiles=["system"])])
    logins, verdicts = [], []
    for _ in range(rounds):
        lines = bench.heard([*DEPLOY, "-d", bench.flake([node], profiles=["system"])])
        at = lambda text: next(seconds for seconds, line in lines if text in line)
        logins.append(at("debug: preflight of") - at("over libssh2"))
        verdicts.append(at("deployed and confirmed") - at("activated; confirming"))
    bench.lab("down")
    ratio = statistics.median(verdicts) / statistics.median(logins)
    return {
        "seconds": {"activation's end to verdict": summary(verdicts), "login and command": summary(logins)},
        "ratios": {"of a login and a command": round(ratio, 2)},
    }
