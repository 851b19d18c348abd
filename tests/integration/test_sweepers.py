"""Sweeps whose points a sweeper of Hydra's chooses: runs of one sweep, judged by a metric of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cheap_trainings import CHEAP, RATE, project
from runs import SHORT, Finished

from harness.launch.sweep.folder import Plan, SweepFolder
from harness.records.status import read_status

OPTUNA = "hydra/sweeper=optuna"


def opened(finished: Finished) -> tuple[SweepFolder, Plan]:
    """The sweep that the last line names."""
    last = finished.out.strip().splitlines()[-1] if finished.out.strip() else ""
    assert last.startswith("sweep: "), finished.out + finished.err
    sweep = SweepFolder.open(finished.folder / last.removeprefix("sweep: "))
    return sweep, sweep.plan()


def results(sweep: SweepFolder) -> Any:
    return yaml.safe_load((sweep.path / "optimization_results.yaml").read_text())


@pytest.fixture
def search(harness: Callable[..., Finished], tmp_path: Path) -> Callable[..., Finished]:
    """A search over trainings that take no time."""
    project(tmp_path)
    return lambda *words: harness("train", "-m", *CHEAP, OPTUNA, *words, folder=tmp_path)


def test_optuna_learns_from_real_trainings(harness: Callable[..., Finished]) -> None:
    words = [OPTUNA, "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=2", f"{RATE}=interval(1e-6,1e-4)"]
    finished = harness("train", "-m", *SHORT, *words, "cluster=local")
    assert finished.code == 0, finished.out + finished.err
    sweep, plan = opened(finished)
    assert [read_status(sweep.run(run)).state for run in plan.runs] == ["done", "done"]
    told = harness("sweep", "status", str(sweep.path), "--json", folder=finished.folder)
    best = {each["label"]: each["best"] for each in json.loads(told.out)["runs"]}
    found = results(sweep)
    assert found["best_value"] == max(best.values())
    assert best[f"lr={found['best_params'][RATE]}"] == found["best_value"]
    assert f"best: {found['best_value']:.4g} with {RATE}={found['best_params'][RATE]}\n" in finished.out


def test_batches_grow_one_sweep_and_the_same_command_draws_the_same(search: Callable[..., Finished]) -> None:
    words = ["hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", f"{RATE}=interval(2e-6,8e-5)", "cluster.at_once=4"]
    first = search(*words)
    assert first.code == 0, first.out + first.err
    sweep, plan = opened(first)
    assert [run.index for run in plan.runs] == [0, 1, 2, 3]
    rates = {run.run_id: float(run.label.removeprefix("lr=")) for run in plan.runs}
    assert results(sweep)["best_params"][RATE] == min(rates.values(), key=lambda rate: abs(rate - 4e-5))
    again, plan_again = opened(search(*words))
    assert results(again) == results(sweep)
    assert not plan_again.runs  # every point has been trained, and what it came to is told again
    assert len(plan_again.finished) == 4


def test_what_fails_is_one_trial_where_the_sweeper_allows_it(search: Callable[..., Finished]) -> None:
    # twelve draws have all four values; the grid's own sampler breaks where the last one that it visits fails
    draws = [
        "hydra/sweeper/sampler=random",
        "hydra.sweeper.n_trials=12",
        "hydra.sweeper.n_jobs=12",
        "cluster.at_once=4",
        f"{RATE}=choice(1e-6,3e-5,9.5e-5,5e-5)",
    ]
    lenient = search(*draws, "hydra.sweeper.max_failure_rate=0.9")
    assert lenient.code == 1  # a run has failed, and the search came to its end
    assert "validation is never a number but nan" in lenient.err
    assert "lr=9.5e-05 failed: 9.5e-05 is too much" in lenient.err
    assert results(opened(lenient)[0])["best_params"] in ({RATE: 3e-5}, {RATE: 5e-5})
    strict = search(*draws)  # asks for the failed one alone again
    assert strict.code == 1
    assert [run.label for run in opened(strict)[1].runs] == ["lr=9.5e-05"]
    assert "\nerror: " in strict.err
    assert "Traceback" not in strict.err


def test_a_study_goes_on_where_its_storage_is_named(search: Callable[..., Finished]) -> None:
    study = ["hydra.sweeper.storage=sqlite:///study.db", "hydra.sweeper.study_name=rates", "hydra.sweeper.n_trials=1"]
    for _ in range(2):
        finished = search(*study, f"{RATE}=interval(3e-5,5e-5)")
        assert finished.code == 0, finished.err
    assert "Using an existing study with name 'rates'" in finished.err


def test_several_objectives_in_this_very_process(search: Callable[..., Finished]) -> None:
    aims = ["hydra.sweeper.direction=[maximize,minimize]", "sweep.metric=[validation,response_length/mean]"]
    finished = search(*aims, "hydra.sweeper.n_trials=2", f"{RATE}=interval(1e-5,4e-5)", "cluster=debug")
    assert finished.code == 0, finished.err
    sweep, plan = opened(finished)
    assert all(len(each["values"]) == 2 for each in results(sweep)["solutions"])
    drivers = {json.loads((sweep.run(run).path / "driver.json").read_text())["pid"] for run in plan.runs}
    assert len(plan.runs) == 2
    assert len(drivers) == 1
