"""``metrics.jsonl`` as columns: an array a metric, of one value a step.

Says what `harness.records.metrics.read_metrics` says, several times faster: orjson parses a megabyte in one call, and
steps that have the same metrics become a block at once. A history that is not ascending is left to that reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import compress, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from harness.compare.reading import Reader
from harness.records.metrics import read_metrics
from harness.records.quantities import REWARD

BLOCK = 1 << 20
TOKENS = "perf/total_num_tokens"  # verl: prompt and response tokens of the step's batch, over all devices
USUAL = ("val-core/", *REWARD, "reward/mean", "reward/acc", TOKENS)  # beginnings of names


@dataclass(frozen=True, eq=False)
class Columns:
    """The metrics of a run.

    Attributes:
        steps: Ascending; int64.
        moments: When each was written, in seconds since the epoch.
        names: Of the metrics.
        values: ``[len(names), len(steps)]``; NaN where a step has no such number.
        undefined: Metric → the places, ascending, where NaN or null was recorded; elsewhere NaN means that nothing was.
        damaged: Lines that could not be read; a killed writer leaves one.
        others: Names of metrics whose values stand elsewhere.
    """

    steps: np.ndarray
    moments: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray
    undefined: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    damaged: int = 0
    others: tuple[str, ...] = ()


def read_columns(file: Path) -> Columns:
    """The columns of a file.

    Raises:
        OSError: It cannot be read.
    """
    built = _Builder()
    for block in _blocks(file.read_bytes()):
        built.add(block)
    if built.is_ascending:
        return built.columns()
    history = read_metrics(file)
    records = [{"step": each.step, "time": each.time, "metrics": each.metrics} for each in history]
    return replace(columns_of(records), damaged=built.damaged)


def columns_of(records: Iterable[dict[str, Any]]) -> Columns:
    """The columns of records with ascending steps, ``{"step", "time", "metrics"}``."""
    built = _Builder()
    built.append(records)
    return built.columns()


def _blocks(content: bytes) -> Iterator[bytes]:
    """Whole lines, a megabyte at a time; a last line without its newline is still being written, or torn."""
    end, start = content.rfind(b"\n") + 1, 0
    while start < end:
        stop = content.find(b"\n", min(start + BLOCK, end - 1)) + 1
        yield content[start:stop]
        start = stop


class _Builder:
    """Gathers records; those with the same metrics become one array."""

    def __init__(self) -> None:
        self.damaged = 0
        self.steps: list[int] = []
        self.moments: list[float] = []
        self.parts: list[tuple[tuple[str, ...], list[int], np.ndarray]] = []
        self.undefined: dict[str, list[int]] = {}

    @property
    def is_ascending(self) -> bool:
        return all(before < after for before, after in pairwise(self.steps))

    def add(self, block: bytes) -> None:
        try:
            records = orjson.loads(b"[" + block[:-1].replace(b"\n", b",") + b"]")
        except ValueError:
            lines = [line for line in block.split(b"\n") if line.strip()]
            records = [_record(line) for line in lines]
        self.damaged += sum(not isinstance(record, dict) for record in records)
        self.append(record for record in records if isinstance(record, dict) and isinstance(record.get("step"), int))

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        alike: dict[tuple[str, ...], tuple[list[int], list[list[Any]]]] = {}
        for record in records:
            metrics = record.get("metrics") or {}
            if nonfinite := record.get("nonfinite"):
                metrics = {**metrics, **{name: float(value) for name, value in nonfinite.items()}}
            rows, values = alike.setdefault(tuple(metrics), ([], []))
            rows.append(len(self.steps))
            values.append(list(metrics.values()))
            self.steps.append(int(record["step"]))
            self.moments.append(float(record.get("time") or 0.0))
        for names, (rows, values) in alike.items():
            numbers = _numbers(values)
            self.parts.append((names, rows, numbers))
            for row, place in np.argwhere(np.isnan(numbers)):
                if isinstance(values[row][place], float | None):  # not a text
                    self.undefined.setdefault(names[place], []).append(rows[row])

    def columns(self) -> Columns:
        names = tuple(dict.fromkeys(name for part, _, _ in self.parts for name in part))
        place = {name: index for index, name in enumerate(names)}
        values = np.full((len(names), len(self.steps)), np.nan)
        for part, rows, numbers in self.parts:
            values[np.ix_([place[name] for name in part], rows)] = numbers.T
        undefined = {name: tuple(sorted(rows)) for name, rows in self.undefined.items()}
        steps, moments = np.array(self.steps, np.int64), np.array(self.moments, np.float64)
        return Columns(steps, moments, names, values, undefined, self.damaged)


def _record(line: bytes) -> Any:
    """A line's record, None for a torn one; orjson refuses lone surrogates, which the standard library takes."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def _numbers(values: list[list[Any]]) -> np.ndarray:
    """``[steps, metrics]``; NaN for null and for what is no number."""
    try:
        numbers = np.array(values, np.float64)
    except (ValueError, TypeError):
        numbers = np.empty(0)
    if numbers.ndim == 2:
        return numbers
    return np.array([[_number(value) for value in row] for row in values], np.float64)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (ValueError, TypeError):
        return np.nan


def _parse(file: Path) -> tuple[bytes, bytes]:
    """What most comparisons need, and the rest."""
    columns = read_columns(file)
    usual = np.array([name.startswith(USUAL) for name in columns.names], bool)
    parts = [replace(columns, names=tuple(compress(columns.names, kept)), values=columns.values[kept])
             for kept in (usual, ~usual)]  # fmt: skip
    return _packed(replace(parts[0], others=parts[1].names)), _packed(parts[1])


def _parse_rest(file: Path) -> bytes:
    return _parse(file)[1]


def _packed(columns: Columns) -> bytes:
    named = ("names", "others", "undefined", "damaged")
    head = orjson.dumps({name: getattr(columns, name) for name in named} | {"steps": len(columns.steps)})
    arrays = (columns.steps, columns.moments, columns.values)
    return b"".join([len(head).to_bytes(8, "little"), head, *(array.tobytes() for array in arrays)])


def _unpacked(content: memoryview) -> Columns:
    cut = 8 + int.from_bytes(content[:8], "little")
    head = orjson.loads(content[8:cut])
    names, count = tuple(head["names"]), head["steps"]
    numbers = np.frombuffer(content, np.float64, offset=cut)
    return Columns(
        steps=numbers[:count].view(np.int64),
        moments=numbers[count : 2 * count],
        names=names,
        values=numbers[2 * count :].reshape(len(names), count),
        undefined={name: tuple(places) for name, places in head["undefined"].items()},
        damaged=head["damaged"],
        others=tuple(head["others"]),
    )


NO_COLUMNS = _Builder().columns()
#: The metrics of runs that are compared by default, and the names of all others, which are kept apart:
#: of a thousand runs most are never looked at.
COLUMNS = Reader("metrics", _parse, _unpacked, "metrics-rest")
REST = Reader("metrics-rest", _parse_rest, _unpacked)
