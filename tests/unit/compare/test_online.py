"""Runs of W&B's, through the real client, from a server that answers as W&B's does."""

from __future__ import annotations

import json
import math
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.compare.online import load_online
from harness.errors import ConfigurationError

_SERVER = runpy.run_path(str(Path(__file__).with_name("wandb_server.py")))
KEY, Store, StoredRun, serving, stored = (_SERVER[name] for name in ("KEY", "Store", "StoredRun", "serving", "stored"))
ACC = "val-core/sums/acc/mean@1"
PROGRAM = """
import json, sys
from harness.compare.groups import group_runs
from harness.compare.load import load_named
from harness.errors import ConfigurationError

said = []
for words in json.loads(sys.argv[1]):
    try:
        runs = load_named(words)
    except ConfigurationError as error:
        said.append(str(error))
        continue
    found = group_runs(runs)
    said.append({
        "groups": {group.label: [run.where for run in group.runs] for group in found.groups},
        "findings": [finding.text for finding in found.findings],
        "runs": [
            {"name": run.name, "seed": run.seed, "state": run.state, "steps": run.steps.tolist(), "times": run.times.tolist(),
             "seconds": run.seconds, "gpu_hours": run.gpu_hours, "samples": run.sample_steps, "tokens": run.tokens.tolist(),
             "lr": run.config["actor_rollout_ref"]["actor"]["optim"]["lr"], "started": run.status.started,
             "whole": run.is_whole, "undefined": run.undefined, "metrics": {name: [str(value) for value in values] for name, values in run.metrics.items()}}
            for run in runs if run.folder is None
        ],
    })
print(json.dumps(said))
"""


