"""Searches up to their trainings: which sweeper is chosen, what it draws, what is refused before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus

from harness.cli import main
from harness.errors import HarnessError
from harness.launch.sweep.points import expand
from harness.launch.sweep.prepare import new_sweep, open_sweep
from harness.launch.sweepers.search import draw, find_search
from harness.launch.sweepers.trainings import Trainings

TINY, RATE = "experiment=quickstart_tiny", "actor_rollout_ref.actor.optim.lr"
OPTUNA = [TINY, "hydra/sweeper=optuna"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass
class Noted(Trainings):
    """Trains nothing: a rate's score is the rate."""

    batches: list[list[list[str]]] = field(default_factory=list)

    def run_batch(self, job_overrides: Sequence[Sequence[str]]) -> list[JobReturn]:
        self.batches.append([list(words) for words in job_overrides])
        returns = [JobReturn(status=JobStatus.COMPLETED) for _ in job_overrides]
        for each, words in zip(returns, job_overrides, strict=True):
            each.return_value = next((float(word.partition("=")[2]) for word in words if word.startswith(RATE)), 0.0)
        return returns


def drawn(words: Sequence[str]) -> list[list[list[str]]]:
    """The batches that a sweeper hands over."""
    search = find_search(words)
    assert search is not None
    sweep = new_sweep(search.config)
    noted = Noted(sweep, open_sweep(sweep, search.config, words), search.words, search.objective, False)
    draw(search, noted)
    return noted.batches


def test_the_usual_sweep_is_no_search() -> None:
    assert find_search([TINY, "algorithm=grpo,dapo", "seed=1,2"]) is None
    assert find_search([TINY, "reward_fn=[math_answer],[format_tags]", "nonsense=1"]) is None


def test_hydras_basic_sweeper_has_the_same_points() -> None:
    words = [TINY, "algorithm=grpo,dapo", "seed=range(1,4)", f"{RATE}=1e-6,3e-6", "+ray_kwargs.x='a,b'"]
    batches = drawn([*words, "hydra.sweeper.max_batch_size=5"])
    assert [len(batch) for batch in batches] == [5, 5, 2]
    assert [point for batch in batches for point in batch] == [list(point.words) for point in expand(words)]


def test_optuna_draws_in_batches_and_the_last_word_of_a_key_counts() -> None:
    words = [
        *OPTUNA,
        "hydra.sweeper.n_trials=5",
        "hydra.sweeper.n_jobs=2",
        "seed=7",
        "seed=1,2",
        f"{RATE}=interval(1e-6,1e-4)",
    ]
    batches = drawn(words)
    assert [len(batch) for batch in batches] == [2, 2, 1]
    points = [point for batch in batches for point in batch]
    assert all(TINY in point for point in points)
    assert {word for point in points for word in point if word.startswith("seed=")} <= {"seed=1", "seed=2"}
    assert drawn(words) == batches  # its own seed is the experiment's
    results = list(Path("outputs/quickstart_tiny").glob("*/optimization_results.yaml"))
    highest = max(float(word.partition("=")[2]) for point in points for word in point if word.startswith(RATE))
    assert len(results) == 2
    assert all(f"best_value: {highest}" in file.read_text() for file in results)


def test_a_file_may_describe_the_search(here: Path) -> None:
    file = here / "conf/experiment/mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"""# @package _global_
defaults:
  - quickstart_tiny
  - override /hydra/sweeper: optuna
hydra:
  sweeper:
    n_trials: 2
    direction: minimize
    params:
      {RATE}: interval(1e-6, 1e-5)
""")
    search = find_search(["experiment=mine"])
    assert search is not None
    assert (search.name, search.objective.highest) == ("optuna", (False,))
    (batch,) = drawn(["experiment=mine"])
    assert all(any(word.startswith(RATE) for word in point) for point in batch)


def test_a_file_may_not_name_what_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["hydra.sweeper.sampler._target_=os.system"], ["hydra.sweeper.custom_search_space=os.system"]):
        assert main(["train", "-m", *OPTUNA, *words, "seed=1,2"]) == 2
        assert "os.system is outside the trusted modules" in capsys.readouterr().err
    file = here / "conf/experiment/mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("""# @package _global_
defaults: [quickstart_tiny, override /hydra/sweeper: optuna]
trusted_modules: [os]
hydra: {sweeper: {sampler: {_target_: os.system}}}
""")
    assert main(["train", "-m", "experiment=mine", "seed=1,2"]) == 2
    assert "os.system is outside the trusted modules" in capsys.readouterr().err


def test_what_a_sweeper_cannot_draw_from(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "-m", TINY, f"{RATE}=interval(1e-6,1e-4)"]) == 2
    assert "add hydra/sweeper=optuna, which draws from it" in capsys.readouterr().err
    assert main(["train", "-m", TINY, "hydra/sweeper=basic", f"{RATE}=interval(1e-6,1e-4)"]) == 2
    told = capsys.readouterr().err
    assert "hydra/sweeper=basic: BasicSweeper does not support sweep type : INTERVAL_SWEEP" in told
    assert "hydra/sweeper=optuna draws from it" in told
    assert not list(here.glob("outputs/*/*"))


def test_a_first_batch_that_cannot_run_leaves_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "-m", *OPTUNA, "hydra.sweeper.n_jobs=2", "data.train_batch_size=0,-1"]) == 2
    told = capsys.readouterr().err
    assert "in a batch of 2 runs; nothing was started:" in told
    assert "a number of 1 or more is needed" in told
    assert not list(here.glob("outputs/*/*"))


def test_a_sweeper_that_breaks_is_told_without_a_traceback() -> None:
    with pytest.raises(HarnessError, match=r"hydra/sweeper=optuna stopped: \w+: "):
        drawn([*OPTUNA, "hydra.sweeper.storage=nowhere://", "seed=1,2"])


def test_a_dry_run_names_the_sweeper_and_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "-m", *OPTUNA, "hydra.sweeper.n_trials=9", f"{RATE}=interval(1e-6,1e-4)", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# runs in outputs/quickstart_tiny/<sweep_id>/, chosen by hydra/sweeper=optuna:\n")
    assert "#   n_trials: 9\n" in shown
    assert "\nadvantage_fn:\n" in shown
    assert not (here / "outputs").exists()
