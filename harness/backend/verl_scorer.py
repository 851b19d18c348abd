"""verl's own scoring as a reward function: the user's ``reward.custom_reward_function``, else verl's default."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf


class VerlScorer:
    """What verl would score with. Source: verl.trainer.ppo.reward.load_reward_manager.

    Args:
        reward: verl's section ``reward``.
    """

    def __init__(self, reward: Mapping[str, Any]) -> None:
        from verl.trainer.ppo.reward import get_custom_reward_fn
        from verl.utils.reward_score import default_compute_score

        custom = get_custom_reward_fn(OmegaConf.create({"reward": dict(reward)}))
        sandbox = reward.get("sandbox_fusion") or {}
        self.extra: dict[str, Any] = {}
        if custom is None and sandbox.get("url"):
            self.extra = {"sandbox_fusion_url": sandbox["url"], "memory_limit_mb": sandbox.get("memory_limit_mb", 1024)}
        self.function = custom or default_compute_score

    def __call__(
        self, input_text: str, response_text: str, *, data_source: str, ground_truth: Any, extra_info: dict[str, Any]
    ) -> Any:
        """Score one response; see verl."""
        result = self.function(
            data_source=data_source,
            solution_str=response_text,
            ground_truth=ground_truth,
            extra_info=extra_info,
            **self.extra,
        )
        if inspect.iscoroutine(result):
            import asyncio

            return asyncio.run(result)
        return result
