"""``metrics.jsonl``: one JSON object a step, ascending, ``{"step", "time", "metrics": {name: number}}``.

A run that is resumed goes back to its checkpoint: the steps that had come after it are moved to
``metrics.abandoned.jsonl``, so that whoever reads the file sees each step once.

NaN and the infinities are no JSON. They are written as ``null``, which every strict reader takes, and named beside it
in ``"nonfinite": {name: "nan" | "inf" | "-inf"}``, so that `read_metrics` gives back the very numbers.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.records.atomic import write_text
from harness.records.jsonl import JsonLinesTail, append_line, encode_line, read_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class StepRecord:
    """The metrics of one step.

    Args:
        step: 0 is the validation before training; training steps count from 1.
        time: When it was written, in seconds since the epoch.
        metrics: Name to number, as verl names them.
    """

    step: int
    time: float
    metrics: dict[str, Any]

    @property
    def is_validation_only(self) -> bool:
        """Whether no training step belongs to it, as before training and after a resume."""
        return all(name.startswith("val-") for name in self.metrics)


class MetricsWriter:
    """Appends the metrics of each step to a file.

    Args:
        path: ``metrics.jsonl``; a file that exists is continued.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = max((record.step for record in read_metrics(path)), default=-1)

    def write(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Append one step in a single write.

        Args:
            step: The step that the metrics belong to.
            metrics: Numbers, strings, or scalars and arrays of NumPy or torch.

        Raises:
            TypeError: A value is none of these; the message names its metric.
        """
        record = _encode(StepRecord(int(step), round(time.time(), 6), dict(metrics)))
        append_line(self.path, record)
        if record["step"] <= self._last:
            self._rewind(record["step"])
        self._last = record["step"]

    def _rewind(self, step: int) -> None:
        """Leave one line a step, and what does not stand any more in another file."""
        lines = [line for line in read_lines(self.path) if "step" in line]
        standing = [_encode(record) for record in read_metrics(self.path)]
        for line in lines[:-1]:
            if int(line["step"]) > step:
                append_line(self.path.with_name("metrics.abandoned.jsonl"), line)
        write_text(self.path, b"".join(map(encode_line, standing)).decode())


class MetricsTail:
    """Reads the steps that were written since the last time; for the process that watches a run.

    Args:
        path: ``metrics.jsonl``, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._lines = JsonLinesTail(path)
        self._latest = 0.0

    def poll(self) -> list[StepRecord]:
        """The new records in the order in which they were written, a resumed run's repetitions included."""
        records = [_decode(line) for line in self._lines.poll() if "step" in line]
        if self._lines.replaced:  # a rewound file is read from its beginning
            records = [record for record in records if record.time > self._latest]
        self._latest = max([self._latest, *(record.time for record in records)])
        return records


def tail(path: Path) -> MetricsTail:
    """An incremental reader of ``path``."""
    return MetricsTail(path)


def read_metrics(path: Path) -> list[StepRecord]:
    """The history of a run by step, ascending; a torn last line and a missing file are no error.

    A step below the one before means that the run was resumed there. What had come after it belongs to an abandoned
    attempt and is dropped, and the step itself is replaced, except by a mere validation, which is added to it.
    """
    history: dict[int, StepRecord] = {}
    last = -1
    for line in read_lines(path):
        if "step" not in line:
            continue
        record = _decode(line)
        rewound = record.step < last
        if rewound:
            history = {step: kept for step, kept in history.items() if step <= record.step}
        earlier = history.get(record.step)
        if earlier and (record.is_validation_only or not rewound):
            record = StepRecord(record.step, record.time, {**earlier.metrics, **record.metrics})
        history[record.step] = record
        last = record.step
    return [history[step] for step in sorted(history)]


def _encode(record: StepRecord) -> dict[str, Any]:
    nonfinite: dict[str, str] = {}
    plain = {name: _plain(name, value, nonfinite) for name, value in record.metrics.items()}
    line: dict[str, Any] = {"step": record.step, "time": record.time, "metrics": plain}
    return {**line, "nonfinite": nonfinite} if nonfinite else line


def _decode(line: dict[str, Any]) -> StepRecord:
    metrics = dict(line.get("metrics") or {})
    metrics.update({name: float(value) for name, value in (line.get("nonfinite") or {}).items()})
    return StepRecord(int(line["step"]), float(line.get("time") or 0.0), metrics)


def _plain(name: str, value: Any, nonfinite: dict[str, str]) -> Any:
    """``value`` as plain JSON; a float that JSON cannot hold becomes None and is noted in ``nonfinite``."""
    if hasattr(value, "tolist"):  # a scalar or array of NumPy or torch
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        nonfinite[name] = str(value)
        return None
    if isinstance(value, list | tuple):
        if len(value) == 1:
            return _plain(name, value[0], nonfinite)
        return [_plain(f"{name}[{index}]", item, {}) for index, item in enumerate(value)]
    raise TypeError(f"metric {name} is a {type(value).__name__}, not a number: {value!r:.80}")
