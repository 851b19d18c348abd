"""The sizes of a model, from its config.json alone, or from the table of those that are shipped as options."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.check.values import lookup
from harness.models.sizes import published_config


@dataclass(frozen=True)
class ModelShape:
    """A decoder-only transformer's sizes.

    Attributes:
        layers, hidden, vocabulary: Of the stack, the residual stream and the embedding.
        inner: Of a layer's MLP, or of one expert's.
        experts, active: Experts of a layer and how many a token goes through; 1 and 1 without a mixture.
        heads, kv_heads, head: Attention heads, key-value heads and the size of one.
        tied: Whether embedding and output share their weights.
    """

    layers: int
    hidden: int
    vocabulary: int
    inner: int
    heads: int
    kv_heads: int
    head: int
    experts: int = 1
    active: int = 1
    tied: bool = False

    @property
    def layer_parameters(self) -> int:
        """Weights of one layer, norms left out."""
        attention = self.hidden * self.head * (2 * self.heads + 2 * self.kv_heads)
        router = self.hidden * self.experts if self.experts > 1 else 0
        return attention + 3 * self.hidden * self.inner * self.experts + router

    @property
    def embedding_parameters(self) -> int:
        """Weights of the embedding and the output."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All weights, norms and biases left out (less than a thousandth)."""
        return self.layers * self.layer_parameters + self.embedding_parameters

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of one token in 16 bits, all layers."""
        return 2 * 2 * self.layers * self.kv_heads * self.head


def model_shape(path: str) -> ModelShape | None:
    """Read a model's sizes.

    Args:
        path: A folder, or a hub name whose configuration is in the hub's cache or in `harness.models.sizes`.

    Returns:
        The sizes; None where nothing on this machine tells them, or the model is of another kind.
    """
    try:
        return _shape(_config(path))
    except (ValueError, TypeError, KeyError, ZeroDivisionError):
        return None


def model_positions(path: str) -> int:
    """The longest sequence a model takes, of whatever architecture; 0 where its configuration does not say."""
    positions = _config(path).get("max_position_embeddings")
    return positions if isinstance(positions, int) else 0


def described_model(tree: Mapping[str, Any]) -> str:
    """What to ask the sizes of: the model's folder or hub name; of one that is still to be fetched, its hub name."""
    path, source = str(lookup(tree, "actor_rollout_ref.model.path")), lookup(tree, "prepare.model.repo_id")
    fetched = lookup(tree, "prepare.model.path") == path and isinstance(source, str)
    return source if fetched and not (Path(path) / "config.json").is_file() else path


def _config(path: str) -> Mapping[str, Any]:
    """The part of config.json that describes the language model; empty where nothing tells."""
    for folder in (Path(path).expanduser(), *_cached(path)):
        try:
            config = json.loads((folder / "config.json").read_text())
            text = config.get("text_config") or config
            return text if isinstance(text, Mapping) else {}
        except (OSError, ValueError, AttributeError):
            continue
    return published_config(path)


def _cached(name: str) -> list[Path]:
    """Snapshots of a hub model in the hub's cache; its layout is documented and stable."""
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return sorted(cache.glob(f"models--{name.replace('/', '--')}/snapshots/*")) if name.count("/") == 1 else []


def _shape(config: Mapping[str, Any]) -> ModelShape:
    heads = int(config["num_attention_heads"])
    experts = int(config.get("num_experts") or config.get("num_local_experts") or config.get("n_routed_experts") or 1)
    inner = config.get("moe_intermediate_size") if experts > 1 else None
    return ModelShape(
        layers=int(config["num_hidden_layers"]),
        hidden=int(config["hidden_size"]),
        vocabulary=int(config["vocab_size"]),
        inner=int(inner or config["intermediate_size"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head=int(config.get("head_dim") or config["hidden_size"] // heads),
        experts=experts,
        active=int(config.get("num_experts_per_tok") or 1),
        tied=bool(config.get("tie_word_embeddings")),
    )
