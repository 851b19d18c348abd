"""The sizes of the models that `conf/model` offers by hub name, for machines with neither weights nor network.

From each model's published config.json on the hub (Qwen, meta-llama, HuggingFaceTB, PRIME-RL), under its own keys. A
login node can so estimate what a GPU has to hold; a folder or a cached snapshot of the model is read first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEYS = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads",
        "head_dim", "vocab_size", "tie_word_embeddings")  # fmt: skip

QWEN2_5_0_5B = (24, 896, 4864, 14, 2, 64, 151936, True)
QWEN2_5_1_5B = (28, 1536, 8960, 12, 2, 128, 151936, True)
QWEN2_5_3B = (36, 2048, 11008, 16, 2, 128, 151936, True)
QWEN2_5_7B = (28, 3584, 18944, 28, 4, 128, 152064, False)  # Qwen2-7B has the same sizes
QWEN2_5_14B = (48, 5120, 13824, 40, 8, 128, 152064, False)
QWEN2_5_32B = (64, 5120, 27648, 40, 8, 128, 152064, False)
QWEN3_0_6B = (28, 1024, 3072, 16, 8, 128, 151936, True)
QWEN3_1_7B = (28, 2048, 6144, 16, 8, 128, 151936, True)
QWEN3_4B = (36, 2560, 9728, 32, 8, 128, 151936, True)
QWEN3_8B = (36, 4096, 12288, 32, 8, 128, 151936, False)
LLAMA3_2_1B = (16, 2048, 8192, 32, 8, 64, 128256, True)
LLAMA3_2_3B = (28, 3072, 8192, 24, 8, 128, 128256, True)
LLAMA3_1_8B = (32, 4096, 14336, 32, 8, 128, 128256, False)
SMOLLM2_135M = (30, 576, 1536, 9, 3, 64, 49152, True)
SMOLLM2_360M = (32, 960, 2560, 15, 5, 64, 49152, True)
SMOLLM2_1_7B = (24, 2048, 8192, 32, 32, 64, 49152, True)

# hub name: its sizes and max_position_embeddings; None where that is not certain, and then nothing is refused by it
PUBLISHED: dict[str, tuple[tuple[int, ...], int | None]] = {
    "Qwen/Qwen2.5-0.5B": (QWEN2_5_0_5B, 32768),
    "Qwen/Qwen2.5-0.5B-Instruct": (QWEN2_5_0_5B, 32768),
    "Qwen/Qwen2.5-1.5B": (QWEN2_5_1_5B, 131072),
    "Qwen/Qwen2.5-1.5B-Instruct": (QWEN2_5_1_5B, 32768),
    "Qwen/Qwen2.5-3B": (QWEN2_5_3B, 32768),
    "Qwen/Qwen2.5-3B-Instruct": (QWEN2_5_3B, 32768),
    "Qwen/Qwen2.5-7B": (QWEN2_5_7B, 131072),
    "Qwen/Qwen2.5-7B-Instruct": (QWEN2_5_7B, 32768),
    "Qwen/Qwen2.5-14B": (QWEN2_5_14B, 131072),
    "Qwen/Qwen2.5-14B-Instruct": (QWEN2_5_14B, 32768),
    "Qwen/Qwen2.5-32B": (QWEN2_5_32B, 131072),
    "Qwen/Qwen2.5-32B-Instruct": (QWEN2_5_32B, 32768),
    "Qwen/Qwen2.5-Math-1.5B": (QWEN2_5_1_5B, 4096),
    "Qwen/Qwen2.5-Math-7B": (QWEN2_5_7B, 4096),
    "Qwen/Qwen2-7B-Instruct": (QWEN2_5_7B, 32768),
    "Qwen/Qwen3-0.6B": (QWEN3_0_6B, 40960),
    "Qwen/Qwen3-1.7B": (QWEN3_1_7B, 40960),
    "Qwen/Qwen3-4B": (QWEN3_4B, 40960),
    "Qwen/Qwen3-8B": (QWEN3_8B, 40960),
    "meta-llama/Llama-3.2-1B-Instruct": (LLAMA3_2_1B, 131072),
    "meta-llama/Llama-3.2-3B-Instruct": (LLAMA3_2_3B, 131072),
    "meta-llama/Llama-3.1-8B-Instruct": (LLAMA3_1_8B, 131072),
    "HuggingFaceTB/SmolLM2-135M-Instruct": (SMOLLM2_135M, 8192),
    "HuggingFaceTB/SmolLM2-360M-Instruct": (SMOLLM2_360M, 8192),
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": (SMOLLM2_1_7B, 8192),
    "PRIME-RL/Eurus-2-7B-SFT": (QWEN2_5_7B, None),  # fine-tuned from Qwen2.5-Math-7B
}


def published_config(name: str) -> Mapping[str, Any]:
    """What a model's config.json says of its sizes, by its hub name; empty for a model that is not in the table."""
    if name not in PUBLISHED:
        return {}
    sizes, positions = PUBLISHED[name]
    return dict(zip(KEYS, sizes, strict=True)) | {"max_position_embeddings": positions}
