"""Rollouts of a whole batch at once: one call to each generation server, one to each reward worker, one put.

verl's agent loop sends every response through six remote calls of its own. For single-turn text prompts on the
built-in server in ``trainer_mode=sync`` none of that is needed, and without it the batch that is generated depends on
the order of the prompts alone, never on arrival: the same seed gives the same tokens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
import torch
import transfer_queue as tq
from tensordict import NonTensorData, NonTensorStack, TensorDict
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput
from verl.protocol import DataProto
from verl.trainer.distillation import is_distillation_enabled
from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder

from harness.backend.rewards import TextSamples, sample_from_row, scores_text

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class Rollouts:
    """One finished batch: what goes into TransferQueue."""

    partition: str
    uids: list[str]
    keys: list[str]
    rows: list[dict[str, Any]]
    tags: list[dict[str, Any]]


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
    """

    def __init__(
        self, config: DictConfig, tokenizer: Any, hf_model_type: str | None, servers: list, reward_workers: list
    ) -> None:
        self.config = config
        self.rollout = config.actor_rollout_ref.rollout
        self.tokenizer = tokenizer
        self.servers = servers
        self.reward_workers = reward_workers
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
        rows = _rows(prompts)
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
        tq.kv_batch_put(keys=done.keys, partition_id=done.partition, fields=_fields(done.rows), tags=done.tags)
        tq.kv_batch_put(keys=done.uids, partition_id=done.partition, tags=[{"status": "finished"}] * len(done.uids))
        return True

    def _produce(self, rows: list[dict[str, Any]], validate: bool, step: int, first: int) -> Rollouts:
        sampling = self._sampling(validate)
        n = self.rollout.val_kwargs.n if validate else self.rollout.n
        repeated = [(row, session) for row in rows for session in range(n)]
        prompt_ids = {id(row): self._prompt_ids(row) for row in rows}
        seeds = self._seeds(validate, step, first, len(rows), n)
        requests: list[dict[str, Any]] = [
            {"prompt_ids": prompt_ids[id(row)], "sampling_params": {**sampling, "seed": int(seed)}}
            for (row, _), seed in zip(repeated, seeds, strict=True)
        ]
        outputs = self._generate(requests, n)
        texts = self.tokenizer.batch_decode([output.token_ids for output in outputs], skip_special_tokens=True)
        agent_outputs = [
            _agent_output(request["prompt_ids"], output, step)
            for request, output in zip(requests, outputs, strict=True)
        ]
        for output, score in zip(agent_outputs, self._score(repeated, agent_outputs, texts), strict=True):
            output.reward_score = score["reward_score"]
            output.extra_fields["reward_extra_info"] = score["reward_extra_info"]
        return _rollouts("val" if validate else "train", rows, repeated, agent_outputs)

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
            parts = [_reward_input(row, output) for (row, _), output in zip(repeated, outputs, strict=True)]
            chunks = [_one_proto(chunk) for chunk in _split(parts, len(self.reward_workers)) if chunk]
        calls = [
            worker.compute_score_batch.remote(chunk) for worker, chunk in zip(self.reward_workers, chunks, strict=False)
        ]
        return [score for scores in ray.get(calls) for score in scores]


def _rows(batch: TensorDict) -> list[dict[str, Any]]:
    """The batch's prompts as dictionaries, as verl's agent-loop worker unpacks them."""

    def value(column: Any, index: int) -> Any:
        if isinstance(column, NonTensorData):
            return column.data
        item = column[index]
        return item.data if isinstance(column, NonTensorStack) else item

    names = list(batch.keys())
    return [{name: value(batch.get(name), index) for name in names} for index in range(len(batch))]