def ask(address: str, *commands: list[str]) -> list[Any]:
    """Load each command's words in a process of its own, for the client keeps its settings; one for all."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    own = {"WANDB_BASE_URL": address, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
    command = [sys.executable, "-c", PROGRAM, json.dumps(commands)]
    done = subprocess.run(command, env=kept | own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def rows() -> list[dict[str, Any]]:
    return [
        {"_step": 0, "_timestamp": 1e9, "_runtime": 10.0, ACC: 0.25},
        {"_step": 1, "_timestamp": 1e9 + 9, "_runtime": 12.5, "critic/score/mean": 0.5, "loss": stored(math.nan),
         "perf/total_num_tokens": 100, "table": {"_type": "table-file"}, "text": "words"},
        {"_step": 4, "_timestamp": 1e9 + 99, "_runtime": 20.0, "critic/score/mean": 0.75, "loss": stored(-math.inf), ACC: 1,
         "perf/total_num_tokens": 50},
    ]  # fmt: skip


def test_a_project_a_group_and_a_folder_together(make_run: Callable[..., Any], config_of: Callable[..., Any]) -> None:
    local = make_run("algorithm=grpo", seed=9)
    runs = [
        StoredRun("one", config_of(("algorithm=grpo",), 1), rows(), group="g", commit="c" * 40),
        StoredRun("two", config_of(("algorithm=dapo",), 2), rows(), state="crashed", group="g"),
        StoredRun("new", config_of(("algorithm=dapo",), 3), [], state="running"),
    ]
    store = Store(runs)
    with serving(store) as address:
        project, group, mixed, missing, empty = ask(
            address, ["wandb:team/project"], ["wandb:team/project/g"], ["wandb:team/project", str(local)],
            ["wandb:team/other"], ["wandb:team/project/none"],
        )  # fmt: skip
    assert "Runs" in store.asked
    one, two, new = project["runs"]
    assert [(run["name"], run["seed"], run["state"]) for run in project["runs"]] == [
        ("run one", 1, "done"), ("run two", 2, "failed"), ("run new", 3, "running"),
    ]  # fmt: skip
    assert (one["steps"], one["times"], one["seconds"], one["tokens"]) == (
        [0, 1, 4],
        [10.0, 12.5, 20.0],
        77.5,
        [0, 100, 150],
    )
    assert one["metrics"] == {
        ACC: ["0.25", "nan", "1.0"], "critic/score/mean": ["nan", "0.5", "0.75"], "loss": ["nan", "nan", "-inf"],
        "perf/total_num_tokens": ["nan", "100.0", "50.0"],
    }  # fmt: skip
    assert one["undefined"] == {"loss": [1]}
    assert (one["gpu_hours"], one["samples"], one["lr"]) == (pytest.approx(8 * 77.5 / 3600), [], 1e-6)
    assert one["started"] == "2026-01-01T00:00:00+00:00"
    assert (new["steps"], new["metrics"], two["lr"]) == ([], {}, 1e-6)
    assert list(project["groups"].values()) == [
        ["wandb:team/project/one"], ["wandb:team/project/two", "wandb:team/project/new"],
    ]  # fmt: skip
    assert [run["name"] for run in group["runs"]] == ["run one", "run two"]
    assert mixed["groups"]["algorithm=grpo"] == ["wandb:team/project/one", str(local)]
    assert "does not say which versions" in " ".join(project["findings"])
    assert "W&B does not give its runs" in missing
    assert "holds no run" in empty


def test_the_harness_says_what_made_its_runs(config_of: Callable[..., Any]) -> None:
    runs = []
    made = (("grpo", "1", 1), ("grpo", "1", 2), ("dapo", "2", 1), ("dapo", "2", 2))
    for number, (algorithm, torch, seed) in enumerate(made, 1):
        command = f"harness train -m algorithm={algorithm} seed={seed} 'name=a b' --wait"
        own = {"command": command, "versions": {"torch": torch}, "run": f"/outputs/{number}", "fingerprint": algorithm}
        runs.append(StoredRun(f"r{number}", {**config_of((f"algorithm={algorithm}",), seed), "harness": own}, rows()))
    with serving(Store(runs)) as address:
        (found,) = ask(address, ["wandb:team/project"])
    assert {label: len(members) for label, members in found["groups"].items()} == {
        "algorithm=grpo": 2,
        "algorithm=dapo": 2,
    }
    assert found["findings"] == ["torch differs between the groups: 1 (2 runs), 2 (2 runs)"]


def test_made_data_lies_elsewhere_on_another_machine(config_of: Callable[..., Any]) -> None:
    def made(cache: str, seed: int) -> dict[str, Any]:
        config, folder = config_of(("algorithm=grpo",), seed), f"{cache}/data/sums-0123456789ab"
        prepare = {"data": {"_target_": "harness.data.make_sums", "path": folder, "size": 8}}
        return {**config, "prepare": prepare, "data": {**config["data"], "val_files": f"{folder}/test.parquet"}}

    runs = [StoredRun(f"r{seed}", made(f"/{cache}", seed), rows()) for seed, cache in enumerate(("mine", "yours"))]
    with serving(Store(runs)) as address:
        (found,) = ask(address, ["wandb:team/project"])
    (members,) = found["groups"].values()
    assert len(members) == 2
    assert not [text for text in found["findings"] if "data" in text]


def test_w_and_b_s_states_say_which_runs_trained_to_their_end(config_of: Callable[..., Any]) -> None:
    config = config_of(("algorithm=grpo",), 1)
    planned = [{**config, "trainer": {**config["trainer"], "total_training_steps": steps}} for steps in (None, 4, 5)]
    cases = [
        ("finished", 0, True),
        ("crashed", 0, False),
        ("crashed", 1, True),
        ("killed", 2, False),
        ("running", 2, False),
    ]
    runs = [StoredRun(f"r{n}", planned[which], rows(), state=state) for n, (state, which, _) in enumerate(cases)]
    with serving(Store(runs)) as address:
        (found,) = ask(address, ["wandb:team/project"])
    assert [run["whole"] for run in found["runs"]] == [whole for *_, whole in cases]


def test_a_server_that_does_not_know_the_key() -> None:
    class Stranger(Store):
        def answer(self, query: str, variables: dict[str, Any]) -> Any:
            return {"viewer": None}

    with serving(Stranger([])) as address:
        (said,) = ask(address, ["wandb:team/project"])
    assert "W&B does not give its runs" in said
    assert "wandb login" in said


@pytest.mark.parametrize("place", ["project", "team/", "/project", ""])
def test_what_names_no_project(place: str) -> None:
    with pytest.raises(ConfigurationError, match="names no project"):
        load_online(place)
