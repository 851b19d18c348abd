"""The advantages of every shipped algorithm, as composed, against references written from the papers in float64.

They are computed as in training: by the algorithm's ``advantage_fn``, else by verl's estimator through the function of
its V1 trainer. The references get the papers' numbers from `WANTED`, not the configuration's. `benchmarks/algorithms.py`
takes its errors from here. Where verl computes something else than a paper, the last section holds both.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from tensordict import TensorDict
from verl.protocol import DataProto
from verl.trainer.ppo.core_algos import agg_loss, compute_opo_outcome_advantage
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories

from harness.backend.corrections import advantages_of, on_responses
from harness.components.instantiate import instantiate
from harness.config.compose import compose_config, resolve
from harness.errors import ConfigurationError

FOLDER = Path(__file__).resolve().parents[3] / "conf" / "algorithm"
PARTS = {"right": 1.0, "format": 0.1}  # two reward functions with their weights, for GDPO


def load(path: str) -> ModuleType:
    """A module of tests/unit."""
    spec = importlib.util.spec_from_file_location(path.replace("/", "_"), Path(__file__).parents[1] / f"{path}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


batches, reference = load("advantages/batches"), load("advantages/reference")


def by_group(name: str, **parameters: Any):
    return lambda b: getattr(reference, name)(b["rewards"], b["mask"], b["groups"], **parameters)


def gae(b: dict):
    return reference.gae(b["rewards"], b["values"], b["mask"], gamma=1.0, lam=1.0)


def gdpo(b: dict):
    return reference.gdpo({"right": b["rewards"].sum(1), "format": b["second"]}, PARTS, b["mask"], b["groups"])


def prime(b: dict):
    theirs = load("backend/prime/reference")
    return theirs.advantages(b["process"], b["rewards"].sum(1), b["mask"], b["groups"], 5.0, 5.0)


def gpg(b: dict):
    """With verl's α: all rows, those that pad the batch too, over those whose score is not 0. See below."""
    return [part / papers_alpha(b) * verls_alpha(b) for part in reference.gpg(b["rewards"], b["mask"], b["groups"])]


def verls_alpha(b: dict) -> float:
    return len(b["mask"]) / max(1, np.count_nonzero(b["rewards"].sum(1)))


def papers_alpha(b: dict) -> float:
    """Responses over those in groups of which some are better than others; of a group of one those that scored."""
    lengths, scores = b["mask"].sum(1), b["rewards"].sum(1)
    groups = [[scores[row] for row, other in enumerate(b["groups"]) if other == group and lengths[row]]
              for group in dict.fromkeys(b["groups"])]  # fmt: skip
    valid = [len(group) for group in groups if len(set(group)) > 1 or (len(group) == 1 and group[0])]
    return sum(map(len, groups)) / max(1, sum(valid))


# algorithm → advantages and returns of a batch
AS_GRPO = ("grpo", "dapo", "gspo", "cispo", "gmpo", "sapo", "clip_cov", "kl_cov")
WANTED = {
    **dict.fromkeys(AS_GRPO, by_group("grpo")),
    **dict.fromkeys(("dr_grpo", "drgrpo", "dppo"), by_group("grpo", normalise_by_std=False)),
    "ppo": gae,
    "rloo": by_group("rloo"),
    "reinforce_plus_plus": lambda b: reference.reinforce_plus_plus(b["rewards"], b["mask"], gamma=1.0),
    "reinforce_plus_plus_baseline": by_group("reinforce_plus_plus_baseline"),
    "opo": by_group("opo"),
    "gpg": gpg,
    "max_rl": by_group("max_rl"),
    "grpo_passk": by_group("grpo_passk"),
    "remax": lambda b: reference.remax(b["rewards"], b["mask"], b["greedy"]),
    "gdpo": gdpo,
    "prime": prime,
}
# verl's RLOO gives a group of one nothing; pass@k refuses it: see below
LEFT_OUT = {("rloo", "groups of one"), ("grpo_passk", "groups of one")}
PAIRS = [(algorithm, case) for algorithm in WANTED for case in batches.CASES if (algorithm, case) not in LEFT_OUT]


@functools.cache
def compose(algorithm: str) -> Any:
    return resolve(compose_config([f"algorithm={algorithm}", "experiment=quickstart_tiny"]))


def shipped(algorithm: str, batch: dict[str, Any]) -> list[np.ndarray]:
    """Advantages and returns as the trainer computes and stores them, (N, T)."""
    config = compose(algorithm)
    fields = columns(batch, two_functions=algorithm == "gdpo")
    if config.advantage_fn.get("_target_"):
        function = instantiate(config.advantage_fn, "advantage_fn")
        weights = PARTS if algorithm == "gdpo" else {"right": 1.0}
        found, _ = advantages_of(function, fields, config.algorithm, None, weights)
    else:
        found = by_verl(config, fields)
    return [found[name].double().numpy() for name in ("advantages", "returns")]


