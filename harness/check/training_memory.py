"""What of a model the trainer's engine keeps in a GPU, term by term: FSDP, FSDP2 and Megatron."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.check.arithmetic import gpus, model_parallel_keys, product
from harness.check.model_shape import ModelShape
from harness.check.values import lookup

GIGABYTE = 1e9
RESERVED = 1.5  # CUDA context, NCCL buffers, the allocator's fragments, in GB
ACTOR, REF = "actor_rollout_ref.actor", "actor_rollout_ref.ref"
ENGINES = ("fsdp", "fsdp2", "megatron")
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
class Held:
    """A trained model's share of one GPU, in GB.

    Attributes:
        weights: As the engine stores them.
        gradients: Of what is trained.
        states: Of the optimiser, with its own copy of the weights where it has one.
    """

    weights: float
    gradients: float
    states: float


def training_terms(tree: Tree, shape: ModelShape) -> Iterator[Term]:
    """What has to be in a GPU during an update of the policy."""
    policy = held(tree, shape)
    if not lookup(tree, f"{engine_section(tree)}.offload_policy"):
        yield Term("weights", policy.weights)
        yield Term("gradients", policy.gradients)
        yield Term("Adam's states", policy.states)
    yield from _others(tree, shape)
    if not is_megatron(tree):
        yield Term("gathered layers", 2 * (2 * shape.layer_parameters + shape.embedding_parameters) / GIGABYTE)
    tokens, ranks = _tokens_at_once(tree), _tensor_ranks(tree)
    yield Term("activations", _activations(tree, shape, tokens) / ranks / GIGABYTE, exact=False)
    if not lookup(tree, "actor_rollout_ref.model.use_fused_kernels"):
        logits = tokens * shape.vocabulary * (2 + 4) / ranks  # and their gradient
        yield Term("logits", logits / GIGABYTE, exact=False)
    yield Term("reserved", RESERVED, exact=False)


def held(tree: Tree, shape: ModelShape, section: str = ACTOR, whole: bool = False) -> Held:
    """The share of one GPU.

    Args:
        tree: The resolved configuration.
        shape: The model's sizes.
        section: ``actor_rollout_ref.actor``, or ``critic``, whose model is taken to be of the same sizes.
        whole: All weights are trained whatever LoRA's keys say.
    """
    adapters = 0 if whole else _adapter_parameters(tree, shape)
    gb, trained = shape.parameters / GIGABYTE, (adapters or shape.parameters) / GIGABYTE
    if is_megatron(tree):
        # weights in 16 bits, gradients in 32, and spread over the replicas the optimiser's 32-bit weights and moments
        part = _largest_stage(tree, shape, section) / GIGABYTE
        share = part / gb
        replicas = max(1, gpus(tree) // (_tensor_ranks(tree, section) * _stages(tree, section)))
        return Held(2 * part, 4 * trained * share, 12 * trained * share / replicas)
    engine = engine_section(tree, section)
    stored, shards = stored_bytes(tree, engine), _shards(tree, engine)
    return Held(stored * gb / shards, stored * trained / shards, 2 * stored * trained / shards)


def is_megatron(tree: Tree) -> bool:
    """Whether the policy is trained by Megatron."""
    return lookup(tree, f"{ACTOR}.strategy") == "megatron"


def engine_section(tree: Tree, section: str = ACTOR) -> str:
    """The section that says how the engine of the policy, the reference or the critic is laid out."""
    if is_megatron(tree):
        return f"{section}.megatron"
    return "critic.fsdp" if section == "critic" else f"{section}.fsdp_config"


def stored_bytes(tree: Tree, engine: str) -> int:
    """Bytes of a weight as FSDP stores it."""
    return 4 if lookup(tree, f"{engine}.model_dtype") in ("fp32", None) else 2


def number(tree: Tree, key: str, otherwise: float = 0) -> float:
    """A key's number, or the other one where it has none."""
    value = lookup(tree, key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def lora_rank(tree: Tree) -> int:
    """Rank of the adapters, 0 without; Megatron's engine has a key of its own."""
    return int(number(tree, f"actor_rollout_ref.model.{'lora.rank' if is_megatron(tree) else 'lora_rank'}"))


def _others(tree: Tree, shape: ModelShape) -> Iterator[Term]:
    """Models beside the policy that stay in the GPU: critic, reference, PRIME's reward model.

    What verl's FSDP engine only runs forward, a reference, it keeps in the host's memory whatever the keys say.
    """
    critic = engine_section(tree, "critic")
    if lookup(tree, "critic.enable") and not lookup(tree, f"{critic}.offload_policy"):
        value = held(tree, shape, "critic", whole=True)
        yield Term("critic", value.weights + value.gradients + value.states)
    penalised = lookup(tree, f"{ACTOR}.use_kl_loss") or lookup(tree, "algorithm.use_kl_in_reward")
    reference = engine_section(tree, REF)
    waits = not is_megatron(tree) or lookup(tree, f"{reference}.param_offload")
    policy = held(tree, shape)
    if penalised and not lora_rank(tree) and not waits:  # with adapters it is the policy without them
        yield Term("reference", policy.weights)
    mine = engine_section(tree)
    waits = lookup(tree, f"{mine}.param_offload") or lookup(tree, f"{mine}.offload_policy")
    if trains_prime(tree) and not waits:
        yield Term("process reward model", policy.weights + policy.gradients + policy.states)


def trains_prime(tree: Tree) -> bool:
    """Whether a process reward model of the policy's shape is trained beside it."""
    return str(lookup(tree, "algorithm_steps._target_") or "").endswith("PrimeSteps")


def _shards(tree: Tree, engine: str) -> int:
    size = int(number(tree, f"{engine}.fsdp_size", -1))
    return size if 0 < size < gpus(tree) else gpus(tree)


def _tensor_ranks(tree: Tree, section: str = ACTOR) -> int:
    """GPUs that share each of Megatron's layers; 1 with FSDP."""
    return max(1, int(number(tree, f"{section}.megatron.tensor_model_parallel_size", 1)))


def _stages(tree: Tree, section: str = ACTOR) -> int:
    return max(1, int(number(tree, f"{section}.megatron.pipeline_model_parallel_size", 1)))


def _largest_stage(tree: Tree, shape: ModelShape, section: str) -> float:
    """Weights on a GPU of the first or last of Megatron's pipeline stages, which has an embedding as well."""
    stages = _stages(tree, section)
    embeddings = shape.vocabulary * shape.hidden * (1 if shape.tied or stages > 1 else 2)
    layers = -(-shape.layers // stages)
    return (layers * shape.layer_parameters + embeddings) / _tensor_ranks(tree, section)


def _adapter_parameters(tree: Tree, shape: ModelShape) -> int:
    """Weights of LoRA adapters on every linear layer; 0 without."""
    sides = shape.hidden * 7 + shape.head * (2 * shape.heads + 2 * shape.kv_heads) + 3 * shape.inner
    return lora_rank(tree) * sides * shape.layers


def _tokens_at_once(tree: Tree) -> float:
    """Tokens of one forward and backward pass on a GPU."""
    if lookup(tree, f"{ACTOR}.use_dynamic_bsz"):
        return number(tree, f"{ACTOR}.ppo_max_token_len_per_gpu", 16384)
    length = number(tree, "data.max_prompt_length", 512) + number(tree, "data.max_response_length", 512)
    return (
        number(tree, f"{ACTOR}.ppo_micro_batch_size_per_gpu", 1)
        * length
        / product(tree, model_parallel_keys(tree)[-1:])
    )


def _activations(tree: Tree, shape: ModelShape, tokens: float) -> float:
    """Bytes: with checkpointing, each layer's input and one layer's insides; without, every layer's insides.

    A pipeline holds the layers of one stage for as many micro-batches as it has stages, which is as much.
    """
    inside = 2 * tokens * (8 * shape.hidden + 2 * shape.kv_heads * shape.head + 3 * shape.inner * shape.active)
    recomputed = lookup(tree, "actor_rollout_ref.model.enable_gradient_checkpointing")
    if is_megatron(tree):  # reads no such key
        granularity = lookup(tree, f"{ACTOR}.megatron.override_transformer_config.recompute_granularity")
        recomputed = granularity == "full"
    if recomputed:
        return 2 * tokens * shape.hidden * shape.layers + inside
    return inside * shape.layers
