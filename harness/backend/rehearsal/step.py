"""Advantages and the policy loss on a made-up batch: the real functions, with finite numbers in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from omegaconf import OmegaConf, open_dict
from tensordict import TensorDict
from verl.protocol import DataProto
from verl.trainer.ppo.core_algos import get_kl_controller
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.utils.losses import ppo_loss

from harness.backend.advantages import MissingColumns
from harness.backend.columns import objects_of
from harness.backend.corrections import advantages_of
from harness.backend.policy_loss import use_policy_loss
from harness.backend.rehearsal.outcome import Outcome, one_line
from harness.check.advantage import PRIME_STEPS, absent_columns
from harness.components.instantiate import instantiate
from harness.errors import HarnessError

if TYPE_CHECKING:
    from omegaconf import DictConfig

GROUPS, LONGEST = 4, 24
# what verl passes to its estimators. Source: verl.trainer.ppo.v1.trainer_base.PPOTrainer._compute_advantage
FED = ("response_mask", "rm_scores", "rollout_log_probs", "old_log_probs", "ref_log_prob", "values")


def rehearse_step(config: DictConfig, rows: Sequence[Mapping[str, Any]], outcome: Outcome) -> None:
    """Compute advantages and the loss with its gradient as the trainer and its workers do.

    Args:
        config: The resolved configuration.
        rows: Of the training data; an advantage function may name its columns.
        outcome: Takes what is seen.
    """
    config = OmegaConf.create(OmegaConf.to_container(config))
    OmegaConf.set_struct(config, False)
    fields = synthetic_batch(config, rows)
    part = "advantage_fn"
    try:
        advantages, changed = _advantages(config, fields)
        if not torch.isfinite(advantages).all():
            outcome.wrong("step", part, f"{part}: advantages of a batch with finite rewards are not all finite.")
            return
        outcome.say("step", f"advantages of {len(advantages)} responses from {advantages.min():.3g} to "
                    f"{advantages.max():.3g}")  # fmt: skip
        part = "policy_loss"
        loss, gradient = _loss(config, {**fields, **changed, "advantages": advantages})
    except HarnessError as error:
        if isinstance(error, MissingColumns) and (_own_steps(config) or not rows):
            outcome.say("step", f"not tried: {error.message[:-1]} unless algorithm_steps or the data add it")
        else:
            outcome.wrong("step", part, error.message, error.remedy)
        return
    except Exception as error:  # noqa: BLE001  verl's or a component's own: it would end the first step
        outcome.wrong("step", part, f"{part}: {type(error).__name__} on a synthetic batch: {one_line(error)}")
        return
    outcome.say("step", f"loss {loss:.3g}, gradient norm over log-probs {gradient:.3g}")
    if not np.isfinite([loss, gradient]).all():
        outcome.wrong("step", part, f"{part}: loss {loss:.3g} and gradient norm {gradient:.3g} of a finite batch.")
    elif gradient == 0:
        outcome.warn("step", part, f"{part}: the gradient of a batch with mixed rewards is zero: nothing is learnt.")


def synthetic_batch(config: DictConfig, rows: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Ragged responses in groups of ``rollout.n``, some of them solved, with the columns that this training has.

    Args:
        config: The resolved configuration.
        rows: Of the training data, whose columns are there too.

    Returns:
        Tensors padded to (rows, response length), and objects of (rows,).
    """
    n, rng = config.actor_rollout_ref.rollout.n, np.random.default_rng(0)
    count = GROUPS * n
    lengths = torch.from_numpy(rng.integers(2, LONGEST + 1, size=count))
    mask = (torch.arange(LONGEST) < lengths[:, None]).float()
    solved = np.arange(count) % (n if n > 1 else 2) == 0  # one a group: a pass@k advantage needs a single best
    weights = {name: float(node.get("weight", 1.0)) for name, node in config.reward_fn.items()}
    scores = torch.zeros(count, LONGEST)
    scores[torch.arange(count), lengths - 1] = torch.from_numpy(solved).float() * sum(map(abs, weights.values()))

    def noise(scale: float, around: float = 0.0) -> torch.Tensor:
        return (torch.from_numpy(rng.normal(around, scale, size=mask.shape)).float()) * mask

    old = -noise(0.3, 1.0).abs()
    tensors = {
        "response_mask": mask,
        "rm_scores": scores,
        "old_log_probs": old,
        "rollout_log_probs": old + noise(0.01),
        "log_probs": old + noise(0.05),
        "ref_log_prob": old + noise(0.1),
        "values": noise(0.1),
        "process_rewards": noise(0.1),
        "entropy": noise(0.1, 1.0).abs(),
    }
    absent = absent_columns(OmegaConf.to_container(config, resolve=True))
    return {
        **_columns_of_the_data(rows, n),
        "uid": np.repeat([f"0-{group}" for group in range(GROUPS)], n).astype(object),
        "extra_fields": _notes(solved, weights),
        "greedy_scores": np.repeat((np.arange(GROUPS) % 2).astype(object), n),
        **{name: tensor for name, tensor in tensors.items() if name not in absent},
    }


