"""Every key that an algorithm sets changes what verl's trainer and worker compute."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from runs import script_result, untrained_model

HERE = Path(__file__).parent
ALGORITHMS = sorted(p.stem for p in (HERE.parents[1] / "conf" / "algorithm").glob("*.yaml") if p.stem != "drgrpo")
# set for the reader: the loss does it whatever the key says, as its YAML tells
NO_EFFECT = {"sapo": {"actor_rollout_ref.actor.loss_agg_mode"}}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Loss, gradient norm and advantages of each algorithm, as composed and with each key set back to GRPO's."""
    model = untrained_model(tmp_path_factory.mktemp("model"), vocabulary=6)  # probabilities far from 0, for DPPO
    return script_result("conformance.py", model, tmp_path_factory.mktemp("records"))


def differ(one: dict, other: dict) -> bool:
    return any(one[name] != pytest.approx(other[name], rel=1e-4, abs=1e-6) for name in one)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_key_changes_the_loss(measured: dict, algorithm: str) -> None:
    row = dict(measured["algorithms"][algorithm])
    as_composed = row.pop("as composed")
    assert bool(row) == (algorithm != "grpo")
    assert {key for key, values in row.items() if not differ(values, as_composed)} == NO_EFFECT.get(algorithm, set())


def test_no_two_algorithms_compute_the_same(measured: dict) -> None:
    rows = {name: row["as composed"] for name, row in measured["algorithms"].items()}
    same = [
        (one, other) for one in ALGORITHMS for other in ALGORITHMS if one < other and not differ(rows[one], rows[other])
    ]
    assert same == []


def test_kl_in_the_reward_and_rollout_correction_reach_an_advantage_function_too(measured: dict) -> None:
    theirs, ours = measured["corrections"]["verl"], measured["corrections"]["grpo"]
    assert not differ(ours, theirs)
    assert differ(ours, measured["algorithms"]["grpo"]["as composed"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rows_that_fill_a_batch_up_leave_the_gradient_finite(measured: dict, algorithm: str) -> None:
    found = measured["padded"][algorithm]
    assert all(math.isfinite(value) for value in found.values()), found
    assert found["grad_norm"] > 0


def test_what_the_check_calls_ignored_is_ignored(measured: dict) -> None:
    rows = measured["algorithms"]
    assert len(measured["inert"]) >= 11
    acting = [word for word, (name, found) in measured["inert"].items() if differ(found, rows[name]["as composed"])]
    assert acting == []


def test_a_pass_through_the_model_is_a_sign_that_the_run_goes_on(measured: dict) -> None:
    assert measured["signed"]
