"""What a search is told of a run, and in which direction it looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.multirun import compose_multirun
from harness.errors import ConfigurationError, HarnessError
from harness.launch.sweepers.objective import Objective, objective_of
from harness.records.metrics import MetricsWriter
from harness.records.run_folder import RunFolder

MEAN, TASK = "validation", "val-core/task/acc/mean@1"


def run_with(folder: Path, *steps: dict[str, float]) -> RunFolder:
    folder.mkdir(exist_ok=True)
    run = RunFolder(folder)
    writer = MetricsWriter(run.metrics)
    for step, metrics in enumerate(steps):
        writer.write(step, metrics)
    return run


def test_the_best_step_counts(tmp_path: Path) -> None:
    nan = float("nan")
    run = run_with(tmp_path, {TASK: 0.2}, {"a": 9.0}, {TASK: 0.7, "a": 5.0}, {TASK: nan, "a": nan}, {TASK: 0.4})
    assert Objective((MEAN,), (True,)).of(run) == 0.7
    assert Objective((TASK, "a"), (False, False)).of(run) == [0.2, 5.0]


def test_several_data_sources_count_by_their_mean(tmp_path: Path) -> None:
    run = run_with(tmp_path, {TASK: 0.9, "val-core/b/acc/mean@1": 0.1}, {TASK: 0.6, "val-core/b/acc/mean@1": 0.6})
    assert Objective((MEAN,), (True,)).of(run) == 0.6
    assert Objective((TASK,), (True,)).of(run) == 0.9


def test_a_run_without_a_number(tmp_path: Path) -> None:
    run = run_with(tmp_path, {"a": float("nan"), TASK: 1.0}, {"a": float("inf")})
    with pytest.raises(HarnessError, match="a is never a number but inf, nan"):
        Objective(("a",), (True,)).of(run)
    with pytest.raises(HarnessError, match=f"has recorded no val-core/task/acc/mean@4.*\n.*Did you mean {TASK}"):
        Objective(("val-core/task/acc/mean@4",), (True,)).of(run)
    with pytest.raises(HarnessError, match=r"has recorded no validation.*\n.*trainer\.test_freq=N"):
        Objective((MEAN,), (True,)).of(run_with(tmp_path / "other", {"a": 1.0}))


@pytest.mark.parametrize(
    ("words", "direction", "highest"),
    [
        ([], "maximize", (True,)),
        (["sweep.best=min"], "minimize", (False,)),
        (["hydra.sweeper.direction=minimize"], "minimize", (False,)),
        (["hydra.sweeper.direction=minimize", "sweep.best=max"], "minimize", (True,)),
        (["sweep.metric=[a,b]"], ["maximize", "maximize"], (True, True)),
        (
            ["sweep.metric=[a,b]", "hydra.sweeper.direction=[maximize,minimize]"],
            ["maximize", "minimize"],
            (True, False),
        ),
    ],
)
def test_a_score_is_to_be_high_unless_it_is_said(words: list[str], direction: str, highest: tuple[bool]) -> None:
    given = ["hydra/sweeper=optuna", *words]
    config, _ = compose_multirun(given)
    assert objective_of(config, given).highest == highest
    found = config.hydra.sweeper.direction
    assert (str(getattr(found, "name", found)) if isinstance(direction, str) else list(found)) == direction


def test_as_many_directions_as_metrics() -> None:
    given = ["hydra/sweeper=optuna", "hydra.sweeper.direction=[maximize,minimize]"]
    with pytest.raises(ConfigurationError, match=r"direction has 2, sweep\.metric has 1"):
        objective_of(compose_multirun(given)[0], given)
