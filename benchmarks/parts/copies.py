"""Large paths: how long the copy alone takes."""

import json
import os
import subprocess
import time

from .bench import DEPLOY, LAB
from .report import summary

SIZE = 300_000_000
ENDS = ["nix copy over ssh-ng", "nix copy over ssh", "cat | ssh"]


def build(bench, flake):
    """The store path of the flake's closure, built; the same for all nodes."""
    words = ["nix", "eval", "--json", f"{flake}#deploy.nodes", "--apply",
             'nodes: map (node: "${node.profiles.system.path}") (builtins.attrValues nodes)']
    paths = json.loads(bench.lab("run", "--", *words, stdout=subprocess.PIPE).stdout)
    apply = "nodes: map (node: node.profiles.system.path.drvPath) (builtins.attrValues nodes)"
    drvs = json.loads(bench.lab("run", "--", "nix", "eval", "--json", f"{flake}#deploy.nodes", "--apply", apply,
                                stdout=subprocess.PIPE).stdout)
    bench.run(["nix-store", "--realise", *sorted(set(drvs))])
    return paths[0]


def busy():
    """Seconds that all processors have worked since the machine started."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, open("/proc/stat").readline().split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def copied(bench, flake, nodes):
    """Seconds and processor seconds from the first node's copy to the first activation."""
    lines, work = [], {}
    process = subprocess.Popen(
        [LAB, "run", "--", *map(str, DEPLOY), flake], stdout=bench.log, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    for line in process.stderr:
        lines.append(line)
        for mark, text in [("start", ": info: copying "), ("end", ": activating (")]:
            if text in line and mark not in work:
                work[mark] = (time.monotonic(), busy())
    if process.wait() != 0:
        bench.fail(DEPLOY, process.returncode, "".join(lines))
    (start, before), (end, after) = work["start"], work["end"]
    return end - start, after - before


def forget(bench, nodes, path):
    """Makes room: neither side keeps the path."""
    base = bench.lab("run", "--", "nix-store", "-q", "--references", path, stdout=subprocess.PIPE).stdout.split()
    large = [path] + [one for one in base if "-system-" in one]
    clear = "rm -f /nix/copied; nix-env -p /nix/var/nix/profiles/system --delete-generations old >/dev/null 2>&1"
    for node in nodes:
        bench.lab("exec", node, "sh", "-c", f"{clear}; nix-store --delete {' '.join(large)} >/dev/null 2>&1 || true")
    bench.lab("run", "--", "sh", "-c", f"nix-store --delete {' '.join(large)} >/dev/null 2>&1 || true")


def one(bench, name, node):
    """Seconds of one contestant, with a path of its own."""
    flake = bench.flake([node], size=SIZE, profiles=["system"])
    path = build(bench, flake)
    content = next(line for line in bench.lab(
        "run", "--", "sh", "-c", f"for p in $(nix-store -qR {path}); do ls $p/content 2>/dev/null; done; true",
        stdout=subprocess.PIPE).stdout.split())
    shell = {
        "cat | ssh": f"cat {content} | ssh root@{node} 'cat > /nix/copied'",
        "nix copy over ssh-ng": f"nix copy --no-check-sigs --to ssh-ng://root@{node} {path}",
        "nix copy over ssh": f"nix copy --no-check-sigs --to ssh://root@{node} {path}",
    }
    bench.settle()
    if name == "deploy":
        seconds, work = copied(bench, flake, [node])
        bench.run([*DEPLOY, bench.flake([node], size=1000, profiles=["system"])])
    else:
        before = busy()
        seconds = bench.timed(["sh", "-c", shell[name]])
        work = busy() - before
    forget(bench, [node], path)
    return seconds, work


def to_one_node(bench, rounds):
    [node] = bench.nodes(1)
    bench.run([*DEPLOY, bench.flake([node], size=1000, profiles=["system"])])
    times = {name: [] for name in ["deploy", *ENDS]}
    work = {name: [] for name in times}
    for _ in range(rounds):
        for name in times:
            seconds, busy_seconds = one(bench, name, node)
            times[name].append(seconds)
            work[name].append(busy_seconds)
    bench.lab("down")
    seconds = {name: summary(values) for name, values in times.items()}
    own = seconds["deploy"]["median"]
    return {
        "seconds": seconds, "processor seconds": {name: summary(values) for name, values in work.items()},
        "ratios": {name: round(seconds[name]["median"] / own, 2) for name in ENDS},
    }


def to_four_nodes(bench, rounds):
    nodes = bench.nodes(4)
    bench.run([*DEPLOY, bench.flake(nodes, size=1000, profiles=["system"])])
    times, limits = [], []
    for _ in range(rounds):
        _, own = one(bench, "deploy", nodes[0])
        limits.append(4 * own / os.cpu_count())
        flake = bench.flake(nodes, size=SIZE, profiles=["system"], shared=True)
        path = build(bench, flake)
        bench.settle()
        times.append(copied(bench, flake, nodes)[0])
        bench.run([*DEPLOY, bench.flake(nodes, size=1000, profiles=["system"])])
        forget(bench, nodes, path)
    bench.lab("down")
    seconds = {"deploy": summary(times), "limit: 4 times a copy's processor seconds": summary(limits)}
    return {"seconds": seconds, "ratios": {
        "of the limit": round(seconds["deploy"]["median"] / summary(limits)["median"], 2)}}
