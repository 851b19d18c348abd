"""ReMax's baseline wherever verl's agent loop generates (vLLM, SGLang, several turns, the asynchronous modes).

Each training prompt gets one more session, greedy, which is scored and goes no further: its score is the column
``greedy_scores`` of the prompt's other sessions, and ``greedy_failed`` whether it could not be scored.
`BatchRolloutManager` does the same for the built-in server in ``trainer_mode=sync``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import ray
from verl.trainer.ppo.v1 import AgentLoopManagerTQ, AgentLoopWorkerTQ
from verl.trainer.ppo.v1.agent_loop_tq import apply_greedy_sampling_params

from harness.errors import ConfigurationError
from harness.reward_managers.spread import NOTE
from harness.scoring.failures import FAILED

if TYPE_CHECKING:
    from verl.experimental.agent_loop.agent_loop import AgentLoopOutput

GREEDY_SESSION = -1
GREEDY_FAILED = "greedy_failed"


class GreedyBaselineWorker(AgentLoopWorkerTQ.__ray_metadata__.modified_class):
    """verl's worker, with the greedy session beside a prompt's others."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.greedy: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def _run_prompt(self, prompt: dict, sampling_params: dict, trajectory: dict, trace: bool = False) -> None:
        if trajectory["validate"]:
            await super()._run_prompt(prompt, sampling_params, trajectory, trace)
            return
        greedy = dict(sampling_params)
        apply_greedy_sampling_params(greedy)
        inputs = {name: value for name, value in prompt.items() if not name.startswith("__")}
        loop = self._run_agent_loop(greedy, trajectory, trace=False, session_id=GREEDY_SESSION, **inputs)
        uid = prompt["uid"]
        self.greedy[uid] = asyncio.create_task(loop)
        try:
            await super()._run_prompt(prompt, sampling_params, trajectory, trace)
        finally:
            await asyncio.gather(self.greedy.pop(uid), return_exceptions=True)

    async def _agent_loop_postprocess(self, output: Any, validate: bool, **kwargs: Any) -> dict[str, Any] | None:
        if validate:
            return await super()._agent_loop_postprocess(output, validate, **kwargs)
        if kwargs["session_id"] == GREEDY_SESSION:
            outputs = output if isinstance(output, list) else [output]
            await self._compute_score(outputs, kwargs=kwargs)
            return _columns_of(outputs[-1])
        kwargs |= await self.greedy[kwargs["uid"]]  # its error is this session's too
        return await super()._agent_loop_postprocess(output, validate, **kwargs)


class GreedyBaselineManager(AgentLoopManagerTQ):
    """verl's manager of such workers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(GreedyBaselineWorker)


def _columns_of(output: AgentLoopOutput) -> dict[str, Any]:
    if output.reward_score is None:
        raise ConfigurationError(
            "advantage_fn needs greedy_scores, and this reward is computed after the rollout.",
            "Score responses while they are generated (reward_fn), or choose another algorithm.",
        )
    return greedy_columns(output.reward_score, output.extra_fields.get("reward_extra_info") or {})


def greedy_columns(score: float, extra: dict[str, Any]) -> dict[str, Any]:
    """The columns of a prompt's responses out of what a reward worker answered about the greedy one.

    Returns:
        ``greedy_scores``, the baseline, and ``greedy_failed``: whether the response could not be scored, so that the
        baseline is ``scoring.score`` (the group goes with ``scoring.on_error=drop``).

    Raises:
        ConfigurationError: The reward manager rewards tokens or steps.
    """
    if NOTE in extra:
        raise ConfigurationError(
            "advantage_fn needs greedy_scores, and this reward_manager rewards tokens or steps.",
            "Choose a manager that gives each response a score, or another algorithm.",
        )
    return {"greedy_scores": float(score), GREEDY_FAILED: bool(extra.get(FAILED))}
