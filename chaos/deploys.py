"""What is deployed, `deploy` at work, and what it claims at the end."""

import json
import os
import pathlib
import re
import subprocess

from lab import PROFILES
from plan import BAD, GOOD

PREFIX = pathlib.Path(os.environ.get("DEPLOY_PREFIX", "/usr/local"))

# An activation is whole once both files name it, and notes when it was not alone. Going back to nothing takes both away.
CLOSURES = """
let
  system = "x86_64-linux";
  inherit ((builtins.getFlake "path:{prefix}/share/deploy-swift").lib.${{system}}) activate;
  closure = home: profile: version: activate.custom (derivation {{
    inherit system;
    name = "${{profile}}-${{version}}";
    builder = "/bin/sh";
    args = [ "-c" ''
      /bin/mkdir $out
      printf '#!/bin/sh\\nrm -f ${{home}}/${{profile}}.first ${{home}}/${{profile}}.last\\n' >$out/deactivate
      /bin/chmod +x $out/deactivate
    '' ];
  }}) ''
    exec 9>>${{home}}/${{profile}}.alone
    flock --nonblock 9 || echo ${{version}} >>${{home}}/${{profile}}.together
    echo ${{version}} >${{home}}/${{profile}}.first
    echo activating ${{version}}
    sleep 0.$((RANDOM % 5 + 1)) 9>&-
    ${{if version == "bad1" || version == "bad2" then "echo ${{version}} is bad >&2; exit 1" else ""}}
    echo ${{version}} >${{home}}/${{profile}}.last
  '';
in builtins.concatMap ({{ home, name }}: map (closure home name) {versions}) {profiles}
"""

# What the table at the end may say of a profile, and the verdicts that its journal may then have: None for no record.
CLAIMS = {
    "deployed": {"committed"}, "rolled back": {"rolledBack"}, "taken back": {"rolledBack"}, "left": {"left"},
    "stuck": {"stuck"}, "failed": {"failed", None}, "not started": {None}, "locked": {None},
    "deployed, not taken back": {"committed"}, "unchanged": {None}, "not ready": {None},
    "unknown": {"committed", "rolledBack", "failed", "left", "stuck", None},
}
# In this order, as its manual says.
EXIT_CODES = {
    "stuck": {5}, "deployed, not taken back": {5}, "unknown": {7}, "left": {3}, "rolled back": {4}, "taken back": {4},
    "locked": {8}, "failed": {1, 6, 130}, "not ready": {1, 6, 130}, "not started": {1, 130}, "deployed": {0},
    "unchanged": {0},
}


def nix(value):
    """A value as Nix text."""
    return f"(builtins.fromJSON {json.dumps(json.dumps(value)).replace('${', chr(92) + '${')})"


def build(lab):
    """The closures in the deployer's store, by profile and version."""
    profiles = [{"name": profile.name, "home": profile.home} for profile in PROFILES.values()]
    text = CLOSURES.format(prefix=PREFIX, versions=nix(GOOD + BAD), profiles=nix(profiles))
    file = lab.folder / "closures.nix"
    file.write_text(text)
    output = lab.tool("run", "--", "nix-build", "--no-out-link", file)
    paths = [line for line in output.splitlines() if line.startswith("/nix/store/")]
    found = {tuple(path.rsplit("-", 2)[1:]): path for path in paths}
    if len(found) != len(PROFILES) * len(GOOD + BAD):
        raise RuntimeError(f"the closures cannot be built: {output}")
    return found


class Deploy:
    """One call of `deploy`."""

    def __init__(self, lab, closures, versions, folder, confirm_timeout=2, magic_rollback=True, transport="libssh2", force=False):
        self.closures = {place: closures[place[1], version] for place, version in versions.items()}
        folder.mkdir(parents=True)
        nodes = {}
        for (node, name), path in self.closures.items():
            profile = PROFILES[name]
            # One of the nodes has the unprivileged account log in itself, on the others root becomes it.
            login = profile.user if node == 2 else "root"
            attributes = nodes.setdefault(lab.nodes[node].name, {"hostname": lab.nodes[node].name, "profiles": {}})
            attributes["profiles"][name] = {
                "path": path, "user": profile.user, "sshUser": login, "profilePath": profile.link,
                "healthCheck": f"! grep -q bad3 {profile.home}/{profile.name}.last"}
        settings = {
            "confirmTimeout": confirm_timeout, "activationTimeout": 5, "healthTimeout": 3, "magicRollback": magic_rollback}
        (folder / "deploy.nix").write_text(f"{{ deploy = {nix({**settings, 'nodes': nodes})}; }}\n")
        self.log = folder / "log"
        with open(self.log, "w") as log:
            words = [PREFIX / "bin" / "deploy", "--skip-checks", "--debug-logs", "--ssh-transport", transport]
            words += ["--file", folder / "deploy.nix"] + (["--force"] if force else [])
            self.process = lab.start(words, log)

    @property
    def is_over(self):
        return self.process.poll() is not None

    def signal(self, number):
        """False if it has ended before."""
        if self.is_over:
            return False
        self.process.send_signal(number)
        return True

    def wait(self, seconds):
        """Its exit code; None if it does not end."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    @property
    def text(self):
        return self.log.read_text(errors="replace")

    def claims(self, lab):
        """The verdict of each profile in its table; None where it has shown none."""
        names = {node.name: number for number, node in enumerate(lab.nodes)}
        found = {}
        for line in self.text.splitlines():
            cells = re.split(r"\s{2,}", line.strip())
            # Whether a rollback could be verified is said behind it.
            words = [re.sub(", (not )?verified$", "", cell) for cell in cells[2:]]
            claim = next((word for word in words if word in CLAIMS), None)
            if claim and cells[0] in names and cells[1] in PROFILES:
                found[names[cells[0]], cells[1]] = claim
        if not found:
            # Of a single profile there is no table.
            for name, profile in re.findall(r'^(\S+): info: profile "(\w+)": unchanged, active', self.text, re.MULTILINE):
                found[names[name], profile] = "unchanged"
        return found or None
