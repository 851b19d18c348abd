"""Stages are appended, generations written whole; both come back as they were."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.records.generations import Generation, read_generations, validation_steps, write_generations
from harness.records.stages import StageLog, StageTail, read_stages


def test_stages_are_read_as_they_are_entered(tmp_path):
    path = tmp_path / "stages.jsonl"
    log, reader = StageLog(path), StageTail(path)
    log.enter("loading the model")
    assert [(entry.stage, entry.step) for entry in reader.poll()] == [("loading the model", 0)]
    log.enter("updating the policy", step=3)
    assert [(entry.stage, entry.step) for entry in reader.poll()] == [("updating the policy", 3)]
    times = [entry.time for entry in read_stages(path)]
    assert times == sorted(times)
    assert set(json.loads(path.read_text().splitlines()[0])) == {"time", "stage", "step"}


def test_generations_come_back_with_their_extras(tmp_path):
    given = [
        Generation(0, "2 + 2?", "4\u2028\ud800", "4", 1.0, extra={"acc": np.float32(1), "tokens": np.array([1, 2])}),
        Generation(1, "3 + 3?", "", None, float("nan")),
    ]
    path = write_generations(tmp_path / "generations", 20, given)
    assert path.name == "20.jsonl"
    first, second = read_generations(tmp_path / "generations", 20)
    assert (first.output, first.ground_truth, first.score, first.step) == ("4\u2028\ud800", "4", 1.0, 20)
    assert first.extra == {"acc": 1.0, "tokens": [1, 2]}
    assert second.score is None
    line = json.loads(path.read_bytes().split(b"\n")[0])
    assert {"step", "split", "index", "input", "output", "ground_truth", "score"} <= set(line)


def test_a_file_of_verl_is_read_too(tmp_path):
    row = {"input": "q", "output": "a", "gts": "7", "score": 0.5, "step": 3, "acc": 0, "uid": "u_0"}
    (tmp_path / "3.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(row) + "\n")
    samples = read_generations(tmp_path, 3)
    assert [sample.index for sample in samples] == [0, 1]
    assert (samples[0].ground_truth, samples[0].extra) == ("7", {"acc": 0, "uid": "u_0"})


@pytest.mark.parametrize("given", [{"index": None}, {"step": []}, {"index": "first"}, {"index": float("inf")}])
def test_a_sample_without_a_number_for_its_place_is_refused_in_words(tmp_path, given):
    lines = [{"input": "q", "index": 0, "step": 3}, {"input": "q", "index": 1, "step": 3, **given}]
    (tmp_path / "3.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ValueError, match=r"sample 2: index .*, step .*; both have to be whole numbers"):
        read_generations(tmp_path, 3)


def test_validation_steps_are_numbers_in_order(tmp_path):
    assert validation_steps(tmp_path / "none") == []
    for name in ("10.jsonl", "9.jsonl", "notes.jsonl", ".10.jsonl.x.tmp"):
        (tmp_path / name).write_text("")
    assert validation_steps(tmp_path) == [9, 10]
