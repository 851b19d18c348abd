"""The replay buffers: verl's own, without its naps, in the order of the prompts, and with an end to refilling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from verl.trainer.ppo.v1.replay_buffer import DAPO_FILTERED_REWARD_COUNTS_KEY, ReplayBuffer, ReplayBufferAsync

from harness.backend.batch_rollout import BatchRolloutManager
from harness.errors import TrainingError
from harness.records.signs import give_sign

Finish = Callable[[Any, str, int], tuple[Any, dict[str, float]]]
POLL_SECONDS = 0.02  # verl's default is 2.0: a finished batch waits a second on average


class _PromptOrder:
    """Prefers older prompts, and of one step those that were submitted first.

    verl sorts a set of random ids by step alone, so that what is kept of a surplus depends on the process's hash seed.
    """

    def _select_prompt_uids(
        self, partition_id: str, sampleable_keys: set[str], batch_size: int
    ) -> tuple[list[str], dict[str, dict], dict[str, int]]:
        steps = dict(self.prompt_global_steps[partition_id])
        submitted = {uid: place for place, uid in enumerate(steps)}
        ordered = sorted(sampleable_keys, key=lambda uid: (steps.get(uid, 0), submitted.get(uid, 0)))
        return ordered[:batch_size], dict(self.partitions[partition_id]), steps


class _BoundedRefill:
    """Ends a training whose data gives no signal; verl generates for ever then and ignores ``max_num_gen_batches``."""

    max_gen_batches = 0  # batches generated for one step, the first one included; 0 for no limit
    prompts_generated = 0
    without_signal: Counter

    def bound_refills(self, max_gen_batches: int) -> None:
        """Let ``refill_fn`` count."""
        self.max_gen_batches, self.without_signal = max_gen_batches, Counter()
        refill: Callable[[int], int] = self.refill_fn

        def counted(prompts: int) -> int:
            self.prompts_generated += prompts
            return refill(prompts)

        self.refill_fn = counted

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict]:
        """See verl."""
        if partition_id != "val":
            self.prompts_generated, self.without_signal = batch_size, Counter()
        return super().sample(global_steps, partition_id, batch_size)

    def _evict_terminal_groups(self, global_steps: int, partition_id: str, reasons: tuple) -> tuple:
        evicted = super()._evict_terminal_groups(global_steps, partition_id, reasons)
        self.without_signal.update(evicted[3].get(DAPO_FILTERED_REWARD_COUNTS_KEY, {}))
        limit = self.max_gen_batches * self.train_batch_size
        if (
            limit
            and evicted[2]
            and self.prompts_generated >= limit
            and self._kept(partition_id) < self.train_batch_size
        ):
            raise self._no_signal(global_steps, limit)
        return evicted

    def _kept(self, partition_id: str) -> int:
        """Groups with a signal, and those that are still being generated."""
        waiting = self.pending_keys[partition_id] | self.running_keys[partition_id]
        return len(self.finished_keys[partition_id] | waiting)

    def _no_signal(self, step: int, limit: int) -> TrainingError:
        metric = self.filter_groups_metric
        same = ", ".join(f"{groups} with {metric} {value:g}" for value, groups in sorted(self.without_signal.items()))
        return TrainingError(
            f"algorithm.filter_groups: {limit} prompts were generated for step {step} and fewer than "
            f"data.train_batch_size={self.train_batch_size} of them have responses that differ in {metric} "
            f"(all the same: {same}).",
            "Choose data that the model solves sometimes, raise actor_rollout_ref.rollout.n or "
            "algorithm.filter_groups.max_num_gen_batches, or set algorithm.filter_groups.enable=false.",
            stage="generating",
        )


class _Finishing:
    """Hands every batch that is taken out to ``finish``, which scores it as a whole, counts, chooses and drops.

    A response that has come in is a sign that the stage goes on.
    """

    finish: Finish
    oversample = 1  # prompts awaited for each one trained on
    responses = 0  # that were there at the last look

    def _sync_metadata_from_transfer_queue(self) -> None:
        super()._sync_metadata_from_transfer_queue()
        responses = sum(len(partition) for partition in self.partitions.values())
        if responses != self.responses:
            self.responses = responses
            give_sign()

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict]:
        """See verl."""
        wanted = batch_size if partition_id == "val" else batch_size * self.oversample
        batch, metrics = super().sample(global_steps, partition_id, wanted)
        finished, further = self.finish(batch, partition_id, batch_size)
        return finished, metrics | further


class SyncReplayBuffer(_Finishing, _PromptOrder, _BoundedRefill, ReplayBuffer):
    """For ``trainer_mode=sync``; waits for a batch rollout instead of polling where there is one."""

    rollout: BatchRolloutManager | None = None

    def _wait_for_next_poll(self, partition_id: str, last_debug_time: float) -> float:
        if self.rollout is not None and self.rollout.collect():
            return last_debug_time
        return super()._wait_for_next_poll(partition_id, last_debug_time)


class AsyncReplayBuffer(_Finishing, _PromptOrder, _BoundedRefill, ReplayBufferAsync):
    """For the asynchronous trainer modes."""


def build_replay_buffer(
    original: Any, train_batch_size: int, max_gen_batches: int, oversample: int, finish: Finish
) -> Any:
    """Turn the buffer that verl's trainer built into ours, keeping its configuration.

    It is the object's class that changes, and no class of verl's: verl gives one that is named in its extension point,
    ``trainer.v1.sampler.custom_sampler``, less than its own, nothing of ``algorithm.filter_groups``.

    A user's own sampler (``trainer.v1.sampler.custom_sampler``) goes on as it is, and ``finish`` sees what it samples.

    Args:
        original: verl's buffer.
        train_batch_size: Prompts a step.
        max_gen_batches: Most batches generated for one step (``algorithm.filter_groups.max_num_gen_batches``).
        oversample: Prompts generated for each one trained on.
        finish: Called with every batch, its partition and the prompts wanted; returns what is used, and metrics.
    """
    ours = {ReplayBuffer: SyncReplayBuffer, ReplayBufferAsync: AsyncReplayBuffer}.get(type(original))
    if ours is None:  # a sampler of the user's own keeps its ways
        original.__class__ = type(f"Finishing{type(original).__name__}", (_Finishing, type(original)), {})
    else:
        original.__class__ = ours
        original.poll_interval = POLL_SECONDS
        original.train_batch_size = train_batch_size
        original.bound_refills(max_gen_batches)
    original.oversample, original.finish = oversample, finish
    return original
