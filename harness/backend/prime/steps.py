"""PRIME (arXiv:2502.01456) on verl's V1 trainer: a process reward model of its own, learned while the policy trains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt

from harness.backend.advantages import group_index
from harness.backend.columns import read_columns, write_columns, write_response_columns
from harness.backend.outcomes import outcome_labels
from harness.backend.prime.models import spawn_frozen, spawn_trained
from harness.backend.prime.online_filter import OnlineFilter
from harness.backend.prime.process_reward import pair_accuracy, process_rewards, sign_accuracy
from harness.backend.prime.worker import LABEL, REFERENCE
from harness.backend.steps import AlgorithmSteps
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from transfer_queue import KVBatchMeta

FOLDER = "process_reward_model"  # in a checkpoint
UPDATES = ("before", "after", "none")


class PrimeSteps(AlgorithmSteps):
    """Trains π_φ on the outcomes of each step and gives the advantage function ``process_rewards``.

    Args:
        model_path: What π_φ and its frozen reference start from; null for the policy's own weights.
        update: ``before``: learn from the step's outcomes, then score it (the recipe); ``after``: score with the
            weights from before, then learn (the original script); ``none``: never learn.
        beta: β of q = β log(π_φ / π_ref).
        normalise: Whether process rewards are divided by their batch's largest sum (``batch_norm``).
        optim: verl's optimiser keys for π_φ, over those of the policy's.
        mini_batch_size: Prompts in one update of π_φ; null for the policy's ``ppo_mini_batch_size``.
        oversample: Prompts generated for each one trained on.
        filter: Keys of `OnlineFilter`.
        before_metrics: Whether ``…_before`` metrics are measured with ``update=before``; costs one forward pass.
    """

    def __init__(
        self,
        model_path: str | None = None,
        update: Literal["before", "after", "none"] = "before",
        beta: Annotated[float, Gt(0)] = 0.05,
        normalise: bool = True,
        optim: Mapping[str, Any] | None = None,
        mini_batch_size: Annotated[int, Ge(1)] | None = None,
        oversample: Annotated[int, Ge(1)] = 4,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - the name in the configuration
        before_metrics: bool = True,
    ) -> None:
        if update not in UPDATES:
            raise ConfigurationError(
                f"algorithm_steps.update={update!r} is no way to train the process reward model.",
                f"Choose one of {', '.join(UPDATES)}.",
            )
        if oversample < 1:
            raise ConfigurationError(f"algorithm_steps.oversample={oversample}: at least 1 is needed.")
        self.model_path, self.update, self.beta, self.normalise = model_path, update, beta, normalise
        self.optim, self.mini_batch_size, self.oversample = dict(optim or {}), mini_batch_size, oversample
        self.filter, self.before_metrics = OnlineFilter(**(filter or {})), before_metrics

    def build(self, trainer: Any) -> None:
        """Make π_φ, and its reference where the policy's is not the same."""
        self.trainer = trainer
        self.model = spawn_trained(trainer, self.model_path, self.optim, self.beta)
        shared = trainer.use_reference_policy and self.model_path is None
        self.reference = None if shared else spawn_frozen(trainer, self.model_path)

    def _mini_batch_rows(self, trainer: Any) -> int:
        config = trainer.config.actor_rollout_ref
        return (self.mini_batch_size or config.actor.ppo_mini_batch_size) * config.rollout.n

    def batch_multiple(self, trainer: Any) -> int:
        """Whole mini-batches of π_φ."""
        return self._mini_batch_rows(trainer)

    def choose(self, batch: KVBatchMeta, prompts: int) -> tuple[KVBatchMeta, dict[str, float]]:
        """The online filter."""
        limit = self.trainer.config.actor_rollout_ref.rollout.response_length
        return self.filter.keep(batch, prompts, limit, self.trainer.stop_tokens)

    def before_advantages(self, trainer: Any, batch: KVBatchMeta, metrics: dict[str, Any]) -> None:
        """Learn and score, in the configured order; adds the column ``process_rewards``."""
        write_columns(batch, {LABEL: outcome_labels(batch)})
        write_response_columns(batch, {REFERENCE: self._reference_log_probs(batch)})
        if self.update == "before":
            if self.before_metrics:
                metrics.update(self._quality(batch, self._q(batch), "_before"))
            metrics.update(self._learn(batch))
        q_NT = self._q(batch)
        metrics.update(self._quality(batch, q_NT))
        mask_NT = read_columns(batch, "response_mask")["response_mask"]
        rewards_NT = process_rewards(q_NT, mask_NT, self.beta, self.normalise)
        metrics["reward_model/reward"] = float(rewards_NT[_real(batch)].sum(1).mean())
        metrics["reward_model/raw_reward"] = float((q_NT * mask_NT)[_real(batch)].sum(1).mean())
        write_response_columns(batch, {"process_rewards": rewards_NT})
        if self.update == "after":
            metrics.update(self._learn(batch))

    def _reference_log_probs(self, batch: KVBatchMeta) -> torch.Tensor:
        if self.reference is None:
            return read_columns(batch, "ref_log_prob")["ref_log_prob"]
        return self.reference.log_probs(batch)

    def _q(self, batch: KVBatchMeta) -> torch.Tensor:
        return self.model.log_probs(batch) - read_columns(batch, REFERENCE)[REFERENCE]

    def _learn(self, batch: KVBatchMeta) -> dict[str, float]:
        self.trainer.recorder.stage("updating the process reward model", self.trainer.global_steps)
        measured = self.model.learn(batch, self._mini_batch_rows(self.trainer))
        names = {"dpo_loss": "reward_model/dpo_loss", "grad_norm": "reward_model/grad_norm", "lr": "rm/lr"}
        return {name: float(measured[key]) for key, name in names.items()}

    def _quality(self, batch: KVBatchMeta, q_NT: torch.Tensor, when: str = "") -> dict[str, float]:
        """How well Σ q tells right from wrong."""
        columns = read_columns(batch, "response_mask", LABEL, "uid")
        real = _real(batch)
        scores = (q_NT * columns["response_mask"]).sum(1)[real]
        labels = columns[LABEL][real]
        return {
            f"reward_model/dpo_acc{when}": pair_accuracy(scores, labels, group_index(columns["uid"])[real.numpy()]),
            f"reward_model/dpo_acc_abs{when}": sign_accuracy(scores, labels),
        }

    def save(self, folder: Path, keep: int | None) -> None:
        """π_φ with its optimiser's state."""
        self.model.save(folder / FOLDER, self.trainer.global_steps, keep)

    def load(self, folder: Path) -> None:
        """Continue with π_φ; its absence is an error, since a fresh one would silently start over."""
        if not (folder / FOLDER).is_dir():
            raise ConfigurationError(
                f"{folder} has no {FOLDER}: it was not saved by a training with algorithm=prime.",
                "Resume with the algorithm the checkpoint was made with.",
            )
        self.model.load(folder / FOLDER)


def _real(batch: KVBatchMeta) -> torch.Tensor:
    return torch.tensor([not tag.get("is_padding", False) for tag in batch.tags])
