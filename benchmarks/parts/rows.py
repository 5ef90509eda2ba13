"""What is measured: one row of the results each."""

from . import copies, moments
from .bench import DEPLOY, contestants
from .report import summary


class Row:
    def __init__(self, what, reach, rounds, measure):
        self.what, self.reach, self.rounds, self.measure = what, reach, rounds, measure


def compared(times):
    """Each contestant's times, and how many times faster than each other one `deploy` was."""
    result = {"seconds": {name: summary(seconds) for name, seconds in times.items()}}
    own = result["seconds"]["deploy"]["median"]
    result["ratios"] = {
        name: round(other["median"] / own, 2) for name, other in result["seconds"].items() if name != "deploy"}
    return result


def fresh(count, hosts=lambda names: names):
    def measure(bench, rounds):
        nodes = bench.nodes(count)
        times = {name: [] for name in contestants()}
        for number in range(rounds + 1):
            for name, words in contestants().items():
                seconds = bench.timed([*words, bench.flake(hosts(nodes))])
                if number > 0:
                    times[name].append(seconds)
        bench.lab("down")
        return compared(times)
    return measure


def unchanged(count):
    def measure(bench, rounds):
        flake = bench.flake(bench.nodes(count))
        times = {name: [] for name in contestants()}
        for number in range(rounds + 1):
            for name, words in contestants().items():
                # Each finds what the one before has activated; it has to be `deploy` that left it committed.
                if name == "deploy":
                    bench.run([*DEPLOY, flake])
                seconds = bench.timed([*words, flake])
                if number > 0:
                    times[name].append(seconds)
        bench.lab("down")
        return compared(times)
    return measure


def slow(bench, rounds):
    """Over a relay; by its other name the node is the same."""
    bench.nodes(1)
    bench.lab("slow", "bench1", 100)
    return fresh(1, lambda names: [f"{name}-slow" for name in names])(bench, rounds)


def growth_with_nodes(bench, rounds):
    seconds = {}
    for count in [1, 2, 4, 8, 16, 32]:
        nodes = bench.nodes(count)
        bench.timed([*DEPLOY, bench.flake(nodes)])
        seconds[f"{count} nodes"] = summary([bench.timed([*DEPLOY, bench.flake(nodes)]) for _ in range(rounds)])
    bench.lab("down")
    return {"seconds": seconds}


def growth_with_size(bench, rounds):
    nodes = bench.nodes(1)
    bench.timed([*DEPLOY, bench.flake(nodes)])
    seconds = {}
    for name, size in [("1 KB", 10**3), ("1 MB", 10**6), ("10 MB", 10**7), ("100 MB", 10**8), ("300 MB", 3 * 10**8)]:
        times = []
        for _ in range(rounds):
            flake = bench.flake(nodes, size=size, profiles=["system"])
            copies.build(bench, flake)
            times.append(bench.timed([*DEPLOY, flake]))
        seconds[name] = summary(times)
    bench.lab("down")
    return {"seconds": seconds}


ROWS = {
    "fresh-1": Row("1 node, 2 profiles, fresh closures", "5 times by hand", 7, fresh(1)),
    "fresh-8": Row("8 nodes, 2 profiles, fresh closures", "12 times by hand", 3, fresh(8)),
    "fresh-32": Row("32 nodes, 2 profiles, fresh closures", "14 times by hand", 2, fresh(32)),
    "unchanged-8": Row("8 nodes, 2 profiles, nothing changed", "25 times by hand", 3, unchanged(8)),
    "slow-1": Row("1 node, 2 profiles, 100 ms round trips", "2.2 times by hand", 5, slow),
    "large-1": Row(
        "one path of 300 MB to 1 node", "no slower than nix copy; 0.7 of cat | ssh", 3, copies.to_one_node),
    "large-4": Row("the same path to 4 nodes", "at most 1.3 times the processors' limit", 3, copies.to_four_nodes),
    "memory-32": Row("memory of deploy, 32 nodes; 1 node with 300 MB", "at most 80 MB", 1, moments.memory),
    "deadline": Row("delay from the deadline to the rollback's start", "at most 50 ms", 5, moments.deadline),
    "verdict": Row(
        "from the activation's end to the verdict", "at most 1.5 times a login and a command", 7, moments.verdict),
    "nodes": Row("growth with the number of nodes, 2 profiles each", "none worse than linear", 3, growth_with_nodes),
    "sizes": Row("growth with the closure's size, 1 node, 1 profile", "none worse than linear", 3, growth_with_size),
}
