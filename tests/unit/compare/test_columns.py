"""The columns of a metrics file say what its reader of records says."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from harness.compare import columns as module
from harness.compare.columns import COLUMNS, REST, read_columns
from harness.records.jsonl import append_line
from harness.records.metrics import MetricsWriter, read_metrics


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def same(file: Path) -> None:
    """Every number of the records stands in the columns, and nothing else does."""
    found, records = read_columns(file), read_metrics(file)
    assert found.steps.tolist() == [record.step for record in records]
    assert found.moments.tolist() == [record.time for record in records]
    assert set(found.names) == {name for record in records for name in record.metrics}
    for column, record in enumerate(records):
        for row, name in enumerate(found.names):
            value = record.metrics.get(name)
            number = float(value) if isinstance(value, int | float) else math.nan
            np.testing.assert_equal(found.values[row, column], number, err_msg=f"{name} at {record.step}")
            is_undefined = name in record.metrics and (value is None or value != value)
            assert (column in found.undefined.get(name, ())) == is_undefined, f"{name} at {record.step}"


def test_steps_with_different_metrics_and_values_that_are_no_numbers(file: Path) -> None:
    writer = MetricsWriter(file)
    writer.write(0, {"val-core/a/acc/mean@1": 0.25})
    writer.write(1, {"loss": math.nan, "ratio": math.inf, "low": -math.inf, "step": 1, "flag": True})
    writer.write(2, {"loss": 0.1, "ratio": 2.0, "low": 1.0, "step": 2, "flag": False})
    writer.write(3, {"text": "a", "none": None, "list": [1, 2], "loss": 1e-300})
    writer.write(4, {"pairs": [1, 2]})
    writer.write(5, {})
    same(file)
    found = read_columns(file)
    assert found.values[found.names.index("low"), 1] == -math.inf


def test_a_resumed_run_and_an_old_record_that_was_only_appended_to(file: Path) -> None:
    for step in (1, 2, 3, 2, 3, 3, 4):
        append_line(file, {"step": step, "time": 1.0 + step, "metrics": {"loss": step}})
    append_line(file, {"step": 2, "time": 9.0, "metrics": {"val-core/a/acc/mean@1": 1.0}})
    same(file)
    assert read_columns(file).steps.tolist() == [1, 2]


def test_torn_lines_and_lines_of_others(file: Path) -> None:
    MetricsWriter(file).write(1, {"loss": 1.0})
    with file.open("ab") as raw:
        raw.write(b'{"step": 2, "metrics": {"lo')
    MetricsWriter(file).write(3, {"loss": 3.0})
    append_line(file, {"event": "no step"})
    with file.open("ab") as raw:
        raw.write(b'7\n\n{"step": 4, "metrics": {"loss": 4.0}}')  # not ended: still being written
    same(file)
    assert read_columns(file).damaged == 2


def test_lone_surrogates(file: Path) -> None:
    append_line(file, {"step": 1, "time": 1.0, "metrics": {"text": "\ud800", "loss": 1.0}})
    same(file)


def test_blocks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = MetricsWriter(file)
    for step in range(1, 40):
        writer.write(step, {"loss": step / 7, "other": step} if step % 3 else {"loss": step / 7})
    for size in (1, 50, 200, 10_000):
        monkeypatch.setattr(module, "BLOCK", size)
        same(file)


def test_empty_files_and_what_is_kept(file: Path) -> None:
    file.touch()
    same(file)
    MetricsWriter(file).write(2, {"ratio": 1.0})
    MetricsWriter(file).write(3, {"loss": math.nan, "ratio": math.inf})
    MetricsWriter(file).write(4, {"val-core/a/acc/mean@1": 0.5})
    fresh = read_columns(file)
    kept, rest = (COLUMNS.unpack(memoryview(part)) for part in COLUMNS.parse(file))
    assert (kept.names, kept.others, rest.names) == (("val-core/a/acc/mean@1",), ("ratio", "loss"), ("ratio", "loss"))
    assert REST.parse(file) == COLUMNS.parse(file)[1]
    for part in (kept, rest):
        assert (part.damaged, part.steps.dtype) == (0, fresh.steps.dtype)
        assert part.undefined == fresh.undefined == {"loss": (1,)}
        for name in ("steps", "moments"):
            np.testing.assert_array_equal(getattr(part, name), getattr(fresh, name))
    np.testing.assert_array_equal(np.concatenate([rest.values, kept.values]), fresh.values)
