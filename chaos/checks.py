"""What has to hold once a run is over, whatever struck it."""

from deploys import CLAIMS, EXIT_CODES
from lab import PROFILES

# Left behind by nobody once there is a verdict.
LEFTOVERS = ("canary-", "confirmed-", "expired-", "revoked-", "revocation-", "spare-", "script")

# What may be told although the disk has kept it from being written down, and what whoever finishes it may then write.
UNWRITTEN = {
    "rolled back": {None, "rolledBack"}, "taken back": {None, "rolledBack"}, "failed": {None, "failed"},
    "stuck": {None, "rolledBack", "stuck"},
}
# On a machine that is too busy for the short limits of these deploys.
LATE = ("it was not confirmed within", "did not end in time")


class Before:
    """One profile as it was before a run."""

    def __init__(self, node, profile):
        self.current = profile.current(node)
        self.generations = profile.generations(node)
        self.ids = {record["id"] for record in profile.records(node)}


def new_records(node, profile, before):
    return [record for record in profile.records(node) if record["id"] not in before.ids]


def profile_problems(node, profile, before, names):
    """Link, generations, journal and what is active, held against each other; `names` is the version of each closure."""
    current, generations = profile.current(node), profile.generations(node)
    for name, path in before.generations.items():
        if generations.get(name) != path:
            yield f"generation {name} was {path} and is {generations.get(name)}"
    records = new_records(node, profile, before)
    expected = before.current and before.current[1]
    for record in records:
        previous = record.get("previous", {}).get("path")
        if previous != expected:
            yield f"activation {record['id']} began on {previous}, but the profile was on {expected}"
        if not record.get("report"):
            yield f"activation {record['id']} has no verdict, its state is {record['state']}"
            continue
        if record["report"]["verdict"] in ("committed", "left"):
            expected = record["closure"]
        elif record["report"]["verdict"] == "stuck":
            expected = record["report"].get("generation", {}).get("path")
    path = current and current[1]
    if path != expected:
        yield f"the link leads to {path}, by the journal it should be {expected}"
    first, last = profile.active(node)
    stuck = any((record.get("report") or {}).get("verdict") == "stuck" for record in records[-1:])
    version = names[path][1] if path else None
    if not stuck and (first, last) != (version, version):
        yield f"active are {first} and {last}, but the profile is on {version}"
    together = node.path(f"{profile.home}/{profile.name}.together")
    if together.exists():
        yield f"these began while another activation ran: {together.read_text().split()}"
    state = node.path(profile.state)
    if state.exists():
        for entry in state.iterdir():
            if entry.name.startswith(LEFTOVERS):
                yield f"{entry.name} was left behind"


def claim_problems(deploy, code, lab, befores, by_force):
    """What `deploy` said, held against what the nodes have written down.

    `by_force` is true for one that was killed, or told twice to stop: it owes no answer.
    """
    claims = deploy.claims(lab)
    if code is None:
        yield "deploy did not end"
        return
    if by_force:
        return
    for place, closure in deploy.closures.items():
        node, profile = lab.nodes[place[0]], PROFILES[place[1]]
        records = [record for record in new_records(node, profile, befores[place]) if record["closure"] == closure]
        claim = claims[place] if claims else "deployed" if code == 0 else "failed"
        verdicts = {record["report"]["verdict"] for record in records if record.get("report")} or {None}
        if claim == "taken back" and all(record["progress"].get("profileSet") == record.get("previous") for record in records):
            # It was on this before: there is nothing to take back.
            continue
        if records and claim in UNWRITTEN and verdicts <= UNWRITTEN[claim] and "could not be written down" in deploy.text:
            continue
        if claim not in CLAIMS or not verdicts <= CLAIMS[claim]:
            yield f"deploy says \"{claim}\" of {node.name}.{profile.name}, its journal says {verdicts}"
        before = befores[place]
        if claim == "unchanged" and (before.current or (None, None))[1] != closure:
            yield f"deploy says \"unchanged\" of {node.name}.{profile.name}, which was on {before.current}"
        if len(records) > 1:
            yield f"{len(records)} activations of {closure} on {node.name} in one deploy"
    worst = next((word for word in EXIT_CODES if claims and word in claims.values()), None)
    if worst and code not in EXIT_CODES[worst]:
        yield f"the worst is \"{worst}\", but deploy exited with {code}"
    if code == 0 and claims and not set(claims.values()) <= {"deployed", "unchanged"}:
        yield f"deploy exited with 0 although it says {claims}"
