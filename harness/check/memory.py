"""What a GPU has to hold, term by term, from the configuration and the model's sizes.

The terms that are exact (weights, gradients, optimiser states, keys and values) are told apart from those that are
estimated (activations, logits): only the exact ones can refuse a training. FSDP and FSDP2 alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.check.arithmetic import gpus
from harness.check.model_shape import ModelShape, model_shape
from harness.check.problem import Problem
from harness.check.values import lookup

GIGABYTE = 1e9
# what the vendors' names mean, in GB (10^9 bytes)
GPU_MEMORY = {"t4": 16, "v100": 32, "a10g": 24, "l4": 24, "rtx3090": 24, "rtx4090": 24, "a40": 48, "l40s": 48,
              "a100_40gb": 40, "a100": 80, "h100": 80, "gh200": 96, "h200": 141, "b200": 180}  # fmt: skip
RESERVED = 1.5  # CUDA context, NCCL buffers, the allocator's fragments, in GB
_ACTOR, _REF, _ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.ref", "actor_rollout_ref.rollout"
Tree = Mapping[str, Any]


@dataclass(frozen=True)
class Term:
    """One part of a GPU's memory.

    Attributes:
        name: What it is.
        gigabytes: How much, in 10^9 bytes.
        exact: Counted, not estimated.
    """

    name: str
    gigabytes: float
    exact: bool = True


@dataclass(frozen=True)
class Phase:
    """What has to be in a GPU at the same time.

    Attributes:
        name: ``training`` or ``generation``.
        terms: The parts.
        note: What the numbers mean for the run.
    """

    name: str
    terms: tuple[Term, ...]
    note: str = ""

    @property
    def total(self) -> float:
        """The sum in GB."""
        return sum(term.gigabytes for term in self.terms)

    @property
    def counted(self) -> float:
        """The sum of the exact terms in GB."""
        return sum(term.gigabytes for term in self.terms if term.exact)

    def __str__(self) -> str:
        shown = " + ".join(f"{term.name} {term.gigabytes:.1f}" for term in self.terms if term.gigabytes >= 0.05)
        return f"{self.name}: {shown} = {self.total:.1f} GB" + (f"; {self.note}" if self.note else "")


def gpu_memory(tree: Tree) -> float:
    """Memory of the GPU that ``cluster`` names in GB; 0 where it names none."""
    given = lookup(tree, "cluster.gpu_memory_gb")
    if isinstance(given, int | float):
        return float(given)
    return float(GPU_MEMORY.get(str(lookup(tree, "cluster.gpu")).lower(), 0))


def memory_phases(tree: Tree) -> list[Phase]:
    """The phases of a training on GPUs; none where the model's sizes or the engine's are not known."""
    shape = model_shape(str(lookup(tree, "actor_rollout_ref.model.path")))
    if shape is None or lookup(tree, f"{_ACTOR}.strategy") not in ("fsdp", "fsdp2") or _on_cpu(tree):
        return []
    phases = [Phase("training", tuple(_training(tree, shape)))]
    if lookup(tree, f"{_ROLLOUT}.name") in ("vllm", "sglang") and (memory := gpu_memory(tree)):
        phases.append(_generation(tree, shape, memory))
    return phases


def memory_problems(tree: Tree) -> Iterator[Problem]:
    """Phases that cannot fit into the GPU, and those that by the estimate will not."""
    memory, gpu = gpu_memory(tree), lookup(tree, "cluster.gpu")
    known = str(gpu).lower() in GPU_MEMORY or lookup(tree, "cluster.gpu_memory_gb") is not None
    if gpu is not None and not known:
        yield Problem(
            "memory", "cluster.gpu", f"cluster.gpu={gpu}: its memory is not known, so nothing is estimated.",
            f"Known: {', '.join(GPU_MEMORY)}. Or set cluster.gpu_memory_gb.", gpu, warning=True,
        )  # fmt: skip
    for phase in memory_phases(tree) if memory else ():
        if phase.total > memory:
            counted = phase.counted > memory
            yield Problem(
                "memory", "cluster.gpu",
                f"cluster.gpu={gpu}: {phase} is more than its {memory:g} GB.",
                _remedy(phase), gpu, warning=not counted,
            )  # fmt: skip


def _remedy(phase: Phase) -> str:
    if phase.name == "generation":
        return (f"Lower {_ROLLOUT}.gpu_memory_utilization, or let the trainer's weights and optimiser leave the GPU: "
                f"{_ACTOR}.fsdp_config.param_offload=true {_ACTOR}.fsdp_config.optimizer_offload=true.")  # fmt: skip
    largest = max(phase.terms, key=lambda term: term.gigabytes)
    if largest.exact:
        return f"Use more GPUs, or {_ACTOR}.fsdp_config.offload_policy=true (slower)."
    return (f"Lower {_ACTOR}.ppo_micro_batch_size_per_gpu or {_ACTOR}.ppo_max_token_len_per_gpu, the tokens of one "
            "forward pass.")  # fmt: skip


def _on_cpu(tree: Tree) -> bool:
    return lookup(tree, "trainer.device") == "cpu"


def _number(tree: Tree, key: str, otherwise: float = 0) -> float:
    value = lookup(tree, key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def _shards(tree: Tree, engine: str) -> int:
    size = int(_number(tree, f"{engine}.fsdp_size", -1))
    return size if 0 < size < gpus(tree) else gpus(tree)


def _training(tree: Tree, shape: ModelShape) -> Iterator[Term]:
    engine = f"{_ACTOR}.fsdp_config"
    gb, shards = shape.parameters / GIGABYTE, _shards(tree, f"{_ACTOR}.fsdp_config")
    stored = 4 if lookup(tree, f"{engine}.model_dtype") in ("fp32", None) else 2
    trained = _adapter_parameters(tree, shape) / GIGABYTE or gb
    offloaded = bool(lookup(tree, f"{engine}.offload_policy"))
    if not offloaded:
        yield Term("weights", stored * gb / shards)
        yield Term("gradients", stored * trained / shards)
        yield Term("Adam's states", 2 * stored * trained / shards)
    if lookup(tree, "critic.enable") and not lookup(tree, "critic.fsdp.offload_policy"):
        yield Term("critic", 4 * stored * gb / _shards(tree, "critic.fsdp"))
    yield Term("gathered layers", 2 * (2 * shape.layer_parameters + shape.embedding_parameters) / GIGABYTE)
    tokens = _tokens_at_once(tree)
    yield Term("activations", _activations(tree, shape, tokens) / GIGABYTE, exact=False)
    if not lookup(tree, "actor_rollout_ref.model.use_fused_kernels"):
        yield Term("logits", tokens * shape.vocabulary * (2 + 4) / GIGABYTE, exact=False)  # and their gradient
    yield Term("reserved", RESERVED, exact=False)


def _adapter_parameters(tree: Tree, shape: ModelShape) -> int:
    """Weights of LoRA adapters on every linear layer; 0 without."""
    rank = int(_number(tree, "actor_rollout_ref.model.lora_rank"))
    sides = shape.hidden * 7 + shape.head * (2 * shape.heads + 2 * shape.kv_heads) + 3 * shape.inner
    return rank * sides * shape.layers


def _tokens_at_once(tree: Tree) -> float:
    """Tokens of one forward and backward pass on a GPU."""
    share = max(1.0, _number(tree, f"{_ACTOR}.ulysses_sequence_parallel_size", 1))
    if lookup(tree, f"{_ACTOR}.use_dynamic_bsz"):
        return _number(tree, f"{_ACTOR}.ppo_max_token_len_per_gpu", 16384)
    length = _number(tree, "data.max_prompt_length", 512) + _number(tree, "data.max_response_length", 512)
    return _number(tree, f"{_ACTOR}.ppo_micro_batch_size_per_gpu", 1) * length / share


def _activations(tree: Tree, shape: ModelShape, tokens: float) -> float:
    """Bytes: with checkpointing, each layer's input and one layer's insides; without, every layer's insides."""
    inside = 2 * tokens * (8 * shape.hidden + 2 * shape.kv_heads * shape.head + 3 * shape.inner * shape.active)
    if lookup(tree, "actor_rollout_ref.model.enable_gradient_checkpointing"):
        return 2 * tokens * shape.hidden * shape.layers + inside
    return inside * shape.layers


