"""What a GPU has to hold, term by term, from the configuration and the model's sizes.

The terms that are exact (weights, gradients, optimiser states, keys and values) are told apart from those that are
estimated (activations, logits): only the exact ones can refuse a training. FSDP, FSDP2 and Megatron.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.check.model_shape import ModelShape, described_model, model_positions, model_shape
from harness.check.problem import Problem
from harness.check.training_memory import (
    ACTOR,
    ENGINES,
    GIGABYTE,
    RESERVED,
    Held,
    Term,
    engine_section,
    held,
    is_megatron,
    number,
    training_terms,
    trains_prime,
)  # fmt: skip
from harness.check.values import lookup

# what the vendors' names mean, in GB (10^9 bytes)
GPU_MEMORY = {"t4": 16, "v100": 32, "a10g": 24, "l4": 24, "rtx3090": 24, "rtx4090": 24, "a40": 48, "l40s": 48,
              "a100_40gb": 40, "a100": 80, "h100": 80, "gh200": 96, "h200": 141, "b200": 180}  # fmt: skip
_ROLLOUT = "actor_rollout_ref.rollout"
Tree = Mapping[str, Any]


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
    shape = model_shape(described_model(tree))
    on_cpu = lookup(tree, "trainer.device") == "cpu"
    if shape is None or on_cpu or lookup(tree, f"{ACTOR}.strategy") not in ENGINES:
        return []
    phases = [Phase("training", tuple(training_terms(tree, shape)))]
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
                _remedy(tree, phase), gpu, warning=not counted,
            )  # fmt: skip
    if memory:
        yield from _one_sequence(tree, memory)


def _one_sequence(tree: Tree, memory: float) -> Iterator[Problem]:
    """vLLM does not start with a cache that is too small for the longest sequence it may be asked for."""
    shape, key = model_shape(described_model(tree)), f"{_ROLLOUT}.gpu_memory_utilization"
    if shape is None or lookup(tree, f"{_ROLLOUT}.name") != "vllm" or lookup(tree, "trainer.device") == "cpu":
        return
    limit = int(number(tree, f"{_ROLLOUT}.max_model_len"))
    longest = limit or model_positions(described_model(tree)) or sum(_lengths(tree))
    ranks = number(tree, f"{_ROLLOUT}.tensor_model_parallel_size", 1)
    share, weights = _server_share(tree, memory), 2 * shape.parameters / GIGABYTE / ranks
    needed = longest * shape.kv_bytes_per_token / ranks / GIGABYTE
    if share - weights - RESERVED < needed:
        why = "" if limit else " (max_model_len is not set)"
        beside = f"leaves {max(0.0, share - weights):.1f} GB beside the server's weights of {weights:.1f} GB"
        yield Problem(
            "memory", key,
            f"{key}={share / memory:g} of {memory:g} GB {beside}. One sequence of {longest:,} tokens{why} takes "
            f"{needed:.1f} GB of cache there, and the workspace about {RESERVED:g} GB.",
            f"Raise it, set {_ROLLOUT}.max_model_len={sum(_lengths(tree))}, or serve from more GPUs: "
            f"{_ROLLOUT}.tensor_model_parallel_size.", share / memory, warning=share - weights >= needed,
        )  # fmt: skip


def _lengths(tree: Tree) -> list[int]:
    """Longest prompt and response, in tokens."""
    return [int(number(tree, f"data.max_{part}_length", 512)) for part in ("prompt", "response")]


def _server_share(tree: Tree, memory: float) -> float:
    """What a generation server takes of each GPU, in GB."""
    return number(tree, f"{_ROLLOUT}.gpu_memory_utilization", 0.5) * memory


def _remedy(tree: Tree, phase: Phase) -> str:
    if phase.name == "generation":
        return (f"Lower {_ROLLOUT}.gpu_memory_utilization, raise {_ROLLOUT}.tensor_model_parallel_size, or let the "
                f"trainer's weights and optimiser leave the GPU: cluster.offload=true.")  # fmt: skip
    largest = max(phase.terms, key=lambda term: term.gigabytes)
    if largest.exact and is_megatron(tree):
        return f"Use more GPUs, or raise {ACTOR}.megatron.tensor_model_parallel_size."
    if largest.exact:
        return f"Use more GPUs, lora=all_linear, or {ACTOR}.fsdp_config.offload_policy=true (slower)."
    return (f"Lower {ACTOR}.ppo_micro_batch_size_per_gpu or {ACTOR}.ppo_max_token_len_per_gpu, the tokens of one "
            "forward pass.")  # fmt: skip


def _generation(tree: Tree, shape: ModelShape, memory: float) -> Phase:
    """The server takes its share of the GPU whatever is in it; what the trainer leaves there comes on top."""
    ranks = number(tree, f"{_ROLLOUT}.tensor_model_parallel_size", 1)
    share = _server_share(tree, memory)
    weights = 2 * shape.parameters / GIGABYTE / ranks
    cache = share - weights - RESERVED
    length = sum(_lengths(tree))
    sequences = max(0.0, cache) * GIGABYTE * ranks / (shape.kv_bytes_per_token * length)
    terms = [Term("the server's weights", weights), Term("its cache and workspace", max(0.0, share - weights))]
    if lookup(tree, "trainer.v1.trainer_mode") != "separate_async":
        terms += _left_by_the_trainer(tree, shape)
    note = f"the cache holds {sequences:,.0f} sequences of {length:,.0f} tokens"
    return Phase("generation", tuple(terms), note)


def _left_by_the_trainer(tree: Tree, shape: ModelShape) -> Iterator[Term]:
    policy, engine = held(tree, shape), engine_section(tree)
    if lookup(tree, f"{engine}.offload_policy"):
        return
    if not lookup(tree, f"{engine}.param_offload"):
        buffers = policy.gradients if is_megatron(tree) else 0.0  # Megatron keeps them from step to step
        yield Term("the trainer's weights", policy.weights + buffers)
    if not lookup(tree, f"{engine}.optimizer_offload"):
        yield Term("its optimiser", policy.states)
    if trains_prime(tree):
        yield from _stays(tree, "the process reward model", engine, policy)
    if lookup(tree, "critic.enable"):
        value = held(tree, shape, "critic", whole=True)
        yield from _stays(tree, "the critic", engine_section(tree, "critic"), value)


def _stays(tree: Tree, name: str, engine: str, model: Held) -> Iterator[Term]:
    weights = 0.0 if lookup(tree, f"{engine}.param_offload") else model.weights
    states = 0.0 if lookup(tree, f"{engine}.optimizer_offload") else model.states
    if weights or states:
        yield Term(name, weights + states)
