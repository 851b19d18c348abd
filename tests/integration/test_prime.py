"""PRIME through verl on the CPU: the process reward model learns, filters, is saved and resumed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from runs import SHORT, Finished

from harness.records.stages import read_stages

Run = Callable[..., Finished]
PRIME = ("algorithm=prime", "trainer.test_freq=-1", "trainer.val_before_train=false", "algorithm_steps.optim.lr=1e-3")


CLOCKS = ("timing", "perf/", "mfu")


@pytest.fixture(scope="module")
def prime(train: Run) -> Finished:
    return train(*PRIME, "trainer.save_freq=2", "trainer.total_training_steps=4")


def steps(finished: Finished) -> list[dict]:
    return [record.metrics for record in finished.records if record.step]


def numbers(metrics: dict) -> dict:
    """All that the clock does not decide."""
    return {name: value for name, value in metrics.items() if not any(mark in name for mark in CLOCKS)}


def test_the_process_reward_model_learns(prime: Finished) -> None:
    first, second, *_ = steps(prime)
    assert first["reward_model/dpo_loss"] == pytest.approx(math.log(2), abs=1e-3)  # it starts as its reference
    assert second["reward_model/dpo_loss"] != pytest.approx(math.log(2), abs=1e-3)
    for step in (first, second):
        assert step["reward_model/grad_norm"] > 0
        assert step["rm/lr"] == pytest.approx(1e-3)
        assert step["reward_model/raw_reward"] != 0
        assert abs(step["reward_model/reward"]) <= 1 + 1e-6  # normalised
        for name in ("dpo_acc", "dpo_acc_abs", "dpo_acc_before", "dpo_acc_abs_before"):
            assert 0 <= step[f"reward_model/{name}"] <= 1
        assert step["actor/grad_norm"] > 0
    assert first["reward_model/dpo_acc_abs_before"] == 0.0  # Σ q is 0 everywhere before the first update
    assert "updating the process reward model" in [entry.stage for entry in read_stages(prime.run.stages)]


def test_four_times_the_prompts_are_generated_and_those_with_a_signal_trained_on(prime: Finished) -> None:
    for step in steps(prime):
        assert 0 <= step["prime/prompts_passing"] <= 1
        if step["prime/prompts_passing"] >= 0.25:  # enough for a whole batch
            assert 0.2 <= step["reward/acc"] <= 0.8 or step["reward/acc"] == step["prime/acc_before_filter"]
        assert step["training/global_step"] >= 1


def test_one_that_is_resumed_goes_on_as_if_it_had_not_stopped(prime: Finished, train: Run) -> None:
    """Policy, process reward model, both optimisers, the place in the data, the random numbers."""
    resumed = train(
        *PRIME,
        "trainer.total_training_steps=4",
        "trainer.resume_mode=resume_path",
        f"trainer.resume_from_path={prime.run.checkpoints / 'global_step_2'}",
        folder=prime.folder,
    )
    _, _, *whole = steps(prime)
    assert [numbers(step) for step in steps(resumed)] == [numbers(step) for step in whole]
    assert max(step["reward_model/grad_norm"] for step in whole) > 0
    assert whole[0]["reward_model/dpo_loss"] != whole[1]["reward_model/dpo_loss"]


def test_it_is_saved_and_resumed(prime: Finished, train: Run) -> None:
    checkpoint = prime.run.checkpoints / "global_step_2"
    assert (checkpoint / "process_reward_model").is_dir()
    resumed = train(
        *PRIME,
        "trainer.total_training_steps=3",
        "trainer.resume_mode=resume_path",
        f"trainer.resume_from_path={checkpoint}",
        "algorithm_steps.update=after",
        "algorithm_steps.oversample=1",
        "actor_rollout_ref.actor.use_kl_loss=true",  # the policy's reference serves both
        folder=prime.folder,
    )
    (third,) = steps(resumed)
    assert third["reward_model/raw_reward"] != 0  # scored before it learns: a fresh one would be its reference
    assert third["reward_model/dpo_loss"] != pytest.approx(math.log(2), abs=1e-3)
    assert "reward_model/dpo_acc_before" not in third


def test_a_checkpoint_without_it_is_refused(prime: Finished, harness: Run, tmp_path: Path) -> None:
    import shutil

    without = tmp_path / "global_step_2"
    shutil.copytree(prime.run.checkpoints / "global_step_2", without)
    shutil.rmtree(without / "process_reward_model")
    finished = harness(
        "train",
        *SHORT,
        *PRIME,
        "trainer.total_training_steps=3",
        "trainer.resume_mode=resume_path",
        f"trainer.resume_from_path={without}",
    )
    assert finished.code != 0
    assert "has no process_reward_model" in finished.err
