"""PRIME's pieces against a reference written from the paper by someone else, in float64 with loops."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.advantages.prime import prime
from harness.backend.advantages import call_advantage_fn, group_index
from harness.backend.outcomes import checked_labels
from harness.backend.prime.online_filter import OnlineFilter
from harness.backend.prime.process_reward import outcome_loss, pair_accuracy, process_rewards, sign_accuracy
from harness.backend.prime.steps import PrimeSteps
from harness.components.instantiate import instantiate
from harness.errors import ConfigurationError

spec = importlib.util.spec_from_file_location("prime_reference", Path(__file__).with_name("reference.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

CASES = ("ragged groups", "groups of one", "all right", "padding rows", "one token", "permuted rows", "tool tokens")


def make(case: str) -> dict:
    rng = np.random.default_rng(CASES.index(case))
    sizes = [1] * 6 if case == "groups of one" else [3, 5, 2, 4]
    width = 1 if case == "one token" else 9
    groups = [f"prompt {number}" for number, size in enumerate(sizes) for _ in range(size)]
    lengths = rng.integers(1, width + 1, len(groups))
    mask = (np.arange(width) < lengths[:, None]).astype(float)
    if case == "tool tokens":
        mask[:, 1:3] = 0
    outcome = np.ones(len(groups)) if case == "all right" else rng.integers(0, 3, len(groups)) / 2
    if case == "padding rows":
        mask, outcome = np.concatenate([mask, np.zeros((2, width))]), np.concatenate([outcome, [0.0, 0.0]])
        groups += ["padding", "padding"]
    log_probs, ref = (rng.normal(-1, 0.5, size=mask.shape) for _ in range(2))
    if case == "permuted rows":
        order = rng.permutation(len(groups))
        mask, outcome, groups = mask[order], outcome[order], [groups[row] for row in order]
    return {"mask": mask, "outcome": outcome, "groups": groups, "log_probs": log_probs, "ref": ref}


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_process_rewards(case: str, normalise: bool) -> None:
    batch = make(case)
    expected = reference.process_rewards(batch["log_probs"], batch["ref"], batch["mask"], 0.05, normalise)
    q = tensor(batch["log_probs"]) - tensor(batch["ref"])
    found = process_rewards(q, torch.tensor(batch["mask"]).long(), 0.05, normalise)
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_loss_and_its_gradient_over_micro_batches(case: str) -> None:
    """Summed over micro-batches of any size it is the mean over the real rows."""
    batch = make(case)
    arguments = (batch["log_probs"], batch["ref"], batch["mask"], batch["outcome"], 0.7)
    expected = reference.outcome_loss(*arguments)
    gradient = reference.outcome_loss_gradient(*arguments)
    log_probs = tensor(batch["log_probs"]).requires_grad_()
    mask, labels = torch.tensor(batch["mask"]) > 0, tensor(batch["outcome"])
    scores = 0.7 * torch.where(mask, log_probs - tensor(batch["ref"]), 0.0).sum(1)
    real = mask.any(1)
    total = sum(
        outcome_loss(scores[rows], labels[rows], real[rows]) / real.sum()
        for rows in torch.arange(len(mask)).split([1, 2, len(mask) - 3])
    )
    total.backward()
    np.testing.assert_allclose(total.item(), expected, rtol=1e-5)
    np.testing.assert_allclose(log_probs.grad.numpy(), gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kl", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_advantages(case: str, kl: bool) -> None:
    batch = make(case)
    rng = np.random.default_rng(7)
    process = reference.process_rewards(batch["log_probs"], batch["ref"], batch["mask"], 0.05, True)
    penalty = rng.normal(size=batch["mask"].shape) * batch["mask"] if kl else None
    expected = reference.advantages(process, batch["outcome"], batch["mask"], batch["groups"], 5.0, 3.0, penalty)
    scores = np.zeros_like(batch["mask"])
    for row, mask in enumerate(batch["mask"]):
        if mask.any():
            scores[row, np.flatnonzero(mask)[-1]] = batch["outcome"][row]
    fields = {
        "process_rewards": tensor(process),
        "token_level_scores": tensor(scores),
        "token_level_rewards": tensor(scores if penalty is None else scores + penalty),
        "response_mask": torch.tensor(batch["mask"]).long(),
        "uid": np.array(batch["groups"], dtype=object),
    }
    node = {"_target_": "harness.advantages.prime.prime", "process_coefficient": 5.0, "outcome_coefficient": 3.0}
    found = call_advantage_fn(instantiate(node, "advantage_fn"), fields)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=2e-4, atol=2e-5)


def test_without_process_rewards_the_function_says_what_is_missing() -> None:
    with pytest.raises(ConfigurationError, match="needs process_rewards, which this training does not have"):
        call_advantage_fn(
            prime,
            {
                "token_level_rewards": torch.zeros(1, 1),
                "token_level_scores": torch.zeros(1, 1),
                "response_mask": torch.ones(1, 1),
                "uid": np.array(["a"], dtype=object),
            },
        )


@pytest.mark.parametrize("case", [case for case in CASES if case != "padding rows"])
def test_how_well_scores_tell_right_from_wrong(case: str) -> None:
    batch = make(case)
    scores = np.random.default_rng(1).normal(size=len(batch["groups"]))
    index = group_index(np.array(batch["groups"], dtype=object))
    labels = tensor(batch["outcome"])
    expected = reference.pair_accuracy(scores, batch["outcome"], batch["groups"])
    assert pair_accuracy(tensor(scores), labels, index) == pytest.approx(expected, abs=1e-6)
    assert sign_accuracy(tensor(scores), labels) == pytest.approx(reference.sign_accuracy(scores, batch["outcome"]))


def test_labels_are_acc_or_else_the_reward() -> None:
    assert checked_labels([{"acc": 1.0}, {}], torch.tensor([3.0, 0.5])).tolist() == [1.0, 0.5]
    with pytest.raises(ConfigurationError, match=r"between 0 \(wrong\) and 1 \(right\); a response got 3"):
        checked_labels([{}], torch.tensor([3.0]))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"update": "twice"}, "Choose one of before, after, none"),
        ({"oversample": 0}, "at least 1"),
        ({"filter": {"min_accuracy": 0.9, "max_accuracy": 0.1}}, "Choose 0 ≤ min_accuracy ≤ max_accuracy ≤ 1"),
    ],
)
def test_impossible_parameters(parameters: dict, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        PrimeSteps(**parameters)
    assert OnlineFilter().max_accuracy == 0.8
