"""A study of twelve runs on a real Slurm, whole, and again with seven of them meeting a fate.

    python benchmarks/slurm_study.py

Three algorithms by four seeds on two hosts in namespaces (root, and `python scripts/debian.py slurm`), with control
groups as on a cluster. In the second sweep a run raises, one calls os._exit, one takes too much memory, one is cancelled,
one reaches its time limit, one loses its node to a job of higher priority, and one's host crashes. What
`harness sweep status` said of each, in order, is kept; then the sweep is retried until all is done. Writes
benchmarks/results/slurm_study.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from machine import machine

from harness.records.atomic import write_text

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "slurm_study.json"
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from runs import SHORT, command, environment  # noqa: E402
from slurm_cluster import NODES, is_possible, slurm_cluster, start_node  # noqa: E402
from slurm_hosts import Hosts  # noqa: E402

MINUTES, GRACE = 5, 60
CLUSTER = (
    "cluster=slurm", "device=cpu", "rollout=builtin", "cluster.gpus_per_node=0", "cluster.cpus_per_node=8",
    f"cluster.time={MINUTES}", f"cluster.grace_seconds={GRACE}", "cluster.memory_gb=10", "cluster.requeues=1",
)  # fmt: skip
STUDY = [*SHORT, "trainer.total_training_steps=4", "trainer.test_freq=4", "trainer.save_freq=1", *CLUSTER]
AXES = ["algorithm=grpo,dr_grpo,rloo", "seed=1,2,3,4"]
FATES = {"grpo 1": "raise", "grpo 2": "exit", "grpo 3": "memory", "grpo 4": "cancel", "dr_grpo 1": "hang",
         "dr_grpo 2": "preempt", "dr_grpo 3": "crash"}  # fmt: skip
CODE = """
import os
import time
from pathlib import Path

from harness.advantages.grpo import grpo


def fated(token_level_rewards, response_mask, index, fate="none"):
    mark = Path(__file__).resolve().parent / "met" / fate
    if fate != "none" and (fate == "hang" or not mark.exists()) and not (mark.parent / "spared").exists():
        mark.touch()
        if fate == "raise":
            raise ValueError("made to fail")
        if fate == "exit":
            os._exit(3)
        if fate == "memory":
            hoard = [bytearray(os.urandom(1 << 20)) * 256 for _ in range(64)]
        time.sleep(10_000 if fate == "hang" else 40 if fate in ("cancel", "preempt", "crash") else 0)
    return grpo(token_level_rewards, response_mask, index)
