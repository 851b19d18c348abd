"""Metrics survive as the numbers they were, through strict JSON and a resume."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from harness.records.metrics import MetricsWriter, read_metrics, tail


def _strict(text: str):
    """JSON as a strict reader takes it, which knows no NaN."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_scalars_of_numpy_and_torch_become_plain_numbers(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics = {
        "float32": np.float32(0.5), "int64": np.int64(3), "bool": np.bool_(True), "array": np.array([2.0]),
        "tensor": torch.tensor(1.5), "list": [1, 2], "text": "a", "none": None,
    }  # fmt: skip
    MetricsWriter(path).write(np.int64(4), metrics)
    line = _strict(path.read_text())
    assert (line["step"], line["time"] > 1e9) == (4, True)
    assert line["metrics"] == {
        "float32": 0.5, "int64": 3, "bool": True, "array": 2.0, "tensor": 1.5, "list": [1, 2], "text": "a",
        "none": None,
    }  # fmt: skip


def test_nan_and_infinities_are_null_for_strict_readers_and_come_back(tmp_path):
    path = tmp_path / "metrics.jsonl"
    MetricsWriter(path).write(1, {"a": float("nan"), "b": np.float32("inf"), "c": -math.inf, "d": 1.0})
    assert _strict(path.read_text())["metrics"] == {"a": None, "b": None, "c": None, "d": 1.0}
    metrics = read_metrics(path)[0].metrics
    assert math.isnan(metrics["a"])
    assert (metrics["b"], metrics["c"], metrics["d"]) == (math.inf, -math.inf, 1.0)


def test_something_that_is_no_metric_is_named(tmp_path):
    with pytest.raises(TypeError, match="metric table is a object"):
        MetricsWriter(tmp_path / "m").write(1, {"table": object()})
    assert not (tmp_path / "m").exists()


def test_a_resumed_run_replaces_what_came_after_its_checkpoint(tmp_path):
    writer = MetricsWriter(tmp_path / "m.jsonl")
    for step in range(1, 6):
        writer.write(step, {"reward": step, "old": 1})
    writer.write(2, {"val-core/a/acc/mean@1": 0.5})  # verl validates first when it resumes
    writer.write(3, {"reward": 30})
    records = read_metrics(writer.path)
    assert [record.step for record in records] == [1, 2, 3], "steps 4 and 5 belong to the abandoned attempt"
    assert records[1].metrics == {"reward": 2, "old": 1, "val-core/a/acc/mean@1": 0.5}
    assert records[2].metrics == {"reward": 30}


def test_a_step_written_again_after_a_rewind_loses_its_old_values(tmp_path):
    writer = MetricsWriter(tmp_path / "m.jsonl")
    for step in (1, 2, 3):
        writer.write(step, {"reward": step, "old": 1})
    writer.write(2, {"reward": 20})
    assert read_metrics(writer.path)[1].metrics == {"reward": 20}


def test_two_records_of_one_step_are_one(tmp_path):
    writer = MetricsWriter(tmp_path / "m.jsonl")
    writer.write(1, {"a": 1})
    writer.write(1, {"b": 2})
    assert [record.metrics for record in read_metrics(writer.path)] == [{"a": 1, "b": 2}]


def test_the_file_of_a_resumed_run_has_each_step_once_and_keeps_what_was_abandoned(tmp_path):
    writer = MetricsWriter(tmp_path / "metrics.jsonl")
    for step in range(5):
        writer.write(step, {"reward": float("nan") if step == 1 else step})
    reader = tail(writer.path)
    reader.poll()
    resumed = MetricsWriter(writer.path)
    resumed.write(2, {"val-core/a/acc/mean@1": 0.5})
    resumed.write(3, {"reward": 30})
    lines = [json.loads(line) for line in writer.path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 2, 3]
    assert lines[1]["nonfinite"] == {"reward": "nan"}
    assert (lines[2]["metrics"], lines[3]["metrics"]) == ({"reward": 2, "val-core/a/acc/mean@1": 0.5}, {"reward": 30})
    abandoned = (tmp_path / "metrics.abandoned.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in abandoned] == [3, 4]
    assert [record.step for record in reader.poll()] == [2, 3], "the past is not shown again"


def test_torn_and_missing_files_are_read(tmp_path):
    path = tmp_path / "m.jsonl"
    assert read_metrics(path) == []
    MetricsWriter(path).write(1, {"a": 1})
    with path.open("a") as file:
        file.write('{"step": 2, "met')
    assert [record.step for record in read_metrics(path)] == [1]


def test_the_tail_gives_records_as_they_come(tmp_path):
    path = tmp_path / "m.jsonl"
    reader, writer = tail(path), MetricsWriter(path)
    writer.write(0, {"val-core/a/acc/mean@1": 0.1})
    (record,) = reader.poll()
    assert record.is_validation_only
    writer.write(1, {"reward": 1.0})
    assert [record.is_validation_only for record in reader.poll()] == [False]
