"""What happens to a batch between the replay buffer and training: scored as a whole, counted, chosen, dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import transfer_queue as tq
from tensordict import NonTensorStack
from transfer_queue import KVBatchMeta

from harness.backend.advantages import wants_greedy
from harness.backend.columns import objects_of, read_columns, write_columns
from harness.backend.greedy_baseline import GREEDY_FAILED
from harness.backend.outcomes import keep_prompts, rows_by_prompt
from harness.backend.reward_setup import batch_scoring_service, limits_of
from harness.backend.rewards import sample_for_a_batch
from harness.errors import ComponentError, ConfigurationError, TrainingError
from harness.reward_managers.sample import RewardResult, RewardSample
from harness.reward_managers.spread import NOTE, from_note, rewards_by_token, token_spans
from harness.scoring.failures import FAILED


class SampledBatches:
    """Finishes each batch taken out of the replay buffer.

    Args:
        trainer: The trainer, whose tokenizer, steps and stop tokens are read when the first batch comes.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        self.drop = limits_of(trainer.config).on_error == "drop"
        self.service = batch_scoring_service(trainer.config)
        groups = trainer.config.algorithm.get("filter_groups") or {}
        if self.service is not None and groups.get("enable"):
            raise ConfigurationError(
                "reward_manager scores whole batches; algorithm.filter_groups needs scores before there is one.",
                "Set algorithm.filter_groups.enable=false, or choose a manager that scores each response.",
            )

    def finish(self, batch: KVBatchMeta, partition: str, prompts: int) -> tuple[KVBatchMeta, dict[str, float]]:
        """See `harness.backend.replay.build_replay_buffer`."""
        if self.trainer.reward_loop_manager.reward_loop_worker_handles is None:
            return self._scored_by_verl_later(batch)
        if self.service is not None and partition != "val":
            self.trainer.recorder.stage("scoring", self.trainer.global_steps)
        notes, rewards = self._scored(batch, partition)
        if notes and all(note.get(FAILED) for note in notes):
            raise TrainingError(
                f"reward_fn: none of the {len(notes)} responses could be scored.",
                "See the reasons in the log; a reward that always fails teaches nothing.",
                stage="generating",
            )
        if partition == "val":
            return batch, {}
        metrics = note_means(notes) | {"reward/mean": float(rewards.mean())}
        failed = failed_prompts(batch, [bool(note.get(FAILED)) for note in notes])
        if wants_greedy(self.trainer.advantage_fn):
            greedy = failed_prompts(batch, read_columns(batch, GREEDY_FAILED)[GREEDY_FAILED])
            metrics["scoring/greedy_failed_sum"] = float(len(greedy))
            failed |= greedy
        if self.drop and failed:
            batch = _without_prompts(batch, failed)
        if self.trainer.steps.oversample > 1:
            batch, further = self.trainer.steps.choose(batch, prompts)
            metrics |= further
        return batch, metrics

    def _scored_by_verl_later(self, batch: KVBatchMeta) -> tuple[KVBatchMeta, dict[str, float]]:
        """A reward model on the policy's devices gives its scores after sampling."""
        if self.drop or self.trainer.steps.oversample > 1 or self.service is not None:
            raise ConfigurationError(
                "A reward model without devices of its own scores after sampling, too late for scoring.on_error=drop, "
                "for algorithm_steps.oversample and for managers of whole batches.",
                "Give it some: reward.reward_model.enable_resource_pool=true.",
            )
        return batch, {}

    def _scored(self, batch: KVBatchMeta, partition: str) -> tuple[list[dict[str, Any]], torch.Tensor]:
        """Each row's notes of the reward manager, and its reward; token by token in ``rm_scores`` then."""
        if self.service is not None:
            _require_single_outputs(batch)
            results: list[RewardResult | None] = list(self.service.score_batch(self._samples(batch)))
            notes = [dict(result.extra) for result in results if result is not None]
        else:
            columns = read_columns(batch, "rm_scores", "extra_fields")
            notes = [dict((extra or {}).get("reward_extra_info") or {}) for extra in columns["extra_fields"]]
            require_finite(columns["rm_scores"])
            scores = columns["rm_scores"].sum(dim=1)
            if not any(NOTE in note for note in notes):
                return notes, scores
            _require_single_outputs(batch)
            results = [
                from_note(float(score), note) if NOTE in note else None
                for score, note in zip(scores, notes, strict=True)
            ]
        if partition == "val":
            results = [result and _of_the_response(result) for result in results]
        return notes, self._write(batch, results, notes)

    def _write(
        self, batch: KVBatchMeta, results: list[RewardResult | None], notes: list[dict[str, Any]]
    ) -> torch.Tensor:
        """Store rewards by token and notes; the rows' sums."""
        stored = tq.kv_batch_get(
            keys=batch.keys, partition_id=batch.partition_id, select_fields=["responses", "rm_scores", "extra_fields"]
        )
        rewards = []
        for result, ids, given in zip(results, stored["responses"].unbind(), stored["rm_scores"].unbind(), strict=True):
            if result is None:
                rewards.append(given)
                continue
            spans = token_spans(self.trainer.tokenizer, ids.tolist()) if result.segments else ()
            rewards.append(torch.tensor(rewards_by_token(result, len(ids), spans), dtype=torch.float32))
        extras = [
            {**(extra or {}), "reward_extra_info": note}
            for extra, note in zip(stored.get("extra_fields").tolist(), notes, strict=True)
        ]
        nested = torch.nested.as_nested_tensor(rewards, layout=torch.jagged)
        write_columns(batch, {"rm_scores": nested, "extra_fields": NonTensorStack(*extras)})
        return torch.stack([row.sum() for row in rewards])

    def _samples(self, batch: KVBatchMeta) -> list[RewardSample]:
        stored = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id)
        ids = {name: [row.tolist() for row in stored[name].unbind()] for name in ("prompts", "responses")}
        names = [name for name in stored.keys() if not isinstance(stored.get(name), torch.Tensor)]  # noqa: SIM118
        objects = {name: objects_of(stored.get(name).tolist()) for name in names}
        texts = self.trainer.tokenizer.batch_decode(ids["responses"], skip_special_tokens=True)
        return [
            sample_for_a_batch(
                {name: column[row] for name, column in objects.items()},
                texts[row],
                ids["prompts"][row],
                ids["responses"][row],
            )
            for row in range(len(batch))
        ]


