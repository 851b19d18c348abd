"""Trajectories in verl's shapes: prompts out of a batch, responses into TransferQueue and to the reward workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tensordict import NonTensorData, NonTensorStack, TensorDict
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput
from verl.protocol import DataProto


@dataclass
class Rollouts:
    """One finished batch: what goes into TransferQueue."""

    partition: str
    uids: list[str]
    keys: list[str]
    rows: list[dict[str, Any]]
    tags: list[dict[str, Any]]


def prompt_rows(batch: TensorDict) -> list[dict[str, Any]]:
    """The batch's prompts as dictionaries, as verl's agent-loop worker unpacks them."""

    def value(column: Any, index: int) -> Any:
        if isinstance(column, NonTensorData):
            return column.data
        item = column[index]
        return item.data if isinstance(column, NonTensorStack) else item

    names = list(batch.keys())
    return [{name: value(batch.get(name), index) for name in names} for index in range(len(batch))]


def agent_output(prompt_ids: list[int], output: Any) -> AgentLoopOutput:
    """A server's output as what verl's single-turn agent loop would have made of it."""
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


def pack_rollouts(
    partition: str, rows: list[dict], repeated: list[tuple[dict, int]], outputs: list[AgentLoopOutput]
) -> Rollouts:
    """Responses with keys, fields and tags as verl's agent-loop worker stores them."""
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


def ragged_fields(rows: list[dict[str, Any]]) -> TensorDict:
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


def reward_input(row: dict[str, Any], output: AgentLoopOutput) -> tuple[dict[str, Any], dict[str, Any], int]:
    """One response for a reward manager of verl's: its tensors, its objects and its length."""
    tensors = {"prompts": torch.tensor(output.prompt_ids), "responses": torch.tensor(output.response_ids)}
    objects = {**row, "__num_turns__": output.num_turns, "tool_extra_fields": output.extra_fields}
    return tensors, objects, len(output.response_ids)


def reward_batch(parts: list[tuple[dict, dict, int]]) -> DataProto:
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
