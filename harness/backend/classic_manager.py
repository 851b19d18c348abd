"""Reward managers of verl's older kind: called with a batch, they return token-level rewards.

``__init__(tokenizer, num_examine, config, compute_score=None)``, ``__call__(data) -> (rows, response length)``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from omegaconf import OmegaConf
from tensordict import TensorDict
from verl.protocol import DataProto

from harness.backend.columns import objects_of
from harness.errors import ComponentError
from harness.reward_managers.compute_score import ComputeScore
from harness.reward_managers.per_sample import WeightedFunction
from harness.reward_managers.sample import RewardResult, RewardSample


class ClassicRewardManager:
    """Gives such a manager the batch in verl's old layout: prompts padded on the left, responses on the right.

    Args:
        component: The manager's class.
        parameters: Further parameters of its constructor.
        config: The whole configuration.
        functions: The reward functions, whose weighted sum is ``compute_score``.
    """

    def __init__(
        self,
        component: Any,
        parameters: Mapping[str, Any],
        config: Mapping[str, Any],
        functions: list[WeightedFunction],
    ) -> None:
        from verl.utils.tokenizer import hf_tokenizer

        whole = OmegaConf.create(dict(config))
        path = whole.actor_rollout_ref.model.tokenizer_path or whole.actor_rollout_ref.model.path
        self.tokenizer, self.name = hf_tokenizer(path), f"{component.__module__}.{component.__qualname__}"
        self.compute_score = ComputeScore(functions, self.name)
        available = {"num_examine": 0, "config": whole, "compute_score": self.compute_score, **parameters}
        takes = inspect.signature(component).parameters
        named = {name: value for name, value in available.items() if name in takes or name in parameters}
        self.manager = component(tokenizer=self.tokenizer, **named)

    def score_batch(self, samples: list[RewardSample]) -> list[RewardResult]:
        """Score all responses of a step.

        Raises:
            ComponentError: The result is no finite tensor of the responses' shape, or rewards what is no response.
        """
        self.compute_score.of(samples)
        data = old_layout(samples, self.tokenizer.pad_token_id or 0)
        result = self.manager(data)
        tensor = result.get("reward_tensor") if isinstance(result, dict) else result
        further = result.get("reward_extra_info") or {} if isinstance(result, dict) else {}
        rewards = self._checked(tensor, data.batch["response_mask"])
        scored = []
        for row, sample in enumerate(samples):
            extra = {name: values[row] for name, values in further.items() if len(values) == len(samples)}
            tokens = tuple(rewards[row, : len(sample.response_ids)].tolist())
            scored.append(RewardResult(sum(tokens), {"acc": sum(tokens), **extra}, token_rewards=tokens))
        return scored

    def _checked(self, tensor: Any, mask: torch.Tensor) -> torch.Tensor:
        shape = mask.shape
        where = f"reward_manager: {self.name} returned"
        if not isinstance(tensor, torch.Tensor):
            raise ComponentError(f"{where} {type(tensor).__name__}, not a tensor of token-level rewards.")
        if tensor.shape != shape:
            raise ComponentError(f"{where} a tensor of shape {tuple(tensor.shape)}; the responses' is {tuple(shape)}.")
        if not torch.isfinite(tensor).all():
            raise ComponentError(f"{where} NaN or infinite rewards.")
        outside = (tensor.cpu() * (1 - mask)).nonzero()
        if len(outside):
            row, place = outside[0].tolist()
            raise ComponentError(
                f"{where} a reward at position {place} of row {row}, whose response has {int(mask[row].sum())} tokens.",
                "Put it on a token of the response; the last one is at data.batch['response_mask'][row].sum() - 1.",
            )
        return tensor.float()


def old_layout(samples: Sequence[RewardSample], pad: int) -> DataProto:
    """A batch as verl's reward managers have known it."""
    prompt_width = max(len(sample.prompt_ids) for sample in samples)
    width = max(len(sample.response_ids) for sample in samples)
    shape = (len(samples), prompt_width + width)
    ids, mask = torch.full(shape, pad), torch.zeros(shape, dtype=torch.long)
    for row, sample in enumerate(samples):
        first, last = prompt_width - len(sample.prompt_ids), prompt_width + len(sample.response_ids)
        ids[row, first:last] = torch.tensor([*sample.prompt_ids, *sample.response_ids])
        mask[row, first:last] = 1
    tensors = {
        "prompts": ids[:, :prompt_width],
        "responses": ids[:, prompt_width:],
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": (mask.cumsum(1) - 1).clamp(min=0),
        "response_mask": mask[:, prompt_width:],
    }
    names = dict.fromkeys(name for sample in samples for name in sample.columns)
    columns: dict[str, list[Any]] = {
        **{name: [sample.columns.get(name) for sample in samples] for name in names},
        "data_source": [sample.data_source for sample in samples],
        "reward_model": [
            {**(sample.columns.get("reward_model") or {}), "ground_truth": sample.ground_truth} for sample in samples
        ],
        "extra_info": [dict(sample.extra_info) for sample in samples],
        "raw_prompt": [list(sample.messages) for sample in samples],
        "uid": [sample.uid for sample in samples],
    }
    objects = {name: objects_of(values) for name, values in columns.items()}
    return DataProto(batch=TensorDict(tensors, batch_size=len(samples)), non_tensor_batch=objects)