"""


class Lab:
    """The project and the cluster.

    Args:
        project: The folder of the commands.
        hosts: The nodes.
        variables: What the environment of a command needs.
    """

    def __init__(self, project: Path, hosts: Hosts, variables: dict[str, str]) -> None:
        self.project, self.hosts = project, hosts
        self.env = environment() | variables
        self.began = time.monotonic()
        self.seen: dict[str, list[dict[str, Any]]] = {}

    def harness(self, *words: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            command(*words), cwd=self.project, env=self.env, capture_output=True, text=True, check=False
        )
        return done.stdout or done.stderr

    def rows(self, sweep: str) -> dict[str, dict[str, Any]]:
        """Run → its row; changes of state are noted with the second they were seen in."""
        report = json.loads(self.harness("sweep", "status", sweep, "--json"))
        found = {}
        for row in report["runs"]:
            words = dict(word.partition("=")[::2] for word in row["label"].split(" "))
            name = f"{words['algorithm']} {words['seed']}"
            found[name] = row
            seen = {"state": row["state"], "why": row["why"] if row["state"] != "running" else ""}
            history = self.seen.setdefault(name, [])
            if not history or {key: history[-1][key] for key in seen} != seen:
                history.append({"at_s": round(time.monotonic() - self.began), **seen})
        return found

    def until(self, sweep: str, met: Callable[[dict[str, dict[str, Any]]], bool]) -> dict[str, dict[str, Any]]:
        """Poll until it is met, and let fates happen meanwhile."""
        while True:
            rows = self.rows(sweep)
            if met(rows):
                return rows
            for name, row in rows.items():
                self._happen(sweep, name, row)
            time.sleep(2)

    def _happen(self, sweep: str, name: str, row: dict[str, Any]) -> None:
        """What is done to a run from outside, once it sleeps in its fate."""
        fate, met = FATES.get(name, ""), self.project / "met"
        if fate not in ("cancel", "preempt", "crash") or not (met / fate).exists() or (met / f"{fate}.done").exists():
            return
        (met / f"{fate}.done").touch()
        node = subprocess.run(["squeue", "-h", "-j", row["job"], "-o", "%N"], env=self.env, check=True,
                              capture_output=True, text=True).stdout.strip()  # fmt: skip
        if fate == "cancel":
            self.harness("sweep", "cancel", sweep, Path(row["run"]).name)
        elif fate == "preempt":
            taken = ["sbatch", "-p", "high", "-w", node, "--exclusive", "-o", "/dev/null", "--wrap", "sleep 5"]
            subprocess.run(taken, env=self.env, check=True, capture_output=True)
        else:
            number = int(node.removeprefix("n"))
            self.hosts.crash(number)
            time.sleep(20)
            start_node(number, os.environ | self.env, self.hosts)


def study(lab: Lab, words: list[str]) -> tuple[str, dict[str, dict[str, Any]]]:
    """Submit, and wait until every run has ended."""
    said = lab.harness("train", "-m", *words)
    sweep = said.strip().splitlines()[-1].removeprefix("sweep: ")
    rows = lab.until(sweep, lambda rows: all(row["state"] in ("done", "failed", "cancelled") for row in rows.values()))
    return sweep, rows


def with_fates(lab: Lab) -> dict[str, Any]:
    """The second study."""
    (lab.project / "fates.py").write_text(CODE)
    (lab.project / "met").mkdir()
    rules = "\n".join(
        f"  - {{when: {{algorithm: {name.split()[0]}, seed: {name.split()[1]}}}, "
        f"overrides: [advantage_fn.module=fates, advantage_fn.function=fated, +advantage_fn.fate={fate}]}}"
        for name, fate in FATES.items()
    )
    file = lab.project / "conf" / "sweep" / "fated.yaml"
    file.parent.mkdir(parents=True)
    custom = "\n".join(rules.replace("[advantage_fn.module", "[advantage_fn=custom, advantage_fn.module").splitlines())
    file.write_text(f"axes:\n  algorithm: [grpo, dr_grpo, rloo]\nseeds: 4\nconditions:\n{custom}\n")
    lab.seen, lab.began = {}, time.monotonic()
    trusted = ["trusted_modules=[fates]", "name=fated"]
    sweep, ended = study(lab, ["sweep=fated", *STUDY, *trusted])
    first = {name: row["state"] for name, row in ended.items()}
    histories, lab.seen = lab.seen, {}
    (lab.project / "met" / "spared").touch()
    lab.harness("sweep", "retry", sweep, "--all")
    last = lab.until(sweep, lambda rows: all(row["state"] in ("done", "failed") for row in rows.values()))
    begun = Counter(entry["index"] for line in (lab.project / sweep / "jobs.jsonl").read_text().splitlines()
                    if (entry := json.loads(line))["event"] == "started")  # fmt: skip
    undisturbed = [row for name, row in ended.items() if name not in FATES]
    return {
        "fates": {name: {"fate": FATES.get(name, "none"), "told": histories[name]} for name in histories},
        "first": dict(Counter(first.values())),
        "after_retry": dict(Counter(row["state"] for row in last.values())),
        "starts_of_undisturbed_runs": sorted(begun[row["index"]] for row in undisturbed),
        "seconds": round(time.monotonic() - lab.began),
    }


def main() -> None:
    """Run both studies."""
    if why := is_possible() or Hosts.are_impossible():
        sys.exit(why)
    with tempfile.TemporaryDirectory(prefix="hs-", dir="/tmp") as name:
        folder, project = Path(name) / "slurm", Path(name) / "project"
        folder.mkdir()
        project.mkdir()
        hosts = Hosts(folder, NODES)
        try:
            with slurm_cluster(folder, hosts, cgroups=True) as variables:
                lab = Lab(project, hosts, variables)
                _, whole = study(lab, [*STUDY, *AXES, "name=whole"])
                plain = {"states": dict(Counter(row["state"] for row in whole.values())),
                         "seconds": round(time.monotonic() - lab.began)}  # fmt: skip
                print(json.dumps(plain), flush=True)
                result: dict[str, Any] = {"undisturbed": plain, "with_fates": with_fates(lab)}
        finally:
            hosts.close()
    result |= {"machine": machine(), "date": str(date.today())}
    write_text(RESULTS, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["with_fates"], indent=1))


if __name__ == "__main__":
    main()
