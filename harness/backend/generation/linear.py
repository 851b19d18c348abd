"""Linear layers on the CPU through oneDNN, which PyTorch's default leaves aside for float32.

For 32 rows of SmolLM2-135M on an AVX-512 processor this takes 0.6 × (float32) and 0.65 × (bfloat16) the time of
``torch.nn.functional.linear``; bfloat16 takes half of float32.
"""

from __future__ import annotations

from typing import cast

import torch

# Below this many weights the call costs more than the arithmetic, and PyTorch's own path is the shorter one.
_MIN_WEIGHTS = 1 << 16


class OneDNNLinear(torch.nn.Linear):
    """A Linear layer that computes with oneDNN; `pack` must be called after every change of its weight."""

    packed: torch.Tensor | None = None

    def pack(self) -> None:
        """Lays the weight out for the processor. In float32 that costs more than a rollout gains, so it stays."""
        if self.weight.dtype == torch.bfloat16:
            self.packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach(), None)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 (PyTorch's name)
        """(…, in_features) → (…, out_features)."""
        weight = self.weight if self.packed is None else self.packed
        return torch.ops.mkldnn._linear_pointwise(input, weight, self.bias, "none", [], "")


def use_onednn(model: torch.nn.Module) -> list[OneDNNLinear]:
    """Makes the large Linear layers of a CPU model compute with oneDNN, where this build and processor have it.

    Returns:
        The layers, to be packed after every change of the weights.
    """
    layers: list[OneDNNLinear] = []
    for module in model.modules():
        if type(module) is torch.nn.Linear and _gains(module.weight):
            module.__class__ = OneDNNLinear
            layers.append(cast("OneDNNLinear", module))
    return layers


def _gains(weight: torch.Tensor) -> bool:
    if weight.device.type != "cpu" or weight.numel() < _MIN_WEIGHTS or not torch.backends.mkldnn.is_available():
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return weight.dtype == torch.float32
