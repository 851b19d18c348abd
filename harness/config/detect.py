"""What this machine has, found without importing torch: the defaults that adapt a command to it.

Each function is also an OmegaConf resolver, so that `conf/train.yaml` shows where detection decides.
"""

from __future__ import annotations

import math
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf


def visible_gpus() -> int:
    """Number of NVIDIA GPUs this process may use; ``CUDA_VISIBLE_DEVICES`` is honoured."""
    present = len(list(Path("/proc/driver/nvidia/gpus").glob("*"))) or len(list(Path("/dev").glob("nvidia[0-9]*")))
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or not present:
        return present
    return len([gpu for gpu in chosen.split(",") if gpu.strip() not in ("", "-1")])


def detect_device() -> str:
    """``cuda`` where a GPU is visible, else ``cpu``; the variable ``HARNESS_DEVICE`` decides over both."""
    return os.environ.get("HARNESS_DEVICE") or ("cuda" if visible_gpus() else "cpu")


def detect_rollout() -> str:
    """``vllm`` on a GPU where it is installed, else the built-in generation server."""
    return "vllm" if detect_device() == "cuda" and find_spec("vllm") else "builtin"


def detect_attention() -> str:
    """The attention to train with on a GPU: flash-attn's where it is installed, else PyTorch's own kernels."""
    return "flash_attention_2" if find_spec("flash_attn") else "harness_packed"


def detect_accelerators() -> int:
    """GPUs to train on, or one logical slot on a CPU."""
    return visible_gpus() if detect_device() == "cuda" else 1


def detect_gpu() -> str | None:
    """The kind of this machine's GPUs, such as ``h100``; None where there is none, or none that we know."""
    kinds = ("gh200", "b200", "h200", "h100", "a100", "l40s", "a40", "a10g", "l4", "v100", "t4")
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        words = information.read_text().lower().replace("-", " ").split()
        if "a100" in words or any(word.startswith("a100") for word in words):
            return "a100_40gb" if "40gb" in words else "a100"
        return next((kind for kind in kinds if kind in words), None)
    return None


def detect_bf16(device: str | None = None) -> bool:
    """Whether bfloat16 is faster than float32: on every GPU, and on processors with instructions for it.

    Args:
        device: What trains, which need not be what this machine has; that by default.
    """
    if (device or detect_device()) == "cuda":
        return True
    cpuinfo = Path("/proc/cpuinfo")
    words = set(cpuinfo.read_text().split()) if cpuinfo.is_file() else set()
    return not words.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})  # the last one is ARM's


def choose(value: Any, match: Any, then: Any, otherwise: Any) -> Any:
    """``then`` where value equals match, else ``otherwise``: a default that follows another key."""
    return then if value == match else otherwise


def add(*numbers: int) -> int:
    """Their sum: a limit that follows two other keys."""
    return sum(numbers)


def share(total: int, *parts: Any) -> int:
    """What each of ``parts[0] × parts[1] × …`` equal parts gets of a total, at least 1: a batch among all GPUs.

    A part that is no number above 0, which `harness check` reports at its own key, counts as 1.
    """
    among = math.prod(part for part in parts if isinstance(part, int) and part > 0)
    return max(1, total // among)


def register_resolvers() -> None:
    """Make these functions available to YAML as ``${detect_device:}`` and so on."""
    for resolver in (
        detect_device,
        detect_rollout,
        detect_attention,
        detect_accelerators,
        detect_gpu,
        detect_bf16,
    ):
        OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True, use_cache=True)
    OmegaConf.register_new_resolver(choose.__name__, choose, replace=True)
    OmegaConf.register_new_resolver(add.__name__, add, replace=True)
    OmegaConf.register_new_resolver(share.__name__, share, replace=True)
