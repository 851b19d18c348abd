"""Which metric is taken, and which way it is better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.compare.load import load_runs
from harness.compare.metric import complete_metric, default_metric, direction
from harness.compare.run_data import RunData
from harness.compare.targets import find_targets
from harness.errors import ConfigurationError
from harness.records.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]


def load(*folders: RunFolder, **options: Any) -> list[RunData]:
    """Runs as `harness compare` loads them."""
    return load_runs(find_targets([str(folder) for folder in folders]).runs, **options)


NAMES = (
    "val-core/a/acc/mean@1", "val-core/a/acc/best@4/mean", "val-core/b/reward/mean@1", "val-aux/a/acc/std@4",
    "critic/score/mean", "actor/kl_loss",
)  # fmt: skip


@pytest.fixture
def runs_with(make_run: MakeRun):
    def make(*names: tuple[str, ...]) -> list[RunData]:
        return load(*(make_run(metrics={1: dict.fromkeys(each, 1.0)}) for each in names))

    return make


def test_the_default_is_what_most_runs_validate_accuracy_first(runs_with) -> None:
    assert default_metric(runs_with(NAMES)).name == "val-core/a/acc/mean@1"
    assert default_metric(runs_with(NAMES, NAMES[2:], NAMES[2:])).name == "val-core/b/reward/mean@1"


def test_the_default_without_a_validation(runs_with) -> None:
    assert default_metric(runs_with(NAMES[3:])).name == "critic/score/mean"
    assert default_metric(runs_with(("env/score_max", "env/score_mean", "loss"))).name == "env/score_mean"
    with pytest.raises(ConfigurationError, match="Choose one: actor/kl_loss, loss"):
        default_metric(runs_with(("loss", "actor/kl_loss")))
    with pytest.raises(ConfigurationError, match="have they begun"):
        default_metric([])


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("val-core/a/acc/mean@1", "val-core/a/acc/mean@1"),
        ("KL_loss", "actor/kl_loss"),
        ("a/acc/mean", "val-core/a/acc/mean@1"),
        ("b/", "val-core/b/reward/mean@1"),
    ],
)
def test_a_part_of_a_name(runs_with, given: str, name: str) -> None:
    assert complete_metric(given, runs_with(NAMES)).name == name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a/acc", r"could be val-aux/a/acc/std@4, val-core/a/acc/best@4/mean, val-core/a/acc/mean@1"),
        ("critic/scroe/mean", r"Did you mean critic/score/mean"),
        ("zzz", r"Choose one: actor/kl_loss"),
    ],
)
def test_a_part_of_no_name_or_several(runs_with, given: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        complete_metric(given, runs_with(NAMES))


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("val-core/a/acc/mean@1", "higher"),
        ("val-core/loss_of_kl/acc/best@4/mean", "higher"),
        ("val-aux/a/scoring_failed/mean@1", "lower"),
        ("critic/score/mean", "higher"),
        ("actor/kl_loss", "lower"),
        ("actor/ppo_kl", "lower"),
        ("actor/pg_loss", "lower"),
        ("timing_s/step", "lower"),
        ("perf/throughput", "higher"),
        ("perf/time_per_step", "lower"),
        ("rollout_corr/log_ppl_diff", "lower"),
        ("val-core/a/anything/mean@1", "higher"),
        ("val-aux/a/anything/mean@1", None),
        ("response_length/mean", None),
        ("sample/block", None),
    ],
)
def test_direction(name: str, better: str | None) -> None:
    assert direction(name) == better
