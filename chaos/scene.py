"""One run: a deploy, the faults that strike it, and what is left once everything has settled."""

import threading
import time
import traceback

import checks
from deploys import Deploy
from faults import FAULTS, FULL, MOMENTS, POWER_LOSS, READ_ONLY, ROLES
from lab import PROFILES

# How long a deploy may take, and how long the nodes may then need to come to rest; generous, for a loaded machine.
PATIENCE = 150


def phase_of(record, before):
    """Where the newest activation of a profile stands."""
    if not record or record["id"] in before.ids:
        return "start"
    progress = record["progress"]
    if record.get("report"):
        return "ended"
    if record["state"] == "activating":
        return "script" if progress["scriptStarted"] else "setting"
    return {"staged": "staged", "awaitingConfirmation": "awaiting", "rollingBack": "rolling back"}[record["state"]]


class Run:
    """A plan carried out on a lab's nodes."""

    def __init__(self, lab, closures, plan, folder):
        self.lab, self.closures, self.plan, self.folder = lab, closures, plan, folder
        self.names = {path: name for name, path in closures.items()}
        self.second = None
        # Per strike: the phase that it struck in; None if it found nothing to strike.
        self.struck = {}
        self.told = []
        self.problems = []

    def carry_out(self):
        """What went wrong, as sentences; nothing for a good run."""
        self.prepare()
        self.befores = {
            (number, name): checks.Before(self.lab.nodes[number], profile)
            for number in self.plan.nodes for name, profile in PROFILES.items()
        }
        self.deploy = Deploy(
            self.lab, self.closures, self.plan.versions, self.folder / "deploy", self.plan.confirm_timeout,
            self.plan.magic_rollback, self.plan.transport, self.plan.force)
        threads = [threading.Thread(target=self.strike, args=(blow,)) for blow in self.plan.strikes]
        for thread in threads:
            thread.start()
        codes = [(self.deploy, self.deploy.wait(PATIENCE))]
        for thread in threads:
            thread.join()
        if self.second:
            codes.append((self.second, self.second.wait(PATIENCE)))
        # What was said is held against what is there before anyone mends it, and once more after.
        self.rest()
        self.look_at(codes)
        if not any(self.struck.values()) and codes[0][1] != (4 if self.plan.is_bad or self.was_late else 0):
            self.problems.append(f"nothing struck it, but deploy ended with {codes[0][1]}: {self.deploy.text[-2000:]}")
        self.settle()
        self.clear_up()
        self.look_at_profiles()
        self.unwind()
        return self.problems

    # MARK: before

    def place(self, place):
        return self.lab.nodes[place[0]], PROFILES[place[1]]

    def prepare(self):
        for blow in self.plan.strikes:
            if blow.fault == FULL:
                node, profile = self.place((blow.node, blow.profile))
                node.run(f"mkdir -p {profile.folder}", profile.user)
                node.lab.tool("full", node.name, profile.folder, "2M", "--free", "1M")
        for place in self.plan.versions:
            if self.plan.before == "nothing":
                node, profile = self.place(place)
                folder, name = profile.folder, profile.name
                node.run(f"rm -rf {profile.link} {folder}/{name}-*-link {profile.state} {profile.home}/{name}.first {profile.home}/{name}.last")
            elif self.plan.before == "an older generation":
                self.go_back(*self.place(place))

    def go_back(self, node, profile):
        """As a person would: to the oldest generation that works."""
        for name, path in sorted(profile.generations(node).items()):
            version = self.names[path][1]
            if not version.startswith("bad"):
                number = name.removeprefix(f"{profile.name}-").removesuffix("-link")
                node.run(f"nix-env -p {profile.link} --switch-generation {number} && {profile.link}/deploy-rs-activate", profile.user)
                return

    # MARK: the faults

    def phase(self, blow):
        node, profile = self.place((blow.node, blow.profile))
        try:
            return phase_of(profile.journal(node), self.befores[blow.node, blow.profile])
        except OSError:
            # The node is off, or about to be.
            return "start"

    def strike(self, blow):
        fault, node = FAULTS[blow.fault], self.lab.nodes[blow.node]
        try:
            self.struck[blow] = None
            if not self.moment_comes(blow):
                return
            deadline = time.monotonic() + 3
            phase = self.phase(blow)
            while not fault.strike(self, blow, node):
                if self.deploy.is_over or time.monotonic() > deadline:
                    return
                time.sleep(0.002)
                phase = self.phase(blow)
            self.struck[blow] = phase
            time.sleep(blow.length)
            fault.heal(self, blow, node)
        except Exception:
            self.problems.append(f"{blow.fault} could not be staged: {traceback.format_exc()}")

    def moment_comes(self, blow):
        """Waits for the moment of a strike; false if the deploy ends before."""
        wanted = MOMENTS.index(blow.moment)
        while MOMENTS.index(self.phase(blow)) < wanted:
            if self.deploy.is_over:
                return False
            time.sleep(0.004)
        time.sleep(blow.delay)
        return True

    def start_second(self):
        self.second = Deploy(self.lab, self.closures, self.plan.others, self.folder / "second")

    # MARK: after

    def rest(self):
        """Waits until no agent works on any node any more."""
        deadline = time.monotonic() + PATIENCE
        working = [ROLES[name] for name in ("any agent", "script", "nix-env")]
        for number in self.plan.nodes:
            node = self.lab.nodes[number]
            while any(role(words) for _, words in node.processes() for role in working):
                if time.monotonic() > deadline:
                    left = [words for _, words in node.processes() if any(role(words) for role in working)]
                    self.problems.append(f"{node.name} does not come to rest: {left}")
                    return
                time.sleep(0.02)

    def look_at(self, codes):
        forced = {blow.fault for blow in self.struck if self.struck[blow]} & {"deploy killed", "Ctrl-C twice"}
        for deploy, code in codes:
            self.told.append((deploy.claims(self.lab), code))
            by_force = deploy is self.deploy and bool(forced)
            self.problems += checks.claim_problems(deploy, code, self.lab, self.befores, by_force)

    @property
    def was_late(self):
        return any(words in self.deploy.text for words in checks.LATE)

    def unfinished(self):
        places = []
        for place in self.befores:
            node, profile = self.place(place)
            record = profile.journal(node)
            if record and not record.get("report"):
                places.append(place)
        return places

    def settle(self):
        """Finishes what was interrupted, as a user would."""
        places = self.unfinished()
        if not places:
            return
        if self.plan.settled_by == "the agent":
            for place in places:
                self.recover(*self.place(place))
        else:
            self.redeploy({place: "v1" for place in places})

    def clear_up(self):
        """What a node does at its boot, for what a power loss left no time for, and what nobody could remove from a read-only disk."""
        struck = {blow.node for blow in self.struck if self.struck[blow] and blow.fault in (READ_ONLY, POWER_LOSS)}
        for number in struck:
            for profile in PROFILES.values():
                self.recover(self.lab.nodes[number], profile)

    def recover(self, node, profile):
        node.run(f"$(ls -d /nix/store/*/bin/activate | tail -n 1) recover --profile-path {profile.link}", profile.user, check=False)

    def redeploy(self, versions):
        """A deploy that nothing disturbs has to succeed, whatever was there before."""
        deploy = Deploy(self.lab, self.closures, versions, self.folder / "again")
        code = deploy.wait(PATIENCE)
        if code != 0:
            self.problems.append(f"the next deploy ended with {code}: {deploy.text[-2000:]}")

    def look_at_profiles(self):
        for place, before in self.befores.items():
            node, profile = self.place(place)
            for problem in checks.profile_problems(node, profile, before, self.names):
                self.problems.append(f"{node.name}.{profile.name}: {problem}")

    def unwind(self):
        """Makes the nodes fit for the next run: what is stuck is deployed anew, the small file system goes."""
        stuck = [place for place in self.befores if self.is_stuck(place)]
        if stuck:
            self.folder = self.folder / "unstick"
            self.redeploy({place: "v1" for place in stuck})
        for blow in self.plan.strikes:
            if blow.fault == FULL:
                node, profile = self.place((blow.node, blow.profile))
                folder = profile.folder
                node.run(f"cp -a {folder}/. /run/keep && rm -f /run/keep/.lab-full")
                node.lab.tool("full", node.name, folder, "off")
                node.run(f"find {folder} -mindepth 1 -delete && cp -a /run/keep/. {folder} && rm -r /run/keep")

    def is_stuck(self, place):
        node, profile = self.place(place)
        record = profile.journal(node)
        return bool(record and record.get("report", {}).get("verdict") == "stuck")