def _own_steps(config: DictConfig) -> bool:
    return (config.get("algorithm_steps") or {}).get("_target_") not in (None, PRIME_STEPS)


def _columns_of_the_data(rows: Sequence[Mapping[str, Any]], n: int) -> dict[str, np.ndarray]:
    """Each column's values for `GROUPS` prompts, ``n`` times each."""
    chosen = [rows[group % len(rows)] for group in range(GROUPS)] if rows else []
    return {name: np.repeat(objects_of([row.get(name) for row in chosen]), n) for name in (chosen[0] if chosen else ())}


def _notes(solved: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
    """What a reward manager notes: the score of each function, which adds to the reward where a row is solved."""
    signs = {f"reward_fn/{name}": float(np.sign(weight)) for name, weight in weights.items()}
    return objects_of(
        [{"reward_extra_info": {name: sign * float(right) for name, sign in signs.items()}} for right in solved]
    )


def _advantages(config: DictConfig, fields: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Advantages, (rows, response length), and the columns that corrections changed."""
    node, trusted = config.advantage_fn, config.get("trusted_modules") or ()
    if node.get("_target_"):
        controller = get_kl_controller(config.algorithm.kl_ctrl)
        weights = {name: float(each.get("weight", 1.0)) for name, each in config.reward_fn.items()}
        function = instantiate(node, "advantage_fn", trusted)
        columns, _ = advantages_of(function, fields, config.algorithm, controller, weights)
        return columns.pop("advantages"), columns
    algorithm = config.algorithm
    tensors = {name: fields[name] for name in FED if name in fields}
    tensors["token_level_rewards"] = tensors["rm_scores"]
    data = DataProto(TensorDict(tensors, batch_size=len(fields["uid"])), {"uid": fields["uid"]})
    data = compute_advantage_for_multi_trajectories(
        data,
        batch_keys=[f"{uid}_{number}_0" for number, uid in enumerate(fields["uid"])],
        adv_estimator=algorithm.adv_estimator,
        gamma=algorithm.gamma,
        lam=algorithm.lam,
        num_repeat=config.actor_rollout_ref.rollout.n,
        norm_adv_by_std_in_grpo=algorithm.get("norm_adv_by_std_in_grpo", True),
        config=algorithm,
    )
    return data.batch["advantages"], {}


def _loss(config: DictConfig, fields: dict[str, Any]) -> tuple[float, float]:
    """The actor's loss and the norm of its gradient with respect to the log-probs."""
    mode = use_policy_loss({"policy_loss": config.policy_loss, "trusted_modules": config.get("trusted_modules") or ()})
    with open_dict(config):
        if mode is not None:
            config.actor_rollout_ref.actor.policy_loss.loss_mode = mode
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    lengths = fields["response_mask"].ne(0).long().cumsum(1).amax(1)
    rows = [int(length) for length in lengths]
    columns = ["response_mask", "old_log_probs", "advantages"]
    columns += [name for name in ("ref_log_prob", "rollout_is_weights") if name in fields]

    def ragged(tensor: torch.Tensor, before: int = 0) -> torch.Tensor:
        parts = [torch.cat([torch.zeros(before), row[:length]]) for row, length in zip(tensor, rows, strict=True)]
        return torch.nested.as_nested_tensor(parts, layout=torch.jagged)

    data = TensorDict({name: ragged(fields[name]) for name in columns}, batch_size=len(rows))
    data["responses"] = ragged(fields["response_mask"])
    data["prompts"] = torch.nested.as_nested_tensor([torch.zeros(1) for _ in rows], layout=torch.jagged)
    tu.assign_non_tensor(data, dp_size=1, batch_num_tokens=float(fields["response_mask"].sum()),
                         global_batch_size=len(rows))  # fmt: skip
    # log-probs stand one token to the left of what they are of, as a model gives them
    flat = torch.cat([torch.cat([row[:length], torch.zeros(1)]) for row, length in
                      zip(fields["log_probs"], rows, strict=True)]).requires_grad_()  # fmt: skip
    loss, _ = ppo_loss(actor, {"log_probs": flat}, data)
    loss.backward()
    return float(loss), float(flat.grad.norm())  # type: ignore[union-attr]
