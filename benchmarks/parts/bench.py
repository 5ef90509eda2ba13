"""The lab, its flakes, and how a run of a program is timed."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
LAB = HERE.parent / "lab" / "lab"
PREFIX = pathlib.Path(os.environ.get("DEPLOY_PREFIX", "/usr/local"))
DEPLOY_RS = os.environ.get("DEPLOY_RS")

FLAKE = """
{{
  inputs.deploy-rs.url = "path:{prefix}/share/deploy-swift";
  outputs = {{ self, deploy-rs }}: let
    system = "x86_64-linux";
    base = name: derivation {{
      inherit system;
      name = "${{name}}-{version}";
      builder = "/bin/sh";
      args = [ "-c" "/bin/mkdir $out && /usr/bin/head -c {size} /dev/urandom > $out/content" ];
    }};
    profile = user: name: {{ inherit user; path = deploy-rs.lib.${{system}}.activate.custom (base name) "true"; }};
    node = hostname: {{
      inherit hostname;
      sshUser = "root";
      profilesOrder = [ {names} ];
      profiles = builtins.intersectAttrs {{ {wanted} }}
        {{ system = profile "root" "system-${{name hostname}}"; hello = profile "app" "hello-${{name hostname}}"; }};
    }};
    # The same closure for every node, or one for each.
    name = hostname: {name};
  in {{
    deploy.nodes = builtins.listToAttrs (map (name: {{ inherit name; value = node name; }}) [ {nodes} ]);
  }};
}}
"""


class Bench:
    def __init__(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="deploy-bench-"))
        os.environ["LAB_DIR"] = str(self.scratch / "lab")
        self.log = open(self.scratch / "log", "w")
        self.flakes = 0

    def close(self):
        subprocess.run([LAB, "down"], stdout=subprocess.DEVNULL)

    def lab(self, *words, **options):
        options.setdefault("stdout", subprocess.DEVNULL)
        return subprocess.run([LAB, *map(str, words)], check=True, text=True, **options)

    def nodes(self, count):
        names = [f"bench{number}" for number in range(1, count + 1)]
        self.lab("up", *names)
        return names

    def flake(self, nodes, size=1_000_000, profiles=("system", "hello"), shared=False):
        """A locked flake with closures of its own."""
        self.flakes += 1
        folder = self.scratch / f"flake-{self.flakes}"
        folder.mkdir()
        quoted = lambda names: " ".join(f'"{name}"' for name in names)
        text = FLAKE.format(
            prefix=PREFIX, version=self.flakes, size=size, nodes=quoted(nodes), names=quoted(profiles),
            wanted=" ".join(f"{name} = null;" for name in profiles), name='"all"' if shared else "hostname")
        (folder / "flake.nix").write_text(text)
        self.lab("run", "--", "nix", "flake", "lock", f"path:{folder}", stderr=subprocess.DEVNULL)
        return f"path:{folder}"

    def timed(self, words):
        """Seconds that the words take on the deployer's side; ends everything where they fail."""
        self.settle()
        return float(self.run([HERE / "parts" / "clock", *words], stdout=subprocess.PIPE).stdout)

    def settle(self):
        """Lets what ran before come to rest: what it left to be written, and guardians that end."""
        os.sync()
        time.sleep(0.5)

    def run(self, words, stdout=None):
        result = subprocess.run(
            [LAB, "run", "--", *map(str, words)], stdout=stdout or self.log, stderr=self.log, stdin=subprocess.DEVNULL, text=True)
        if result.returncode != 0:
            self.fail(words, result.returncode, (self.scratch / "log").read_text())
        return result

    def heard(self, words):
        """The lines that the words write to their standard error, each with the seconds since the start."""
        start = time.monotonic()
        process = subprocess.Popen(
            [LAB, "run", "--", *map(str, words)], stdout=self.log, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        lines = [(time.monotonic() - start, line.rstrip("\n")) for line in process.stderr]
        if process.wait() != 0:
            self.fail(words, process.returncode, "\n".join(line for _, line in lines))
        return lines

    def fail(self, words, code, text):
        sys.exit(f"{' '.join(map(str, words))} ended with {code}:\n{text[-3000:]}")


DEPLOY = [PREFIX / "bin" / "deploy", "--skip-checks"]


def contestants():
    """What deploys a flake, by name; the flake follows."""
    names = {"deploy": DEPLOY, "by hand": [HERE / "by-hand"]}
    if DEPLOY_RS:
        names["deploy-rs"] = [DEPLOY_RS, "--skip-checks"]
    return names
