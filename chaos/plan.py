"""What one run does, drawn from its seed alone, so that it can be done again."""

import dataclasses
import random

from faults import FAULTS, MOMENTS

GOOD = [f"v{number}" for number in range(1, 6)]
# The first two fail to activate, the third one's health check fails.
BAD = ["bad1", "bad2", "bad3"]
# How often a fault waits for each phase of the activation.
WEIGHTS = dict(zip(MOMENTS, [3, 2, 3, 5, 6, 4, 1]))


@dataclasses.dataclass(eq=False)
class Strike:
    """One fault: what, where, when, and for how many seconds."""

    fault: str
    node: int
    profile: str
    moment: str
    delay: float
    length: float

    def __str__(self):
        place = f"node {self.node}, {self.profile}"
        return f"{self.fault} for {self.length:.2f} s, {self.delay:.3f} s after \"{self.moment}\" of {place}"


@dataclasses.dataclass
class Plan:
    seed: int
    # By node and profile.
    versions: dict
    others: dict
    confirm_timeout: int
    magic_rollback: bool
    # For `--ssh-transport`.
    transport: str
    # What the profiles are made to be first.
    before: str
    strikes: list
    # Who finishes what was left: the agent, or the next deploy.
    settled_by: str
    # For `--force`: what is active and committed already is activated all the same.
    force: bool

    def __str__(self):
        versions = ", ".join(f"{node}.{profile}={version}" for (node, profile), version in self.versions.items())
        words = [f"seed {self.seed}: {versions}", f"before: {self.before}", f"magic rollback: {self.magic_rollback}", self.transport]
        words += ["--force"] if self.force else []
        return "; ".join(words + [f"confirm timeout: {self.confirm_timeout} s", *map(str, self.strikes)])

    @property
    def is_bad(self):
        return any(version in BAD for version in self.versions.values())

    @property
    def nodes(self):
        return sorted({node for node, _ in self.versions})


def draw(seed, node_count):
    """The plan of a seed for a lab of so many nodes."""
    dice = random.Random(seed)
    nodes = sorted(dice.sample(range(node_count), dice.choices([1, 2, 3], [5, 2, 1])[0]))
    profiles = dice.choice([["system"], ["web"], ["system", "web"]])
    versions = {(node, profile): dice.choice(GOOD) for node in nodes for profile in profiles}
    confirm_timeout = dice.choice([1, 2])
    strikes = [strike(dice, dice.choice(list(versions)), confirm_timeout)]
    if dice.random() < 0.25:
        second = strike(dice, dice.choice(list(versions)), confirm_timeout)
        if fits(strikes[0], second):
            strikes.append(second)
    for blow in strikes:
        # Without a failure nothing rolls back.
        if blow.moment == "rolling back" or dice.random() < 0.15:
            versions[blow.node, blow.profile] = dice.choice(BAD)
    return Plan(
        seed=seed, versions=versions, others={place: dice.choice([other for other in GOOD if other != version]) for place, version in versions.items()},
        confirm_timeout=confirm_timeout, magic_rollback=dice.random() < 0.9,
        transport=dice.choices(["libssh2", "openssh"], [3, 1])[0],
        before=dice.choices(["as it is", "nothing", "an older generation"], [88, 5, 7])[0],
        strikes=strikes, settled_by=dice.choice(["the agent", "the next deploy"]),
        force=dice.random() < 0.7,
    )


def strike(dice, place, confirm_timeout):
    name = dice.choice(list(FAULTS))
    moments = FAULTS[name].moments
    moment = dice.choices(moments, [WEIGHTS[moment] for moment in moments])[0]
    delay = dice.uniform(0, 1.5) if moment == "start" else dice.choice([0, 0, dice.uniform(0, 0.1), dice.uniform(0, 0.3)])
    short, long = dice.uniform(0.05, 0.8), confirm_timeout + dice.uniform(0.3, 1.5)
    return Strike(name, *place, moment, delay, long if FAULTS[name].is_long else short)


def fits(one, other):
    """False for two that would undo each other's ground on the same node."""
    same = one.node == other.node
    return not (same and (FAULTS[one.fault].is_alone or FAULTS[other.fault].is_alone)) and one.fault != other.fault