def columns(batch: dict[str, Any], two_functions: bool) -> dict[str, Any]:
    """A step's columns as they come out of TransferQueue: float32, an integer mask, objects."""
    rewards, second = batch["rewards"].copy(), batch["second"]
    notes = [{"reward_fn/right": score, "reward_fn/format": other}
             for score, other in zip(rewards.sum(1), second, strict=True)]  # fmt: skip
    if two_functions:
        rewards[:, 0] += PARTS["format"] * second * batch["mask"].any(axis=1)
    tensors = {"rm_scores": rewards, "values": batch["values"], "process_rewards": batch["process"]}
    tensors |= {"old_log_probs": 0.0 * rewards, "rollout_log_probs": 0.0 * rewards}
    objects = {"uid": batch["groups"], "greedy_scores": batch["greedy"].tolist()}
    objects["extra_fields"] = [{"reward_extra_info": note} for note in notes]
    return {
        **{name: torch.tensor(values, dtype=torch.float32) for name, values in tensors.items()},
        "response_mask": torch.tensor(batch["mask"], dtype=torch.int64),
        **{name: np.array(values, dtype=object) for name, values in objects.items()},
    }


def by_verl(config: Any, fields: dict[str, Any]) -> dict[str, torch.Tensor]:
    """verl's estimator, and what the trainer does after it. Source: verl.trainer.ppo.v1.trainer_base.PPOTrainer._compute_advantage."""
    names = ("response_mask", "rm_scores", "rollout_log_probs", "old_log_probs", "values")
    data = DataProto(TensorDict({name: fields[name] for name in names}, batch_size=len(fields["uid"])))
    data.batch["token_level_rewards"] = data.batch["rm_scores"]
    data.non_tensor_batch["uid"] = fields["uid"]
    result = compute_advantage_for_multi_trajectories(
        data,
        batch_keys=[f"{uid}_{session}_0" for session, uid in enumerate(fields["uid"])],
        adv_estimator=config.algorithm.adv_estimator,
        gamma=config.algorithm.gamma,
        lam=config.algorithm.lam,
        num_repeat=config.actor_rollout_ref.rollout.n,
        norm_adv_by_std_in_grpo=config.algorithm.norm_adv_by_std_in_grpo,
        config=config.algorithm,
    ).batch
    return on_responses({name: result[name] for name in ("advantages", "returns")}, fields["response_mask"])


def test_every_algorithm_is_in_the_table() -> None:
    assert sorted(WANTED) == sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize(("algorithm", "case"), PAIRS)
def test_the_advantages(algorithm: str, case: str) -> None:
    batch = batches.make(case)
    for found, wanted in zip(shipped(algorithm, batch), WANTED[algorithm](batch), strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-5 * max(1, np.abs(wanted).max()), rtol=2e-5)


# --- Where verl computes something else than the paper ----------------------------------------------------------------


def test_rloo_gives_a_response_without_others_no_advantage() -> None:
    """Paper: no baseline, so its score. verl: 0."""
    batch = batches.make("groups of one")
    assert not shipped("rloo", batch)[0].any()
    assert WANTED["rloo"](batch)[0].any()


@pytest.mark.parametrize("case", ["padding rows", "groups without a signal", "all scores equal"])
def test_gpgs_scale_is_not_the_papers(case: str) -> None:
    """Paper: over the responses of groups that are neither all right nor all wrong. verl: over those that scored."""
    batch = batches.make(case)
    paper = by_group("gpg")(batch)[0]
    assert verls_alpha(batch) != papers_alpha(batch)
    np.testing.assert_allclose(shipped("gpg", batch)[0] * papers_alpha(batch), paper * verls_alpha(batch), atol=1e-4)


def test_pass_at_k_refuses_a_response_without_others() -> None:
    with pytest.raises(ConfigurationError, match=r"rollout\.n"):
        shipped("grpo_passk", batches.make("groups of one"))


def test_verls_opo_alone_gives_rows_that_fill_a_batch_up_nan() -> None:
    """Why the trainer sets them to zero: the gradient of a loss is NaN there, masked or not."""
    batch = batches.make("padding rows")
    rewards, mask = (torch.tensor(batch[name], dtype=torch.float32) for name in ("rewards", "mask"))
    advantages, _ = compute_opo_outcome_advantage(rewards, mask, np.array(batch["groups"], dtype=object))
    assert advantages.isnan().any()
    log_probs = torch.zeros_like(advantages, requires_grad=True)
    agg_loss(-advantages * log_probs.exp(), mask, "token-mean").backward()
    assert log_probs.grad.isnan().any()
