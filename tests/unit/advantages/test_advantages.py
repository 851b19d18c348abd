"""Every advantage function against a reference written from the papers by someone else, in float64 with loops."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.advantages.gae import gae
from harness.advantages.gdpo import gdpo
from harness.advantages.gpg import gpg
from harness.advantages.grpo import grpo
from harness.advantages.grpo_passk import grpo_passk
from harness.advantages.max_rl import max_rl
from harness.advantages.opo import opo
from harness.advantages.reinforce_plus_plus import reinforce_plus_plus
from harness.advantages.reinforce_plus_plus_baseline import reinforce_plus_plus_baseline
from harness.advantages.remax import remax
from harness.advantages.rloo import rloo
from harness.backend.advantages import call_advantage_fn, group_index, reward_components
from harness.errors import ConfigurationError

spec = importlib.util.spec_from_file_location("advantage_reference", Path(__file__).with_name("reference.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)
spec = importlib.util.spec_from_file_location("advantage_batches", Path(__file__).with_name("batches.py"))
batches = importlib.util.module_from_spec(spec)
spec.loader.exec_module(batches)
CASES, make = batches.CASES, batches.make


def run(function, batch: dict, **parameters) -> list[np.ndarray]:
    """The function as the trainer calls it: float32, integer mask, fields by name."""
    from functools import partial

    fields = {
        "token_level_rewards": torch.tensor(batch["rewards"], dtype=torch.float32),
        "response_mask": torch.tensor(batch["mask"], dtype=torch.int64),
        "values": torch.tensor(batch["values"], dtype=torch.float32),
        "uid": np.array(batch["groups"], dtype=object),
    }
    return [part.double().numpy() for part in call_advantage_fn(partial(function, **parameters), fields)]


def by_group(name: str, **parameters):
    return lambda b: getattr(reference, name)(b["rewards"], b["mask"], b["groups"], **parameters)


FUNCTIONS = {
    "grpo": (grpo, {}, by_group("grpo")),
    "dr_grpo": (grpo, {"normalise_by_std": False}, by_group("grpo", normalise_by_std=False)),
    "rloo": (rloo, {}, by_group("rloo")),
    "opo": (opo, {}, by_group("opo")),
    "gpg": (gpg, {"f_norm": 2.0}, by_group("gpg", f_norm=2.0)),
    "max_rl": (max_rl, {}, by_group("max_rl")),
    "reinforce_plus_plus_baseline": (reinforce_plus_plus_baseline, {}, by_group("reinforce_plus_plus_baseline")),
    "reinforce_plus_plus": (
        reinforce_plus_plus,
        {"gamma": 0.9},
        lambda b: reference.reinforce_plus_plus(b["rewards"], b["mask"], gamma=0.9),
    ),
    "reinforce_plus_plus, undiscounted": (
        reinforce_plus_plus,
        {},
        lambda b: reference.reinforce_plus_plus(b["rewards"], b["mask"], gamma=1.0),
    ),
    "gae": (
        gae,
        {"gamma": 0.97, "lam": 0.9},
        lambda b: reference.gae(b["rewards"], b["values"], b["mask"], gamma=0.97, lam=0.9),
    ),
    "gae, Monte Carlo": (gae, {}, lambda b: reference.gae(b["rewards"], b["values"], b["mask"], gamma=1.0, lam=1.0)),
    "gae, one step": (
        gae,
        {"gamma": 0.9, "lam": 0.0},
        lambda b: reference.gae(b["rewards"], b["values"], b["mask"], gamma=0.9, lam=0.0),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_equals_the_reference(name: str, case: str) -> None:
    function, parameters, wanted = FUNCTIONS[name]
    batch = make(case)
    for ours, theirs in zip(run(function, batch, **parameters), wanted(batch), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("groups of one",)])
@pytest.mark.parametrize("normalise", [True, False])
def test_pass_at_k(case: str, normalise: bool) -> None:
    batch = make(case)
    real = [i for i, group in enumerate(batch["groups"]) if not group.startswith("padding")]
    parts = {name: [batch[name][i] for i in real] for name in batch}
    wanted = reference.grpo_passk(
        np.array(parts["rewards"]), np.array(parts["mask"]), parts["groups"], normalise_by_std=normalise
    )
    for ours, theirs in zip(run(grpo_passk, batch, normalise_by_std=normalise), wanted, strict=True):
        np.testing.assert_allclose(ours[real], theirs, atol=2e-5, rtol=2e-5)
        assert not np.delete(ours, real, axis=0).any()


def test_pass_at_k_needs_two_responses() -> None:
    with pytest.raises(ConfigurationError, match=r"rollout\.n"):
        run(grpo_passk, make("groups of one"))


def test_max_rl_refuses_negative_scores() -> None:
    batch = make("ragged groups")
    batch["rewards"] = batch["rewards"] - batch["mask"]
    with pytest.raises(ConfigurationError, match="at least 0"):
        run(max_rl, batch)


@pytest.mark.parametrize(
    ("function", "parameters"), [(gae, {"gamma": 0.9, "lam": 0.8}), (reinforce_plus_plus, {"gamma": 0.9})]
)
def test_tokens_of_a_tool_are_stepped_over(function, parameters) -> None:
    batch = make("wide")
    rng = np.random.default_rng(0)
    gaps = rng.random(batch["mask"].shape) < 0.3
    gaps[:, 0] = False
    with_gaps = {**batch, "mask": batch["mask"] * ~gaps}
    width = batch["mask"].shape[1]

    def squeezed(values: np.ndarray) -> np.ndarray:
        rows = [row[keep > 0] for row, keep in zip(values, with_gaps["mask"], strict=True)]
        return np.stack([np.pad(row, (0, width - len(row))) for row in rows])

    without = {**batch, **{name: squeezed(batch[name] * with_gaps["mask"]) for name in ("rewards", "values", "mask")}}
    for gapped, packed in zip(
        run(function, with_gaps, **parameters), run(function, without, **parameters), strict=True
    ):
        np.testing.assert_allclose(squeezed(gapped), packed, atol=1e-5)


def test_a_batch_of_one_token_has_no_advantage_to_whiten() -> None:
    batch = {"rewards": np.ones((1, 1)), "mask": np.ones((1, 1)), "values": np.zeros((1, 1)), "groups": ["a"]}
    for function in (gae, reinforce_plus_plus, reinforce_plus_plus_baseline):
        assert run(function, batch)[0].item() == 0


@pytest.mark.parametrize("case", CASES)
def test_remax(case: str) -> None:
    batch = make(case)
    baselines = np.random.default_rng(2).integers(0, 3, len(batch["groups"])) / 2
    fields = {
        "token_level_rewards": torch.tensor(batch["rewards"], dtype=torch.float32),
        "response_mask": torch.tensor(batch["mask"], dtype=torch.int64),
        "uid": np.array(batch["groups"], dtype=object),
        "greedy_scores": baselines.astype(object),
    }
    wanted = reference.remax(batch["rewards"], batch["mask"], baselines)
    for ours, theirs in zip(call_advantage_fn(remax, fields), wanted, strict=True):
        np.testing.assert_allclose(ours.double().numpy(), theirs, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_gdpo(case: str) -> None:
    batch = make(case)
    rng = np.random.default_rng(1)
    components = {name: rng.integers(0, 3, len(batch["groups"])) / 2 for name in ("right", "format")}
    weights = {"right": 1.0, "format": 0.3}
    fields = {
        "token_level_rewards": torch.tensor(batch["rewards"], dtype=torch.float32),
        "response_mask": torch.tensor(batch["mask"], dtype=torch.int64),
        "uid": np.array(batch["groups"], dtype=object),
        "reward_components": {name: torch.tensor(values, dtype=torch.float32) for name, values in components.items()},
        "reward_weights": weights,
    }
    wanted = reference.gdpo(components, weights, batch["mask"], batch["groups"])
    for ours, theirs in zip(call_advantage_fn(gdpo, fields), wanted, strict=True):
        np.testing.assert_allclose(ours.double().numpy(), theirs, atol=2e-5, rtol=2e-5)


def test_gdpo_refuses_a_reward_without_components() -> None:
    with pytest.raises(ConfigurationError, match="reward_manager=per_sample"):
        gdpo({}, {"a": 1.0, "b": 1.0}, torch.ones(2, 3), np.array([0, 0]))


def test_components_come_from_what_the_reward_manager_noted() -> None:
    notes = [{"reward_extra_info": {"reward_fn/a": 1.0, "reward_fn/b": value}} for value in (0.5, 0.0)]
    batch = {"rm_scores": torch.tensor([[0.0, 2.0], [3.0, 0.0]]), "extra_fields": np.array(notes, dtype=object)}
    found = reward_components(batch, {"a": 1.0, "b": 0.3})
    assert {name: values.tolist() for name, values in found.items()} == {"a": [1.0, 1.0], "b": [0.5, 0.0]}
    assert reward_components(batch, {"a": 1.0, "c": 1.0}) == {}


def test_the_component_of_a_single_function_is_the_reward_over_its_weight() -> None:
    batch = {"rm_scores": torch.tensor([[0.0, 2.0], [3.0, 0.0]])}
    assert reward_components(batch, {"only": -2.0})["only"].tolist() == [-1.0, -1.5]
    assert reward_components(batch, {"only": 0.0})["only"].tolist() == [2.0, 3.0]


def test_groups_are_numbered_in_the_order_they_appear() -> None:
    assert group_index(np.array(["b", "a", "b", "c"], dtype=object)).tolist() == [0, 1, 0, 2]
