"""The data: columns as the training needs them, and prompts against their limit, in the model's tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.backend.rehearsal.outcome import Outcome, one_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

Row = dict[str, Any]
MEASURED = 2000  # prompts of a file whose tokens are counted, evenly spaced


def rehearse_data(config: DictConfig, tokenizer: Any, outcome: Outcome) -> list[Row]:
    """Read every file.

    Args:
        config: The resolved configuration.
        tokenizer: The model's; None where there is none.
        outcome: Takes what is seen.

    Returns:
        Rows of the training data; none where they cannot be read.
    """
    if (config.data.get("custom_cls") or {}).get("path"):
        outcome.say(
            "data", f"data.custom_cls={config.data.custom_cls.name}: a class of yours reads it; not looked into"
        )
        return []
    found: dict[str, list[Row]] = {}
    for key in ("data.train_files", "data.val_files"):
        files = config.data[key.partition(".")[2]]
        for file in [files] if isinstance(files, str) else files or []:
            rows = _read(key, str(file), outcome)
            if rows and _columns(key, rows, config, outcome) and tokenizer is not None:
                _lengths(key, rows, config, tokenizer, outcome)
            found.setdefault(key, []).extend(rows)
    return found.get("data.train_files", [])


def _read(key: str, file: str, outcome: Outcome) -> list[Row]:
    import pyarrow
    from pyarrow import json as arrow_json
    from pyarrow import parquet

    if "://" in file:
        outcome.say("data", f"{file}: elsewhere; not looked into")
        return []
    path = Path(file).expanduser()
    try:
        table = parquet.read_table(path) if path.suffix == ".parquet" else arrow_json.read_json(path)
    except (OSError, pyarrow.ArrowException) as error:
        outcome.wrong("data", key, f"{key}={file}: cannot be read: {one_line(error)}", "Make the file again.")
        return []
    if not table.num_rows:
        outcome.wrong("data", key, f"{key}={file}: has no rows.", "Make the file again.")
    return table.to_pylist()


def _columns(key: str, rows: Sequence[Row], config: DictConfig, outcome: Outcome) -> bool:
    """Whether there are prompts to go on with; what the reward functions would miss is a warning."""
    name, first = config.data.prompt_key, rows[0]
    if name not in first:
        outcome.wrong("data", key, f"{key}: there is no column {name!r} (data.prompt_key); there are "
                      f"{', '.join(first)}.", "Set data.prompt_key to the column of the prompts.")  # fmt: skip
        return False
    bad = next((number for number, row in enumerate(rows) if not _is_chat(row[name])), None)
    if bad is not None:
        outcome.wrong(
            "data", key, f"{key}: row {bad}'s {name!r} is {str(rows[bad][name])[:60]!r}, not a list of messages.",
            "Write each prompt as [{'role': 'user', 'content': TEXT}].",
        )  # fmt: skip
        return False
    for column, is_there in (("data_source", "data_source" in first), ("reward_model.ground_truth", _truth(first))):
        if not is_there:
            outcome.warn("data", key, f"{key}: there is no {column}; reward functions get nothing for it.")
    return True


def _is_chat(prompt: Any) -> bool:
    return bool(prompt) and isinstance(prompt, list) and all(
        isinstance(message, Mapping) and {"role", "content"} <= message.keys() for message in prompt
    )  # fmt: skip


def _truth(row: Row) -> bool:
    return isinstance(row.get("reward_model"), Mapping) and "ground_truth" in row["reward_model"]


def _lengths(key: str, rows: Sequence[Row], config: DictConfig, tokenizer: Any, outcome: Outcome) -> None:
    """How many prompts are over ``data.max_prompt_length``, which verl cuts on the left or leaves out."""
    chosen = rows[:: max(1, len(rows) // MEASURED)]
    limit, name = config.data.max_prompt_length, config.data.prompt_key
    try:
        lengths = sorted(len(prompt_tokens(row[name], config, tokenizer)) for row in chosen)
    except Exception as error:  # noqa: BLE001  a template's own code
        outcome.wrong("data", key, f"{key}: the chat template does not take its prompts: {one_line(error)}")
        return
    over = sum(length > limit for length in lengths)
    measured = "" if len(chosen) == len(rows) else f" ({len(chosen):,} looked at)"
    outcome.say("data", f"{key}: {len(rows):,} rows{measured}, prompts of {lengths[0]} to {lengths[-1]} tokens, median "
                f"{lengths[len(lengths) // 2]}; over the limit of {limit}: {over / len(lengths):.1%}")  # fmt: skip
    if not over:
        return
    filtered = config.data.get("filter_overlong_prompts")
    lost = "are left out" if filtered else "lose their beginning"
    message = (
        f"data.max_prompt_length={limit}: {over / len(lengths):.1%} of the prompts of {key} are longer and {lost}."
    )
    remedy = f"The longest has {lengths[-1]} tokens."
    if filtered and over == len(lengths):
        outcome.wrong("data", "data.max_prompt_length", message, remedy)
    else:
        outcome.warn("data", "data.max_prompt_length", message, remedy)


def prompt_tokens(prompt: Any, config: DictConfig, tokenizer: Any) -> list[int]:
    """The tokens of a prompt after the chat template. Source: verl.utils.dataset.rl_dataset.RLHFDataset."""
    settings = dict(config.data.get("apply_chat_template_kwargs") or {})
    return tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False, **settings)