def _agent_output(prompt_ids: list[int], output: Any, step: int) -> AgentLoopOutput:
    extra = {**output.extra_fields, "turn_scores": [], "tool_rewards": []}
    version = extra.get("global_steps")
    extra.setdefault("min_global_steps", version)
    extra.setdefault("max_global_steps", version)
    return AgentLoopOutput(
        prompt_ids=prompt_ids,
        response_ids=output.token_ids,
        response_mask=[1] * len(output.token_ids),
        response_logprobs=output.log_probs or None,
        num_turns=2,
        metrics=AgentLoopMetrics(),
        extra_fields=extra,
    )


def _rollouts(
    partition: str, rows: list[dict], repeated: list[tuple[dict, int]], outputs: list[AgentLoopOutput]
) -> Rollouts:
    keys, fields, tags = [], [], []
    for (row, session), output in zip(repeated, outputs, strict=True):
        field = {**output.as_dict(), **{name: value for name, value in row.items() if name != "multi_modal_data"}}
        field["session_id"] = session
        field["loss_mask"] = field["response_mask"]
        field["input_ids"] = torch.cat([field["prompts"], field["responses"]])
        field["position_ids"] = torch.arange(len(field["input_ids"]))
        field["multi_modal_inputs"] = {}
        prompt_length, response_length = len(field["prompts"]), len(field["responses"])
        keys.append(f"{row['uid']}_{session}_0")
        fields.append(field)
        tags.append(
            {
                "status": "success",
                "prompt_len": prompt_length,
                "response_len": response_length,
                "seq_len": prompt_length + response_length,
                "global_steps": row["global_steps"],
                "min_global_steps": output.extra_fields["min_global_steps"],
                "max_global_steps": output.extra_fields["max_global_steps"],
            }
        )
    return Rollouts(partition, [str(row["uid"]) for row in rows], keys, fields, tags)


def _fields(rows: list[dict[str, Any]]) -> TensorDict:
    """Ragged columns: (responses, tokens of each), and objects as they are."""
    columns: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if all(isinstance(value, torch.Tensor) and value.dim() for value in values):
            columns[name] = torch.nested.as_nested_tensor(values, layout=torch.jagged)
        elif all(isinstance(value, torch.Tensor) for value in values):
            columns[name] = torch.stack(values)
        else:
            columns[name] = NonTensorStack(*values)
    return TensorDict(columns, batch_size=[len(rows)])


def _split(items: Sequence[Any], parts: int, multiple: int = 1) -> list[list[Any]]:
    """Contiguous parts as even as whole multiples allow."""
    units = len(items) // multiple
    bounds = [round(part * units / parts) * multiple for part in range(parts + 1)]
    return [list(items[start:end]) for start, end in pairwise(bounds)]


def _reward_input(row: dict[str, Any], output: AgentLoopOutput) -> tuple[dict[str, Any], dict[str, Any], int]:
    tensors = {"prompts": torch.tensor(output.prompt_ids), "responses": torch.tensor(output.response_ids)}
    objects = {**row, "__num_turns__": output.num_turns, "tool_extra_fields": output.extra_fields}
    return tensors, objects, len(output.response_ids)


def _one_proto(parts: list[tuple[dict, dict, int]]) -> DataProto:
    """verl's padded reward input: prompts and responses right-padded, with their attention mask."""
    pad = torch.nn.utils.rnn.pad_sequence
    prompts = [tensors["prompts"] for tensors, _, _ in parts]
    responses = [tensors["responses"] for tensors, _, _ in parts]
    masks = [pad([torch.ones_like(ids) for ids in ids_list], batch_first=True) for ids_list in (prompts, responses)]
    batch = TensorDict(
        {
            "prompts": pad(prompts, batch_first=True),
            "responses": pad(responses, batch_first=True),
            "attention_mask": torch.cat(masks, dim=1),
        },
        batch_size=len(parts),
    )
    objects = {}
    for name in parts[0][1]:
        column = np.empty(len(parts), dtype=object)
        column[:] = [row[name] for _, row, _ in parts]
        objects[name] = column
    return DataProto(batch=batch, non_tensor_batch=objects)
