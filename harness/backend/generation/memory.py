"""Where a server's weights live while it runs, sleeps and is updated."""

from __future__ import annotations

import torch

from harness.backend.generation.model import GenerationModel
from harness.backend.generation.weights import WeightSegment


class ModelHost:
    """A model and the shared memory that its weights come through.

    On a CPU the model computes with the shared memory itself. On CUDA the shared memory is the copy in host memory
    that weights come back from after sleep, which frees those on the device.

    Args:
        model: With a checkpoint's weights, or without weights.

    Attributes:
        segment: What the trainer writes to.
        filled: Whether it holds complete weights.
    """

    def __init__(self, model: GenerationModel) -> None:
        self._model = model
        weights = dict(model.named_weights())
        self.filled = all(weight.device.type != "meta" for weight in weights.values())
        self.segment = WeightSegment.create(weights.items(), model.tied_names())
        if self.filled:
            for name, tensor in self.segment.tensors.items():
                tensor.copy_(weights[name])
        self._on_device = model.device.type == "cuda"
        self._awake = False
        self._place()

    def _place(self) -> None:
        tensors = self.segment.tensors
        if self._on_device:
            tensors = {name: tensor.to(self._model.device) for name, tensor in tensors.items()}
        self._model.replace(tensors)
        self._awake = True
        if self.filled:
            self._model.weights_changed()

    def finish_update(self) -> None:
        """The trainer has written every weight."""
        self.filled = True
        if self._on_device:
            self._awake = False
            self._place()
        else:
            self._model.weights_changed()

    def abandon_update(self) -> None:
        """The trainer stopped writing half-way: the weights are neither the old nor the new ones."""
        self.filled = False

    def sleep(self) -> None:
        """Frees the weights on the device; on a CPU they stay."""
        if self._on_device and self._awake:
            self._model.replace({name: torch.empty(0, device=self._model.device) for name in self.segment.tensors})
            self._awake = False
            torch.cuda.empty_cache()

    def wake(self) -> None:
        """Brings the weights back to the device."""
        if not self._awake:
            self._place()
