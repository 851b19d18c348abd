"""Reports in W&B, through the real client and library, to a server that keeps what arrives."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.records.run_folder import RunFolder
from harness.tracking.state import TrackingState, write_tracking

_SERVER = runpy.run_path(str(Path(__file__).with_name("wandb_server.py")))
KEY, Refused, Store, StoredRun, serving = (
    _SERVER[name] for name in ("KEY", "Refused", "Store", "StoredRun", "serving")
)
ACC = "val-core/sums/acc/mean@1"
LR = "actor_rollout_ref.actor.optim.lr"
ODD = "it's lr=1e-6 == \\x AND y"  # an id that is no name in the library's language of filters
PROGRAM = """
import contextlib, io, json, sys
from harness.cli import main

said = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["compare", *words, "--wandb-report"])
    said.append([code, out.getvalue(), err.getvalue()])
said.append(sorted({"torch", "ray", "verl"} & set(sys.modules)))
print(json.dumps(said))
"""


def run(address: str, *commands: list[str], **environment: str) -> list[Any]:
    """Each command's exit code, output and errors, all in a process of their own, for the client keeps its settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    own = {"WANDB_BASE_URL": address, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false", **environment}
    command = [sys.executable, "-c", PROGRAM, json.dumps(commands)]
    done = subprocess.run(command, env=kept | own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *said, loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded == []
    return said


def blocks(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [block for block in json.loads(report["spec"])["blocks"] if block["type"] == kind]


def test_what_arrives(
    sweep: list[RunFolder], track: Callable[..., str], make_run: Callable[..., RunFolder], config_of: Callable[..., Any]
) -> None:
    class Picky(Store):
        def answer(self, query: str, variables: dict[str, Any]) -> Any:
            if "score" in variables.get("displayName", ""):
                raise Refused("permission denied")
            return super().answer(query, variables)

    track(sweep[1], ODD, uploaded=False)
    write_tracking(sweep[7], TrackingState("kept", why="the mode is offline"))
    (sweep[5].path / "tracking.json").unlink()
    large = [make_run(f"{LR}={number + 1}e-6", run_id=f"r{number}", name="large") for number in range(10)]
    elsewhere = track(make_run(name="elsewhere"), "six", "other")
    for folder in large:
        track(folder, folder.run_id)
    root = str(sweep[0].path.parent)
    rows = [{"_step": step, "_timestamp": 1e9 + step, ACC: 0.5 + step / 10} for step in (0, 1)]
    online = [
        StoredRun(f"on {n}", config_of((f"algorithm={name}",), n), rows) for n, name in enumerate(("grpo", "dapo"))
    ]
    with serving(store := Picky(online)) as address:
        local, mixed, wide, *failed = run(
            address, [root], ["wandb:team/project", "--format", "json"], [str(large[0].path.parent)],
            [root, "--metric", "critic/score/mean"], [elsewhere],
        )  # fmt: skip
    assert [local[0], mixed[0], wide[0], *(each[0] for each in failed)] == [0, 0, 0, 2, 2]
    _is_told(local[1], address, sweep)
    assert json.loads(mixed[1])["metric"] == ACC, "what a program reads is JSON alone"
    assert "W&B report: http" in mixed[2]
    for (_, out, err), said in zip(
        failed,
        ("it could not be saved in team/project: input: permission denied", "'team/other' not found"),
        strict=True,
    ):
        assert "best run" in out, "the comparison is printed all the same"
        assert said in err
        assert "Traceback" not in err
    first, second, third = store.reports
    _is_the_sweeps(first)
    assert [run_set["filters"]["filters"][0]["value"] for run_set in _run_sets(second)] == [["on 0"], ["on 1"]]
    _is_large(third)


def _is_told(out: str, address: str, sweep: list[RunFolder]) -> None:
    table, _, told = out.partition("W&B report: ")
    assert ACC in table, "the comparison comes first"
    assert told.startswith(f"{address}/team/project/reports/sums-accuracy-by-algorithm,-lr--VmlldzoK1==\n")
    assert f"{sweep[5].shown()}: not in W&B, as it was trained without tracking=wandb; no panel has it.\n" in told
    assert (
        f"{sweep[7].shown()}: not in W&B yet; no panel has it. Upload with: harness sync {sweep[7].shown()}\n" in told
    )
    assert f"{sweep[1].shown()}: in W&B without its end. Upload with: harness sync {sweep[1].shown()}\n" in told


def _run_sets(report: dict[str, Any]) -> list[dict[str, Any]]:
    return blocks(report, "panel-grid")[0]["metadata"]["runSets"]


def _is_the_sweeps(report: dict[str, Any]) -> None:
    assert (report["entityName"], report["projectName"], report["type"]) == ("team", "project", "runs")
    assert report["displayName"] == "sums accuracy by algorithm, lr"
    texts = [block["content"] for block in blocks(report, "markdown-block")]
    assert "| algorithm=grpo lr=1e-06 | 2 |" in texts[0]
    assert "too few seeds" in texts[0]
    assert f"| group | algorithm | {LR} |" in texts[1]
    sets = {each["name"]: each for each in _run_sets(report)}
    assert set(sets) == {f"algorithm={name} lr={rate}" for name in ("grpo", "dapo") for rate in ("1e-06", "1e-05")}
    ids = {name: each["filters"]["filters"] for name, each in sets.items()}
    assert ids["algorithm=grpo lr=1e-06"] == [
        {"key": {"section": "run", "name": "name"}, "op": "IN", "value": ["grpo1e-61", ODD], "disabled": False}
    ]
    assert ids["algorithm=dapo lr=1e-05"][0]["value"] == ["dapo1e-51"], "the run that is not there is not asked for"
    keys = [
        ("config", "actor_rollout_ref.value.actor.optim.lr"),
        ("config", "actor_rollout_ref.value.actor.clip_ratio_high"),
    ]
    for each in sets.values():
        assert [(key["section"], key["name"]) for key in each["grouping"]] == keys
        assert each["project"] == {"name": "project", "entityName": "team", "id": "UHJvamVjdEludA=="}
    assert [block["children"][0]["text"] for block in blocks(report, "heading")] == [
        "What is compared", "Reward", "Keys that differ",
    ]  # fmt: skip
    panels = [grid["metadata"]["panelBankSectionConfig"]["panels"] for grid in blocks(report, "panel-grid")]
    assert [panel["config"]["metrics"] for panel in (*panels[0], *panels[1])] == [[ACC], ["critic/score/mean"]]
    assert panels[0][0]["config"]["groupAgg"] == "mean"
    assert panels[-1][0]["viewType"] == "Run Comparer"


def _is_large(report: dict[str, Any]) -> None:
    """Ten rates: eight run sets and one of the others, and parallel coordinates over all runs."""
    grids = [grid["metadata"] for grid in blocks(report, "panel-grid")]
    names = [each["name"] for each in grids[0]["runSets"]]
    assert len(names) == 9
    assert "the other groups" in names
    (plot,) = grids[-2]["panelBankSectionConfig"]["panels"]
    assert plot["viewType"] == "Parallel Coordinates Plot"
    assert [column["accessor"] for column in plot["config"]["columns"]] == [
        "config:actor_rollout_ref.value.actor.optim.lr", f"summary:{ACC}",
    ]  # fmt: skip
    (everything,) = grids[-2]["runSets"]
    assert (len(everything["filters"]["filters"][0]["value"]), everything["grouping"]) == (10, [])


@pytest.mark.parametrize("what", ["stranger", "nobody"])
def test_a_server_that_does_not_answer_or_know_the_key(what: str, sweep: list[RunFolder]) -> None:
    class Stranger(Store):
        def answer(self, query: str, variables: dict[str, Any]) -> Any:
            return {"viewer": None}

    with serving(Stranger([])) as known:
        address = known if what == "stranger" else "http://127.0.0.1:9"
        ((code, out, err),) = run(address, [str(sweep[0]), str(sweep[2])], WANDB_HTTP_TIMEOUT="2")
    assert code == 2
    assert ACC in out
    assert (
        err.count("error: No report in W&B: it could not be saved in team/project: Failed to verify credentials") == 1
    )
    assert "wandb login" in err
    assert "Traceback" not in err


def test_without_package_key_or_run(
    sweep: list[RunFolder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    words = ["compare", str(sweep[0]), str(sweep[2]), "--wandb-report"]
    said = []
    for prepare in (
        lambda: None,
        lambda: [write_tracking(folder, TrackingState("kept")) for folder in sweep],
        lambda: monkeypatch.setitem(sys.modules, "wandb_workspaces", None),
    ):
        prepare()
        assert main(words) == 2
        printed = capsys.readouterr()
        assert ACC in printed.out
        said.append(printed.err)
    assert "has no key" in said[0]
    assert "none of the runs is there" in said[1]
    assert f"harness sync {os.path.commonpath([sweep[0].shown(), sweep[2].shown()])}" in said[1]
    assert "pip install 'rl-harness[wandb-report]'" in said[2]
