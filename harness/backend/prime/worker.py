"""The process reward model in its worker processes: verl's training worker with PRIME's loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from verl.single_controller.base.decorator import make_nd_compute_dataproto_dispatch_fn, register
from verl.utils import tensordict_utils as tu
from verl.utils.metric import AggregationType, Metric
from verl.workers.utils.padding import no_padding_2_padding

from harness.backend.prime.process_reward import outcome_loss
from harness.backend.workers import HarnessTrainingWorker

if TYPE_CHECKING:
    from tensordict import TensorDict

REFERENCE, LABEL = "prime_ref_log_prob", "prime_label"  # columns that the loss reads
_REAL_ROWS = "prime_real_rows"


class ProcessRewardWorker(HarnessTrainingWorker):
    """Divides the loss by the responses of the whole mini-batch, over all workers, padding rows not counted."""

    @register(dispatch_mode=make_nd_compute_dataproto_dispatch_fn(mesh_name="train"), blocking=False)
    def train_batch(self, data: TensorDict) -> TensorDict:
        """See verl."""
        rows = real_rows(data["response_mask"]).sum().float().to(self.device_name)
        torch.distributed.all_reduce(rows, group=self.engine.get_data_parallel_group())
        tu.assign_non_tensor(data, **{_REAL_ROWS: max(rows.item(), 1.0)})
        return super().train_batch(data)


def real_rows(response_mask: torch.Tensor) -> torch.Tensor:
    """(rows,), false for verl's padding rows, whose response mask is empty."""
    rows = response_mask.unbind() if response_mask.is_nested else response_mask
    return torch.stack([row.sum() > 0 for row in rows])


def prime_loss(
    model_output: dict[str, torch.Tensor], data: TensorDict, dp_group: Any = None, beta: float = 0.05
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Binary cross-entropy of σ(β Σ_t q_t) with the label, over a micro-batch.

    Args:
        model_output: ``log_probs`` of π_φ, nested.
        data: The micro-batch with the reference's log-probs and the labels.
        dp_group: Not used.
        beta: β.

    Returns:
        The micro-batch's share of the mini-batch's mean, times the data-parallel size (FSDP averages gradients), and
        metrics. Source: the interface of verl.workers.utils.losses.ppo_loss.
    """
    log_prob_NT = no_padding_2_padding(model_output["log_probs"], data)
    padded = data.select("response_mask", REFERENCE).to_padded_tensor()
    inside_NT = padded["response_mask"] > 0
    scores_N = beta * torch.where(inside_NT, log_prob_NT - padded[REFERENCE], 0.0).sum(1)
    loss = outcome_loss(scores_N, data[LABEL].float(), inside_NT.any(1)) / tu.get(data, _REAL_ROWS) * data["dp_size"]
    return loss, {"dpo_loss": Metric(value=loss.detach(), aggregation=AggregationType.SUM)}
