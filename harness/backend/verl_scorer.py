"""verl's own scoring as a reward function: the user's ``reward.custom_reward_function``, else verl's default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf


class VerlScorer:
    """What verl would score with. Source: verl.trainer.ppo.reward.load_reward_manager.

    The harness fills the parameters in from verl's section ``reward``.

    Args:
        custom: ``reward.custom_reward_function``.
        sandbox_url: ``reward.sandbox_fusion.url``.
        sandbox_memory_mb: ``reward.sandbox_fusion.memory_limit_mb``.
    """

    def __init__(
        self, custom: Mapping[str, Any] | None = None, sandbox_url: str | None = None, sandbox_memory_mb: int = 1024
    ) -> None:
        from verl.trainer.ppo.reward import get_custom_reward_fn
        from verl.utils.reward_score import default_compute_score

        given = get_custom_reward_fn(OmegaConf.create({"reward": {"custom_reward_function": dict(custom or {})}}))
        self.extra: dict[str, Any] = {}
        if given is None and sandbox_url:
            self.extra = {"sandbox_fusion_url": sandbox_url, "memory_limit_mb": sandbox_memory_mb}
        self.function = given or default_compute_score

    def __call__(
        self, input_text: str, response_text: str, *, data_source: str, ground_truth: Any, extra_info: dict[str, Any]
    ) -> Any:
        """Score one response; see verl."""
        return self.function(
            data_source=data_source,
            solution_str=response_text,
            ground_truth=ground_truth,
            extra_info=extra_info,
            **self.extra,
        )