def _generation(tree: Tree, shape: ModelShape, memory: float) -> Phase:
    """The server takes its share of the GPU whatever is in it; what the trainer leaves there comes on top."""
    engine, gb = f"{_ACTOR}.fsdp_config", shape.parameters / GIGABYTE
    shards = _shards(tree, engine)
    ranks = _number(tree, f"{_ROLLOUT}.tensor_model_parallel_size", 1)
    share = _number(tree, f"{_ROLLOUT}.gpu_memory_utilization", 0.5) * memory
    weights = 2 * gb / ranks
    cache = share - weights - RESERVED
    length = _number(tree, "data.max_prompt_length", 512) + _number(tree, "data.max_response_length", 512)
    sequences = max(0.0, cache) * GIGABYTE * ranks / (shape.kv_bytes_per_token * length)
    terms = [Term("the server's weights", weights), Term("its cache and workspace", max(0.0, share - weights))]
    apart = lookup(tree, "trainer.v1.trainer_mode") == "separate_async"
    if not apart and not lookup(tree, f"{engine}.offload_policy"):
        stored = 4 if lookup(tree, f"{engine}.model_dtype") in ("fp32", None) else 2
        trained = _adapter_parameters(tree, shape) / GIGABYTE or gb
        if not lookup(tree, f"{engine}.param_offload"):
            terms.append(Term("the trainer's weights", stored * gb / shards))
        if not lookup(tree, f"{engine}.optimizer_offload"):
            terms.append(Term("its optimiser", 2 * stored * trained / shards))
        if lookup(tree, "critic.enable") and not lookup(tree, "critic.fsdp.param_offload"):
            terms.append(Term("the critic", 3 * stored * gb / _shards(tree, "critic.fsdp")))
    note = f"the cache holds {sequences:,.0f} sequences of {length:,.0f} tokens"
    return Phase("generation", tuple(terms), note)
