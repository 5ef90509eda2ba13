"""The results as lines, as a table and as JSON."""

import datetime
import json
import os
import platform
import statistics
import subprocess

from .bench import DEPLOY_RS, HERE, PREFIX


def summary(values):
    return {
        "median": round(statistics.median(values), 3), "minimum": round(min(values), 3), "maximum": round(max(values), 3),
        "all": [round(value, 3) for value in values],
    }


def output(*words):
    result = subprocess.run(words, capture_output=True, text=True)
    return (result.stdout + result.stderr).strip()


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    facts = {
        "processor": model, "cores": os.cpu_count(), "linux": platform.release(), "nix": output("nix", "--version"),
        "ssh": output("ssh", "-V").split(",")[0], "libssh2": output("pkg-config", "--modversion", "libssh2"),
        "deploy": output(PREFIX / "bin" / "deploy", "--version"),
    }
    return facts | ({"deploy-rs": output(DEPLOY_RS, "--version")} if DEPLOY_RS else {})


def cells(row):
    """What was measured, with spread; and the ratios."""
    def figure(value):
        digits = 3 if value["maximum"] < 0.1 else 2
        most, least, median = (f"{value[key]:.{digits}f}" for key in ("maximum", "minimum", "median"))
        return f"{median} ({least} to {most})"

    figures = [
        f"{name} {figure(value)}{unit}"
        for key, unit in [("seconds", " s"), ("processor seconds", " s of processor time"), ("megabytes", " MB")]
        for name, value in row.get(key, {}).items()
    ]
    ratios = [f"{name}: {value:.2f}" for name, value in row.get("ratios", {}).items()]
    texts = [row["what"], "<br>".join(figures), "<br>".join(ratios), row["reach"], str(row["load before"])]
    return [text.replace("|", "\\|") for text in texts]


def line(row):
    return "| " + " | ".join(cells(row)) + " |"


def write(row):
    """Puts one row into the results; the others stay."""
    file = HERE / "results.json"
    rows = {}
    if file.exists():
        rows = {old["row"]: old for old in json.loads(file.read_text())["rows"]}
    rows[row["row"]] = {**row, "date": str(datetime.date.today()), "machine": machine()}
    from .rows import ROWS
    ordered = [rows[name] for name in ROWS if name in rows]
    file.write_text(json.dumps({"rows": ordered}, indent=1) + "\n")
    (HERE / "RESULTS.md").write_text(text(ordered))


def text(rows):
    lines = [
        "# Results", "",
        "`make bench`: the nodes are the lab's, on the machine named below: no network delay but where it is said, and builder, "
        "deployer and nodes share the cores. Each node gets the profiles `system` as root and `hello` as an unprivileged user, of "
        "1,000,000 bytes each. By hand (`benchmarks/by-hand`) are deploy-rs's steps with OpenSSH and the nix command. Figures are the "
        "median (minimum to maximum); ratios are the other's time to deploy's, unless they say something else. The load is "
        "the machine's before the row. What the lab takes to set the deployer's side up is in nobody's time. `deploy`'s time for a "
        "path of 300 MB is that of the copy, over the session that is open by then; the others' has their login in it, OpenSSH's "
        "0.2 s.", "",
        "| work | measured | ratio | reach | load |", "| --- | --- | --- | --- | --- |", *map(line, rows), "",
    ]
    places = {}
    for row in rows:
        facts = row["machine"]
        key = (f"{row['date']}; {facts['processor']}, {facts['cores']} cores, Linux {facts['linux']}; {facts['deploy']}, {facts['nix']}, "
               f"{facts['ssh']}, libssh2 {facts['libssh2']}" + (f", {facts['deploy-rs']}" if "deploy-rs" in facts else ""))
        places.setdefault(key, []).append(row["row"])
    lines += [f"{', '.join(names)}: {place}." for place, names in places.items()]
    return "\n".join(lines) + "\n"