def failed_prompts(batch: KVBatchMeta, failed: Sequence[bool]) -> set[str]:
    """The prompts of which a response could not be scored.

    Args:
        batch: The responses.
        failed: For each of them, whether it could not.
    """
    return {uid for uid, places in rows_by_prompt(batch).items() if any(failed[row] for row in places)}


def _without_prompts(batch: KVBatchMeta, failed: set[str]) -> KVBatchMeta:
    whole = [uid for uid in rows_by_prompt(batch) if uid not in failed]
    if not whole:
        raise TrainingError(
            "scoring.on_error=drop: every group of this step has a response that could not be scored.",
            "See the reasons in the log, or set scoring.on_error=zero.",
            stage="generating",
        )
    return keep_prompts(batch, whole)


def _of_the_response(result: RewardResult) -> RewardResult:
    """A result whose manager rewards every token, with the score that it gives the response: the one to validate by."""
    return result if result.token_rewards is None else replace(result, token_rewards=None, segments=())


def require_finite(rewards: torch.Tensor) -> None:
    """Refuse NaN and infinite rewards, (rows, response length): verl's estimators would go on with them.

    Raises:
        ComponentError: There are some; a manager of verl's, or one of the user's in its place, may give anything.
    """
    wrong = ~torch.isfinite(rewards)
    if wrong.any():
        raise ComponentError(
            f"reward.reward_manager: {int(wrong.any(dim=1).sum())} of {len(rewards)} responses got a reward of "
            f"{float(rewards[wrong][0])}, not a finite number.",
            "Mend the manager or its reward function.",
        )


def _require_single_outputs(batch: KVBatchMeta) -> None:
    """verl gives every output of a session the notes of its last one, which fit the tokens of that alone."""
    if any(not key.endswith("_0") for key in batch.keys):
        raise ConfigurationError(
            "reward_manager: rewards of tokens, steps and whole batches need one output a session, and this agent loop "
            "gives several.",
            "Use a manager that gives each response a score.",
        )


def note_means(notes: list[dict[str, Any]]) -> dict[str, float]:
    """The mean of every number that the reward manager noted, and how many responses could not be scored."""
    metrics = {"scoring/failed_sum": float(sum(bool(note.get(FAILED)) for note in notes))}  # verl adds what says sum
    for name in {name: None for note in notes for name in note}:
        values = [note[name] for note in notes if isinstance(note.get(name), (bool, int, float))]
        if values and name != FAILED:
            metrics[name if "/" in name else f"reward/{name}"] = float(sum(values) / len(values))
    return metrics
