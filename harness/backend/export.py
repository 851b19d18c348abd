"""Trained models outside verl: a checkpoint as a Hugging Face folder, and text from such a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigurationError, HarnessError

if TYPE_CHECKING:
    from omegaconf import DictConfig

LOG_CHARACTERS = 2000
ADAPTER = "lora_adapter"  # verl's folder for it in a merged model


def export_checkpoint(checkpoint: Path, target: Path) -> Path:
    """Merge a checkpoint's shards with verl's own merger, and a LoRA training's adapter into the model.

    Args:
        checkpoint: A ``global_step_N`` folder of an FSDP training.
        target: Folder to write; must be empty or not there.

    Returns:
        The folder, which `transformers` loads.

    Raises:
        HarnessError: The folder is in use, or verl's merger fails.
    """
    if target.exists() and any(target.iterdir()):
        raise ConfigurationError(f"{target} is not empty.", "Name a new folder, so that nothing is overwritten.")
    command = [sys.executable, "-m", "verl.model_merger", "merge", "--backend", "fsdp"]
    command += ["--local_dir", str(checkpoint / "actor"), "--target_dir", str(target)]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"VERL_PLATFORM": "cpu"}
    )
    if result.returncode:
        raise HarnessError(f"verl's merger could not read {checkpoint}:\n{result.stderr[-LOG_CHARACTERS:]}")
    if (target / ADAPTER).is_dir():
        _merge_adapter(target)
    return target


def _merge_adapter(folder: Path) -> None:
    """verl's merger leaves the untrained model there and the adapter in a folder below, which nothing would load."""
    import torch
    from peft import PeftModel
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM

    written = sorted(folder.glob("*.safetensors*"))
    with safe_open(next(path for path in written if path.suffix == ".safetensors"), "pt") as weights:
        dtype = weights.get_tensor(next(iter(weights.keys()))).dtype  # config.json says bfloat16 whatever it is
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    with torch.no_grad(), TemporaryDirectory(prefix=".merged-", dir=folder) as place:
        PeftModel.from_pretrained(model, str(folder / ADAPTER)).merge_and_unload().save_pretrained(place)
        for path in written:
            path.unlink()
        for path in Path(place).iterdir():
            path.replace(folder / path.name)


def generate_texts(config: DictConfig, prompts: Sequence[str], sampling: Mapping[str, Any]) -> list[str]:
    """Text from the model in ``actor_rollout_ref.model.path``, by the built-in engine in this process.

    Args:
        config: The configuration; its response limit is the default of ``max_tokens``.
        prompts: User messages, put through the model's chat template.
        sampling: Fields of `GenerationRequest`, such as ``temperature`` (greedy by default).
    """
    import torch
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    from harness.backend.generation.engine import GenerationEngine
    from harness.backend.generation.model import GenerationModel
    from harness.backend.generation.requests import GenerationRequest

    path = str(config.actor_rollout_ref.model.path)
    tokenizer = AutoTokenizer.from_pretrained(path)
    device = "cuda" if config.trainer.device == "cuda" else "cpu"
    dtype = getattr(torch, config.actor_rollout_ref.rollout.dtype)
    model = GenerationModel(AutoConfig.from_pretrained(path), dtype, device, checkpoint=path)
    ends = GenerationConfig.from_pretrained(path).eos_token_id
    engine = GenerationEngine(model.module, ends)
    settings = {"max_tokens": config.data.max_response_length, "temperature": 0.0, **sampling}
    messages = [[{"role": "user", "content": prompt}] for prompt in prompts]
    ids = [tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False) for chat in messages]
    outputs = engine.generate_batch([GenerationRequest(prompt_ids=prompt, **settings) for prompt in ids])
    return tokenizer.batch_decode([output.token_ids for output in outputs], skip_special_tokens=True)
