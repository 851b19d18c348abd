"""verl's FSDP engine on a CPU: the same losses and gradients with less arithmetic.

Where nothing but text is trained on, a prompt is computed once for all its responses (`shared_prefix`) and the
vocabulary's logits for response tokens alone (`token_scores`). Everything else runs as in verl's own class.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import torch
from verl.utils import tensordict_utils as tu
from verl.utils.model import extract_multi_modal_inputs
from verl.workers.engine.base import EngineRegistry
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead, FSDPEngineWithValueHead

from harness.backend.cpu.shared_prefix import SharedPrefixLayout, share_prefixes
from harness.backend.token_scores import token_scores

if TYPE_CHECKING:
    from tensordict import TensorDict
    from transformers import PreTrainedModel

LAYOUT = "shared_prefix_layout"  # in verl's output_args
_OTHER_OUTPUTS = ("use_remove_padding", "use_fused_kernels", "calculate_sum_pi_squared", "distillation_use_topk")


class _SharedPrefixEngine(FSDPEngineWithLMHead):
    """What the policy's and the critic's engine share."""

    def prepare_model_inputs(self, micro_batch: TensorDict) -> tuple[dict[str, Any], dict[str, Any]]:
        """See verl; the packed layout where it applies."""
        if not self._shares(micro_batch):
            return super().prepare_model_inputs(micro_batch)
        ids, positions = micro_batch["input_ids"], micro_batch["position_ids"]
        layout = share_prefixes(ids.values(), ids.offsets(), micro_batch["prompts"].offsets().diff())
        inputs = {
            "input_ids": layout.place(ids.values()),
            "attention_mask": layout.attention_mask,
            "position_ids": layout.place(positions.values()),
        }
        return inputs, {LAYOUT: layout}

    def _build_optimizer(self, module: torch.nn.Module) -> torch.optim.Optimizer:
        """verl's, in one pass over the parameters where the optimiser has one."""
        config = self.optimizer_config
        if config.optimizer_impl == "torch.optim" and config.optimizer in ("Adam", "AdamW"):
            settings = {"fused": True, **(config.override_optimizer_config or {})}
            self.optimizer_config = dataclasses.replace(config, override_optimizer_config=settings)
        return super()._build_optimizer(module)

    def _shares(self, micro_batch: TensorDict) -> bool:
        if any(tu.get_non_tensor_data(micro_batch, key, default=False) for key in _OTHER_OUTPUTS):
            return False
        if "prompts" not in micro_batch or extract_multi_modal_inputs(micro_batch.get("multi_modal_inputs", [])):
            return False
        ids, positions = micro_batch["input_ids"], micro_batch["position_ids"]
        return positions.dim() == 2 and _plain_attention(self.module) and _counted(positions.values(), ids.offsets())


def _plain_attention(module: PreTrainedModel) -> bool:
    """Whether every layer is full attention that takes a mask of our own."""
    config = module.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    return (
        getattr(module, "_supports_attention_backend", False)
        and config._attn_implementation in ("sdpa", "eager")
        and set(kinds) == {"full_attention"}
        and getattr(config, "sliding_window", None) is None
    )


def _counted(positions: torch.Tensor, offsets: torch.Tensor) -> bool:
    """Whether each sequence's positions are 0, 1, 2, …, so that equal prompts have equal positions."""
    lengths = offsets.diff()
    expected = torch.arange(len(positions)) - torch.repeat_interleave(offsets[:-1], lengths)
    return bool((positions == expected).all())


@EngineRegistry.register(model_type="language_model", backend=["fsdp", "fsdp2"], device="cpu")
class CpuLanguageModelEngine(_SharedPrefixEngine):
    """The policy and the reference policy."""

    _wanted: torch.Tensor | None = None  # places of the coming forward pass whose logits are wanted

    def initialize(self) -> None:
        """See verl; the output layer is then asked for wanted logits alone."""
        super().initialize()
        self.module.get_output_embeddings().register_forward_pre_hook(self._select_wanted)

    def _select_wanted(self, head: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> Any:
        wanted, self._wanted = self._wanted, None
        return None if wanted is None else (arguments[0].flatten(0, 1)[wanted][None],)

    def prepare_model_inputs(self, micro_batch: TensorDict) -> tuple[dict[str, Any], dict[str, Any]]:
        """See verl."""
        inputs, output_args = super().prepare_model_inputs(micro_batch)
        self._wanted = output_args[LAYOUT].readers if LAYOUT in output_args else None
        return inputs, output_args

    def prepare_model_outputs(
        self, output: Any, output_args: dict[str, Any], micro_batch: TensorDict, logits_processor_func: Any
    ) -> dict[str, torch.Tensor]:
        """See verl; log-probs and entropies of response tokens, zero at the prompt's."""
        layout: SharedPrefixLayout | None = output_args.get(LAYOUT)
        if layout is None:
            return super().prepare_model_outputs(output, output_args, micro_batch, logits_processor_func)
        ids = micro_batch["input_ids"]
        log_probs, entropy = token_scores(
            output.logits[0],
            ids.values()[layout.targets],
            _temperatures(micro_batch["temperature"], ids.offsets(), layout.targets),
            tu.get_non_tensor_data(micro_batch, "calculate_entropy", default=False),
        )
        scores = {"log_probs": log_probs} if entropy is None else {"log_probs": log_probs, "entropy": entropy}
        return {name: _before_targets(values, layout, ids) for name, values in scores.items()}


@EngineRegistry.register(model_type="value_model", backend=["fsdp", "fsdp2"], device="cpu")
class CpuValueModelEngine(_SharedPrefixEngine, FSDPEngineWithValueHead):
    """The critic."""

    def prepare_model_outputs(
        self, output: Any, output_args: dict[str, Any], micro_batch: TensorDict, logits_processor_func: Any
    ) -> dict[str, torch.Tensor]:
        """See verl; values of the states before response tokens, zero elsewhere."""
        layout: SharedPrefixLayout | None = output_args.get(LAYOUT)
        if layout is None:
            return super().prepare_model_outputs(output, output_args, micro_batch, logits_processor_func)
        values = output.logits.flatten()[layout.readers]
        return {"values": _before_targets(values, layout, micro_batch["input_ids"])}


def use_cpu_engines() -> None:
    """Let verl's workers in this process choose the engines of this module."""
    os.environ["VERL_ENGINE_DEVICE"] = "cpu"


def _temperatures(temperature: float | torch.Tensor, offsets: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """One for each response token, from one for all or one a sequence."""
    if not isinstance(temperature, torch.Tensor):
        return torch.full((len(targets),), float(temperature))
    return temperature.float()[torch.searchsorted(offsets, targets, right=True) - 1]


def _before_targets(values: torch.Tensor, layout: SharedPrefixLayout, ids: torch.Tensor) -> torch.Tensor:
    """Values of response tokens where verl reads them: at the place of the token before, in a nested tensor."""
    flat = torch.zeros(len(ids.values()), dtype=values.dtype).index_copy(0, layout.targets - 1, values)
    return torch.nested.nested_tensor_from_jagged(flat, ids.offsets())
