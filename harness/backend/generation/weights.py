"""Weights from the trainer to the generation server on the same host, through one piece of shared memory.

The server lays its weights out in an anonymous memory file once; on a CPU its model computes with them in place. The
trainer maps the same memory and each step copies its weights there, casting to the server's type on the way. Nothing
is pickled, and since the file has no name, nothing is left behind however a process ends.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.errors import ConfigurationError, TrainingError

# oneDNN and PyTorch's vector kernels are fastest on, and give the same bits for, weights on a cache line.
_ALIGNMENT = 64
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class WeightSpec:
    """Where one weight lies.

    Attributes:
        name: Hugging Face name.
        shape: Of the tensor.
        dtype: The server's.
        offset: Bytes from the start of the segment.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    offset: int


@dataclass(frozen=True, slots=True)
class SegmentHandle:
    """What another process on this host needs to map a segment; small and picklable.

    Attributes:
        path: Of the memory, as long as its owner lives.
        size: Bytes.
        specs: Every weight.
        tied: Other names of the same weights, {alias: name}.
    """

    path: str
    size: int
    specs: tuple[WeightSpec, ...]
    tied: dict[str, str]


class WeightSegment:
    """Weights in shared memory.

    Attributes:
        handle: For other processes.
        tensors: {name: view of the shared memory}.
    """

    def __init__(self, handle: SegmentHandle, descriptor: int, owner: bool) -> None:
        self.handle = handle
        self._descriptor = descriptor if owner else None
        memory = mmap.mmap(descriptor, handle.size)  # shared between processes; the tensors keep it mapped
        if not owner:
            os.close(descriptor)
        self.tensors = {spec.name: _view(memory, spec) for spec in handle.specs}

    @classmethod
    def create(cls, weights: Iterable[tuple[str, torch.Tensor]], tied: dict[str, str]) -> WeightSegment:
        """Makes a zero-filled segment with room for these weights; only their names, shapes and types are looked at."""
        specs, offset = [], 0
        for name, weight in weights:
            specs.append(WeightSpec(name, tuple(weight.shape), weight.dtype, offset))
            offset += -(-weight.numel() * weight.dtype.itemsize // _ALIGNMENT) * _ALIGNMENT
        descriptor = os.memfd_create("harness-weights", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, offset)
        path = f"/proc/{os.getpid()}/fd/{descriptor}"
        return cls(SegmentHandle(path, offset, tuple(specs), tied), descriptor, owner=True)

    @classmethod
    def attach(cls, handle: SegmentHandle) -> WeightSegment:
        """Maps a segment of another process on this host.

        Raises:
            TrainingError: Its owner is gone, or runs on another host.
        """
        if not Path(handle.path).exists():
            raise TrainingError(
                f"the generation server's weights at {handle.path} are not there: the server has ended or runs on "
                "another host",
                "look at the server's own error above this one in the log",
                stage="weight sync",
            )
        return cls(handle, os.open(handle.path, os.O_RDWR | os.O_CLOEXEC), owner=False)

    def close(self) -> None:
        """Lets go of the memory; it is freed once no tensor of any process uses it."""
        self.tensors = {}
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _view(memory: mmap.mmap, spec: WeightSpec) -> torch.Tensor:
    count = 1
    for size in spec.shape:
        count *= size
    return torch.frombuffer(memory, dtype=spec.dtype, count=count, offset=spec.offset).view(spec.shape)


class WeightWriter:
    """Copies one complete set of weights into a segment.

    Problems are collected and reported by `finish`, all at once: producing each weight is collective over the training
    workers, so a worker that stopped half-way would leave the others waiting for ever.
    """

    def __init__(self, segment: WeightSegment) -> None:
        self._tensors = segment.tensors
        self._tied = segment.handle.tied
        self._written: set[str] = set()
        self._unknown: list[str] = []
        self._misshapen: list[str] = []

    @torch.no_grad()
    def write(self, name: str, weight: torch.Tensor) -> None:
        """Copies one weight, casting it to the server's type."""
        name = self._tied.get(name, name)
        target = self._tensors.get(name)
        if target is None:
            self._unknown.append(name)
        elif target.shape != weight.shape:
            self._misshapen.append(f"{name} {list(weight.shape)} instead of {list(target.shape)}")
        elif name not in self._written:  # a tied weight comes once under each of its names
            target.copy_(weight.detach())
            self._written.add(name)

    def finish(self) -> None:
        """Checks that every weight has come.

        Raises:
            ConfigurationError: LoRA adapters came instead of merged weights.
            TrainingError: Names are missing, unexpected or of another shape.
        """
        adapters = [name for name in self._unknown if name.startswith("base_model.") or ".lora_" in name]
        if adapters:
            raise ConfigurationError(
                f"the trainer sends LoRA adapters ({_some(adapters)}), and the builtin generation server takes merged "
                "weights",
                "set actor_rollout_ref.model.lora.merge=True",
            )
        missing = [name for name in self._tensors if name not in self._written]
        problems = [
            f"{kind}: {_some(names)}"
            for kind, names in (
                ("missing", missing),
                ("not in the server's model", self._unknown),
                ("of another shape", self._misshapen),
            )
            if names
        ]
        if problems:
            raise TrainingError(
                "the trainer's weights do not fit the generation server's model; " + "; ".join(problems),
                "trainer and rollout must load the same model: see actor_rollout_ref.model.path and .override_config",
                stage="weight sync",
            )


def write_weights(segment: WeightSegment, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Copies a complete set of weights into a segment; see `WeightWriter` for what it raises."""
    writer = WeightWriter(segment)
    for name, weight in weights:
        writer.write(name, weight)
    writer.finish()


def _some(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
