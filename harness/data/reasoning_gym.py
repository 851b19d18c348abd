"""Prompts from reasoning-gym, the library of procedurally made, verifiable tasks, with held-out prompts of their own.

Each row keeps the library's entry as JSON text in ``extra_info["reasoning_gym"]``, so that the library's own scorer can
judge a response to it (``harness.rewards.reasoning_gym``). Library: https://github.com/open-thought/reasoning-gym
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from harness.data.parquet import Row, make_row, write_splits
from harness.errors import ConfigurationError

# Entries looked at per row asked for, before a task counts as too small. Entries repeat: there are few one-digit sums.
ENTRIES_PER_ROW = 50


def make_reasoning_gym(
    path: Path,
    *,
    tasks: Mapping[str, Mapping[str, Any]],
    train_size: int,
    validation_size: int,
    seed: int = 0,
    system: str | None = None,
    prompt: str = "{question}",
    examples: int = 0,
) -> None:
    """Write ``train.parquet`` and ``validation.parquet``, which share no question.

    Held-out questions are all different. Training rows follow the task's own distribution and may repeat.

    Args:
        path: Empty folder to fill.
        tasks: Name of each task → its configuration in the library, e.g. ``{"chain_sum": {"max_terms": 3}}``. Every
            task gets the same share of both splits.
        train_size: Rows to train on.
        validation_size: Rows held out. They do not depend on ``train_size``.
        seed: Of the library's generators.
        system: System message; None leaves it to the model's chat template, "" is an empty one.
        prompt: The user's message, with ``{question}`` and the text and number fields of the entry's metadata
            filled in.
        examples: Solved entries shown before each prompt as turns of the chat, the same ones everywhere.

    Raises:
        ConfigurationError: A task, a key of its configuration or a field of ``prompt`` does not exist, or a task has
            too few different questions.
    """
    sizes = {"validation": validation_size, "train": train_size}
    write_splits(path, reasoning_gym_rows(tasks, sizes, seed=seed, system=system, prompt=prompt, examples=examples))


def reasoning_gym_rows(
    tasks: Mapping[str, Mapping[str, Any]],
    sizes: Mapping[str, int],
    *,
    seed: int = 0,
    system: str | None = None,
    prompt: str = "{question}",
    examples: int = 0,
) -> dict[str, list[Row]]:
    """The rows of each split; see `make_reasoning_gym` for the arguments.

    Args:
        tasks: As there.
        sizes: Rows of each split. They are drawn in this order, so a split does not depend on the sizes after it; only
            in the last one may questions repeat.
        seed: As there.
        system: As there.
        prompt: As there.
        examples: As there.
    """
    if not tasks:
        raise ConfigurationError(
            "prepare.data.tasks is empty.",
            "Choose a task of reasoning-gym, such as '+prepare.data.tasks.chain_sum={max_terms: 2}'.",
        )
    splits: dict[str, list[Row]] = {split: [] for split in sizes}
    last = list(sizes)[-1]
    for position, (name, config) in enumerate(tasks.items()):
        shares = {split: _share(total, len(tasks), position) for split, total in sizes.items()}
        total = examples + sum(shares.values())
        entries = _entries(name, dict(config), seed, total - shares[last], total)
        shown = _turns(list(islice(entries, examples)), prompt)
        for split, rows in splits.items():
            for entry in islice(entries, shares[split]):
                messages = [*_opening(system), *shown, _user_message(entry, prompt)]
                rows.append(_row(name, config, entry, messages, len(rows), split))
    return splits


def _share(total: int, parts: int, position: int) -> int:
    """Rows of the part at ``position`` when ``total`` rows are dealt out evenly, the first ones getting the rest."""
    return total // parts + (position < total % parts)


def _entries(name: str, config: dict[str, Any], seed: int, held_out: int, count: int) -> Iterator[dict[str, Any]]:
    """Entries of a task: first ``held_out`` that differ in their question, then others that share none with those.

    All come from one stream: the library seeds entry i with seed + i, so streams of neighbouring seeds share entries.
    """
    stream = _create(name, {**config, "seed": seed, "size": count * ENTRIES_PER_ROW})
    _require_storable(name, stream)
    kept: set[str] = set()
    given = 0
    for entry in stream:
        if given == count:
            return
        if entry["question"] in kept:
            continue
        if given < held_out:
            kept.add(entry["question"])
        given += 1
        yield entry
    if given < count:
        raise ConfigurationError(
            f"prepare.data.tasks.{name} has too few different questions: its first {count * ENTRIES_PER_ROW} entries "
            f"give {len(kept)} of the {held_out} to hold out or show, and {given - len(kept)} of the "
            f"{count - held_out} to train on that are none of those.",
            "Lower prepare.data.validation_size, or widen the task, e.g. by its max_digits.",
        )


def _create(name: str, config: dict[str, Any]) -> Any:
    import reasoning_gym  # slow to import, and needed only when a data set is made
    from reasoning_gym.factory import DATASETS

    if name not in DATASETS:
        raise ConfigurationError(
            f"prepare.data.tasks.{name}: reasoning-gym {version('reasoning-gym')} has no such task.",
            f"It has {', '.join(sorted(DATASETS))}.",
        )
    try:
        return reasoning_gym.create_dataset(name, **config)
    except (TypeError, AssertionError, ValueError) as error:
        fields = sorted(set(DATASETS[name][1].__dataclass_fields__) - {"seed", "size"})
        raise ConfigurationError(
            f"prepare.data.tasks.{name}={config} is refused by reasoning-gym: {error}.",
            f"Its keys are {', '.join(fields)}.",
        ) from error


def _require_storable(name: str, stream: Any) -> None:
    """Refuse a task whose entries its scorer no longer understands once they have been through JSON."""
    entry = stream[0]
    try:
        restored = json.loads(json.dumps(entry))
        same = stream.score_answer(entry["answer"], restored) == stream.score_answer(entry["answer"], entry)
    except TypeError:
        same = False
    if not same:
        raise ConfigurationError(
            f"prepare.data.tasks.{name}: its entries cannot be kept in a data set for reasoning-gym's scorer, "
            "because they hold more than JSON can.",
            "Choose another task.",
        )


def _user_message(entry: dict[str, Any], prompt: str) -> dict[str, str]:
    metadata = {key: value for key, value in entry["metadata"].items() if isinstance(value, str | int | float)}
    fields = {**metadata, "question": entry["question"]}
    try:
        return {"role": "user", "content": prompt.format(**fields)}
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigurationError(
            f"prepare.data.prompt={prompt!r} cannot be filled in ({type(error).__name__}: {error}).",
            f"It may name {', '.join('{' + field + '}' for field in sorted(fields))}.",
        ) from error


def _turns(entries: list[dict[str, Any]], prompt: str) -> list[dict[str, str]]:
    """Solved entries as turns of a chat."""
    turns = []
    for entry in entries:
        turns += [_user_message(entry, prompt), {"role": "assistant", "content": str(entry["answer"])}]
    return turns


def _opening(system: str | None) -> list[dict[str, str]]:
    return [] if system is None else [{"role": "system", "content": system}]


def _row(
    name: str, config: Mapping[str, Any], entry: dict[str, Any], messages: list[dict[str, str]], index: int, split: str
) -> Row:
    return make_row(
        source=name,
        messages=messages,
        ability="reasoning",
        ground_truth=str(entry["answer"]),
        index=index,
        split=split,
        reasoning_gym=json.dumps({"name": name, "config": dict(config), "entry": entry}, sort_keys=True),
    )
