"""The CPU as a verl platform: FSDP over gloo, with Ray's logical GPUs as training slots."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import torch
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry, set_platform

from harness.config.recipes import cache_root
from harness.records import stacks

KIBIBYTE = 1024  # unit of ru_maxrss on Linux


class CpuDeviceModule(ModuleType):
    """Stands where verl expects ``torch.cuda``: `torch.cpu`, with the memory and random-state calls it lacks."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.cpu, name)

    def empty_cache(self) -> None:
        """Nothing is cached on a CPU."""

    def memory_allocated(self, *_: Any) -> int:
        """Resident memory of this process in bytes."""
        return psutil.Process().memory_info().rss

    def max_memory_allocated(self, *_: Any) -> int:
        """Largest resident memory of this process so far, in bytes."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE

    memory_reserved = memory_allocated
    max_memory_reserved = max_memory_allocated

    def mem_get_info(self, *_: Any) -> tuple[int, int]:
        """(free, total) memory of the machine in bytes."""
        memory = psutil.virtual_memory()
        return memory.available, memory.total

    def reset_peak_memory_stats(self, *_: Any) -> None:
        """The kernel's peak cannot be reset."""

    def set_device(self, *_: Any) -> None:
        """There is one device."""

    def synchronize(self, *_: Any) -> None:
        """CPU operations are done when they return."""

    def get_device_name(self, *_: Any) -> str:
        """The device's name for logs."""
        return "cpu"

    def manual_seed(self, seed: int) -> None:
        """Seed the one generator."""
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def get_rng_state(self, *_: Any) -> torch.Tensor:
        """State of the one generator; it goes into checkpoints."""
        return torch.get_rng_state()

    def set_rng_state(self, state: torch.Tensor, *_: Any) -> None:
        """Restore the state that `get_rng_state` gave."""
        torch.set_rng_state(state)


@PlatformRegistry.register(platform="cpu")
class CpuPlatform(PlatformBase):
    """verl's view of a machine without an accelerator; what each method means is said in `PlatformBase`."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = CpuDeviceModule("harness.backend.cpu.device")

    def is_available(self) -> bool:
        return True

    def is_platform_available(self, use_smi_check: bool = False) -> bool:
        return False  # never chosen by auto-detection: VERL_PLATFORM=cpu asks for it

    def current_device(self) -> str:
        return "cpu"  # verl hands it to Tensor.to()

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        """There is one device."""

    def synchronize(self, device_index: int | None = None) -> None:
        """CPU operations are done when they return."""

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def set_allocator_settings(self, settings: str) -> None:
        """The CPU's allocator has none."""

    def empty_cache(self) -> None:
        """Nothing is cached on a CPU."""

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"  # what Ray sets for its logical GPUs

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None:
        """There is no device profiler."""

    def profiler_stop(self) -> None:
        """There is no device profiler."""

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def rollout_env_vars(self) -> dict[str, str]:
        # vLLM's: a cache that leaves the memory to the trainer; the run's threads, on whatever core is free; and what
        # it compiles for its sampler once, in 20 s
        found = {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "TORCHINDUCTOR_CACHE_DIR": str(cache_root() / "torchinductor"),
        }
        found = {name: os.environ.get(name, value) for name, value in found.items()}
        if of_the_run := os.environ.get(stacks.FOLDER):  # in a folder that the run removes, as vLLM leaves files there
            found |= dict.fromkeys(("TMPDIR", "VLLM_RPC_BASE_PATH"), str(Path(of_the_run).parent))
        return found

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> None:
        return None


def use_cpu_platform() -> None:
    """Make the CPU this process's platform, with as many threads as HARNESS_CPU_THREADS says."""
    # verl's FSDP engine is registered for cuda and npu; on a CPU it runs unchanged
    os.environ.setdefault("VERL_ENGINE_DEVICE", "cuda")
    set_platform(CpuPlatform())
    if threads := os.environ.get("HARNESS_CPU_THREADS"):
        torch.set_num_threads(int(threads))
