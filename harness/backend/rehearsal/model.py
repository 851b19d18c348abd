"""The tokenizer and the model's configuration, read as the training will read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.backend.rehearsal.outcome import Outcome, one_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

KEY = "actor_rollout_ref.model.path"


def rehearse_model(config: DictConfig, outcome: Outcome) -> Any:
    """Load the tokenizer.

    Returns:
        The tokenizer; None where there is none to go on with.
    """
    from transformers import AutoConfig, AutoTokenizer

    model = config.actor_rollout_ref.model
    path, trust = str(Path(model.path).expanduser()), bool(model.get("trust_remote_code"))
    try:
        about = AutoConfig.from_pretrained(path, trust_remote_code=trust)
        tokenizer = AutoTokenizer.from_pretrained(model.get("tokenizer_path") or path, trust_remote_code=trust)
    except Exception as error:  # noqa: BLE001  whatever a library or a model's own code raises: it ends the training
        remedy = "Check the path, and that this machine reaches the hub or has the model in its cache."
        outcome.wrong("model", KEY, f"{KEY}={model.path}: cannot be loaded: {one_line(error)}", remedy)
        return None
    if model.get("custom_chat_template"):
        tokenizer.chat_template = model.custom_chat_template
    outcome.say("model", f"{about.model_type}, {len(tokenizer):,} tokens, {_positions(about)} positions")
    _weights(Path(path), outcome)
    if tokenizer.chat_template is None:
        outcome.wrong(
            "model", KEY, f"{KEY}={model.path}: the tokenizer has no chat template, which prompts are put through.",
            "Use the model's instruction-tuned variant, or set actor_rollout_ref.model.custom_chat_template.",
        )  # fmt: skip
        return None
    if len(tokenizer) > about.vocab_size:
        outcome.wrong(
            "model", KEY,
            f"{KEY}={model.path}: the tokenizer has {len(tokenizer):,} tokens, the model {about.vocab_size:,}.",
            "They are not of the same model.",
        )  # fmt: skip
    _fits(config, about, outcome)
    return tokenizer


def _positions(about: Any) -> int | str:
    return getattr(about, "max_position_embeddings", None) or "unlimited"


def _fits(config: DictConfig, about: Any, outcome: Outcome) -> None:
    """Lengths against positions, for models of the hub too, which the check without ``--deep`` does not fetch."""
    positions, needed = _positions(about), config.data.max_prompt_length + config.data.max_response_length
    if isinstance(positions, int) and needed > positions:
        message = f"data.max_prompt_length + data.max_response_length = {needed} is more than {positions} positions."
        outcome.wrong(
            "length", "data.max_response_length", message, f"Use {positions - config.data.max_prompt_length}."
        )


def _weights(folder: Path, outcome: Outcome) -> None:
    """Every file of weights that the index names: half a download loads until the last shard."""
    index = folder / "model.safetensors.index.json"
    if not folder.is_dir():
        return
    if index.is_file():
        named = sorted(set(json.loads(index.read_text()).get("weight_map", {}).values()))
        missing = [name for name in named if not (folder / name).is_file()]
        if missing:
            outcome.wrong("model", KEY, f"{KEY}: {len(missing)} of {len(named)} files of weights are not there, "
                          f"the first {folder / missing[0]}.", "Fetch the model again.")  # fmt: skip
    elif not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        outcome.wrong("model", KEY, f"{KEY}: {folder} has no file of weights.", "Fetch the model again.")
