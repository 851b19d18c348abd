"""``generations/<step>.jsonl``: what the model wrote at a validation, one sample a line.

Each line is ``{"step", "split", "index", "data_source", "input", "output", "ground_truth", "score", …}``; further keys
are what the reward function returned, such as ``acc``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.records.atomic import write_text
from harness.records.jsonl import encode_line, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Generation:
    """One response of the model and its score.

    Args:
        index: Which example of the data set it answers.
        input: The prompt as the model saw it.
        output: The response.
        ground_truth: What the reward function compared with; None where there is none.
        score: The reward; None where it was not a finite number.
        step: The training step of the policy that wrote it.
        split: ``validation``.
        source: Its data source, as in the names of validation metrics; empty where nobody said.
        extra: Further values of the reward function.
    """

    index: int
    input: str
    output: str
    ground_truth: Any
    score: float | None
    step: int = 0
    split: str = "validation"
    source: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


def write_generations(folder: Path, step: int, generations: Iterable[Generation]) -> Path:
    """Write the samples of one validation in one step, replacing an earlier file of the same step.

    Args:
        folder: ``generations/``; made if need be.
        step: The training step.
        generations: The samples, in the order of the data set.

    Returns:
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{step}.jsonl"
    lines = (encode_line(_line(generation, step)).decode() for generation in generations)
    write_text(path, "".join(lines))
    return path


def read_generations(folder: Path, step: int) -> list[Generation]:
    """The samples of one validation; none where there was no such validation.

    Files that verl wrote itself are read too: there the ground truth is called ``gts`` and the index is missing.

    Raises:
        OSError: The file cannot be read.
        ValueError: A line has another kind of value than it should, such as ``"index": null``.
    """
    return [_decode(line, position) for position, line in enumerate(read_lines(folder / f"{step}.jsonl"))]


def validation_steps(folder: Path) -> list[int]:
    """The steps that have samples, ascending."""
    if not folder.is_dir():
        return []
    return sorted(int(path.stem) for path in folder.glob("*.jsonl") if path.stem.isdigit())


def _line(generation: Generation, step: int) -> dict[str, Any]:
    named = {
        "step": step,
        "split": generation.split,
        "index": generation.index,
        "input": generation.input,
        "output": generation.output,
        "ground_truth": generation.ground_truth,
        "score": generation.score,
    }
    if generation.source:
        named["data_source"] = generation.source
    return {key: _plain(value) for key, value in {**generation.extra, **named}.items()}


def _decode(line: dict[str, Any], position: int) -> Generation:
    try:
        index, step = int(line.get("index", position)), int(line.get("step", 0))
    except (TypeError, ValueError, OverflowError) as error:
        said = f"index {line.get('index')!r}, step {line.get('step')!r}"
        raise ValueError(f"sample {position + 1}: {said}; both have to be whole numbers") from error
    rest = {name: value for name, value in line.items() if name not in ("index", "step")}
    ground_truth = rest.pop("gts", None)
    return Generation(
        step=step,
        split=str(rest.pop("split", "validation")),
        index=index,
        input=str(rest.pop("input", "")),
        output=str(rest.pop("output", "")),
        ground_truth=rest.pop("ground_truth", ground_truth),
        score=_number(rest.pop("score", None)),
        source=str(rest.pop("data_source", None) or ""),
        extra=rest,
    )


def _plain(value: Any) -> Any:
    """``value`` as JSON: arrays as lists, numbers that JSON cannot hold as null, anything else as its text."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
