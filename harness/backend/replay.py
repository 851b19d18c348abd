"""The replay buffers: verl's own, without its two-second naps, and in the order of the prompts."""

from __future__ import annotations

from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

from harness.backend.batch_rollout import BatchRolloutManager

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


class SyncReplayBuffer(_PromptOrder, ReplayBuffer):
    """For ``trainer_mode=sync``; waits for a batch rollout instead of polling where there is one."""

    rollout: BatchRolloutManager | None = None

    def _wait_for_next_poll(self, partition_id: str, last_debug_time: float) -> float:
        if self.rollout is not None and self.rollout.collect():
            return last_debug_time
        return super()._wait_for_next_poll(partition_id, last_debug_time)


class AsyncReplayBuffer(_PromptOrder, ReplayBufferAsync):
    """For the asynchronous trainer modes."""


def build_replay_buffer(original: Any) -> Any:
    """Turn the buffer that verl's trainer built into ours, keeping its configuration.

    A user's own sampler (``trainer.v1.sampler.custom_sampler``) is left as it is.
    """
    ours = {ReplayBuffer: SyncReplayBuffer, ReplayBufferAsync: AsyncReplayBuffer}.get(type(original))
    if ours is not None:
        original.__class__ = ours
        original.poll_interval = POLL_SECONDS
    return original
