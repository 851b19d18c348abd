"""What W&B is told a run is: the same for each start of it, another for one that has begun again."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.compose import compose_config
from harness.launch.changes import set_aside
from harness.launch.record import open_run
from harness.launch.sweep.prepare import make_sweep
from harness.tracking.identity import identity_of

WORDS = ["experiment=quickstart_tiny", "algorithm=dapo", "seed=3", "tracking=wandb", "tracking.tags=[mine]"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_run() -> None:
    run, _ = open_run(compose_config(WORDS), WORDS)
    found = identity_of(run)
    assert found.id == f"quickstart_tiny-{run.run_id}"
    assert found.group == "quickstart_tiny algorithm=dapo"  # seeds are its repetitions
    assert {"algorithm:dapo", "seed:3", "mine"} <= set(found.tags)
    assert found.config["harness"]["run"] == str(run.path.absolute())
    run.metrics.write_text("")
    set_aside(run)
    assert identity_of(run).id == f"{found.id}-2"


def test_runs_of_two_sweeps_are_not_one() -> None:
    words = ["experiment=quickstart_tiny", "seed=1,2"]
    first, second = make_sweep(words), make_sweep(words)
    runs = [sweep.run(run) for sweep in (first, second) for run in sweep.plan().runs]
    assert len({identity_of(run).id for run in runs}) == 4
    assert len({identity_of(run).group for run in runs}) == 2
