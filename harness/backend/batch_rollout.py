"""Rollouts of a whole batch at once: one call to each generation server, one to each reward worker, one put.

verl's agent loop sends every response through six remote calls of its own. For single-turn text prompts on the
built-in server in ``trainer_mode=sync`` none of that is needed, and without it the batch that is generated depends on
the order of the prompts alone, never on arrival: the same seed gives the same tokens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
import transfer_queue as tq
from verl.trainer.distillation import is_distillation_enabled
from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder

from harness.backend.greedy_baseline import greedy_columns
from harness.backend.rewards import TextSamples, sample_from_row, scores_text
from harness.backend.trajectories import (
    Rollouts,
    agent_output,
    pack_rollouts,
    prompt_rows,
    ragged_fields,
    reward_batch,
    reward_input,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from tensordict import TensorDict
    from verl.experimental.agent_loop.agent_loop import AgentLoopOutput


def batch_rollout_applies(config: DictConfig, processor: Any) -> bool:
    """Whether every prompt of this training can be generated this way."""
    rollout = config.actor_rollout_ref.rollout
    return (
        rollout.name == "builtin"
        and config.trainer.v1.trainer_mode == "sync"
        and rollout.agent.default_agent_loop == "single_turn_agent"
        and not rollout.agent.agent_loop_config_path
        and not rollout.agent.get("agent_loop_manager_class")
        and not is_distillation_enabled(config.get("distillation"))
        and processor is None
    )


class BatchRolloutManager:
    """Stands where verl's trainer expects an agent-loop manager.

    Args:
        config: The whole configuration.
        tokenizer: The policy's tokenizer.
        hf_model_type: The model's ``model_type``, which selects verl's chat-template rules.
        servers: Handles of the generation servers.
        reward_workers: Handles of verl's reward workers.
        with_greedy: Whether a greedy response to each training prompt is scored too, as ReMax's baseline; see
            `harness.backend.greedy_baseline.greedy_columns`.
    """

    def __init__(
        self,
        config: DictConfig,
        tokenizer: Any,
        hf_model_type: str | None,
        servers: list,
        reward_workers: list,
        with_greedy: bool = False,
    ) -> None:
        self.config = config
        self.rollout = config.actor_rollout_ref.rollout
        self.tokenizer = tokenizer
        self.servers = servers
        self.reward_workers = reward_workers
        self.with_greedy = with_greedy
        self.builder = create_continuous_token_builder(
            tokenizer,
            hf_model_type=hf_model_type,
            chat_template_kwargs=config.data.get("apply_chat_template_kwargs", {}),
        )
        self.pending: deque[Future[Rollouts]] = deque()
        self.submitted: tuple[int, int] = (-1, 0)  # (global step, prompts submitted in it)
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rollout")

    def generate_sequences(self, prompts: TensorDict) -> None:
        """Start generating and scoring a batch; `collect` waits for it.

        Args:
            prompts: The trainer's batch; each prompt gets ``rollout.n`` responses (``val_kwargs.n`` in validation).
        """
        rows = prompt_rows(prompts)
        validate = bool(rows[0].pop("validate", False)) if rows else False
        for row in rows:
            row.pop("validate", None)
        step = int(rows[0]["global_steps"])
        first = self.submitted[1] if self.submitted[0] == step else 0
        self.submitted = (step, first + len(rows))
        self.pending.append(self.thread.submit(self._produce, rows, validate, step, first))

    def collect(self) -> bool:
        """Wait for the oldest batch and put it into TransferQueue.

        Returns:
            False where nothing is under way.

        Raises:
            Exception: Whatever ended the generation or the scoring.
        """
        if not self.pending:
            return False
        done = self.pending.popleft().result()
        tq.kv_batch_put(keys=done.keys, partition_id=done.partition, fields=ragged_fields(done.rows), tags=done.tags)
        tq.kv_batch_put(keys=done.uids, partition_id=done.partition, tags=[{"status": "finished"}] * len(done.uids))
        return True

    def _produce(self, rows: list[dict[str, Any]], validate: bool, step: int, first: int) -> Rollouts:
        n = self.rollout.val_kwargs.n if validate else self.rollout.n
        greedy = int(self.with_greedy and not validate)
        repeated = [(row, session) for row in rows for session in range(n + greedy)]
        requests = self._requests(repeated, n, validate, self._seeds(validate, step, first, len(rows), n))
        outputs = self._generate(requests, n + greedy)
        texts = self.tokenizer.batch_decode([output.token_ids for output in outputs], skip_special_tokens=True)
        responses = [
            agent_output(request["prompt_ids"], output) for request, output in zip(requests, outputs, strict=True)
        ]
        for (row, session), response, score in zip(
            repeated, responses, self._score(repeated, responses, texts), strict=True
        ):
            response.reward_score = score["reward_score"]
            response.extra_fields["reward_extra_info"] = score["reward_extra_info"]
            if session == n:
                row |= greedy_columns(score["reward_score"], score["reward_extra_info"])
        kept = [place for place, (_, session) in enumerate(repeated) if session < n]
        return pack_rollouts(
            "val" if validate else "train", rows, [repeated[i] for i in kept], [responses[i] for i in kept]
        )

    def _requests(
        self, repeated: list[tuple[dict, int]], n: int, validate: bool, seeds: np.ndarray
    ) -> list[dict[str, Any]]:
        """One for each response; session n of a prompt is the greedy one."""
        sampling = self._sampling(validate)
        waiting = iter(seeds)
        prompt_ids = {id(row): self._prompt_ids(row) for row, session in repeated if session == 0}
        return [
            {
                "prompt_ids": prompt_ids[id(row)],
                "sampling_params": {**sampling, "seed": int(next(waiting))}
                if session < n
                else {**sampling, "temperature": 0.0, "top_p": 1.0, "top_k": -1},
            }
            for row, session in repeated
        ]

    def _sampling(self, validate: bool) -> dict[str, Any]:
        source = self.rollout.val_kwargs if validate else self.rollout
        return {
            "temperature": source.temperature,
            "top_p": source.top_p,
            "top_k": source.top_k,
            "repetition_penalty": 1.0,
            "logprobs": self.rollout.calculate_log_probs,
            "max_tokens": self.rollout.response_length,
        }

    def _seeds(self, validate: bool, step: int, first: int, prompts: int, n: int) -> np.ndarray:
        """One seed a response, decided by the run's seed, the step and the prompt's place in it."""
        root = np.random.SeedSequence([self.rollout.seed, int(validate), step])
        return root.generate_state((first + prompts) * n, np.uint64)[first * n :] >> np.uint64(1)

    def _prompt_ids(self, row: dict[str, Any]) -> list[int]:
        ids = list(self.builder.build_initial_tokens(list(row["raw_prompt"]), tools=None))
        return ids[-self.rollout.prompt_length :]  # verl truncates on the left too

    def _generate(self, requests: list[dict[str, Any]], n: int) -> list[Any]:
        """Responses in the order of the requests; a prompt's responses stay on one server."""
        chunks = _split(requests, len(self.servers), n)
        calls = [
            server.generate_batch.remote(chunk) for server, chunk in zip(self.servers, chunks, strict=True) if chunk
        ]
        return [output for outputs in ray.get(calls) for output in outputs]

    def _score(self, repeated: list[tuple[dict, int]], outputs: list[AgentLoopOutput], texts: list[str]) -> list[dict]:
        if scores_text(self.config):
            samples = [
                sample_from_row(row, text, len(output.response_ids))
                for (row, _), output, text in zip(repeated, outputs, texts, strict=True)
            ]
            chunks = [TextSamples(chunk) for chunk in _split(samples, len(self.reward_workers))]
        else:
            parts = [reward_input(row, output) for (row, _), output in zip(repeated, outputs, strict=True)]
            chunks = [reward_batch(chunk) for chunk in _split(parts, len(self.reward_workers)) if chunk]
        calls = [
            worker.compute_score_batch.remote(chunk) for worker, chunk in zip(self.reward_workers, chunks, strict=False)
        ]
        return [score for scores in ray.get(calls) for score in scores]


def _split(items: Sequence[Any], parts: int, multiple: int = 1) -> list[list[Any]]:
    """Contiguous parts as even as whole multiples allow."""
    units = len(items) // multiple
    bounds = [round(part * units / parts) * multiple for part in range(parts + 1)]
    return [list(items[start:end]) for start, end in pairwise(bounds)]
