"""Appended lines: torn ones are lost alone, and a reader may look at any moment."""

from __future__ import annotations

import json
import subprocess
import sys

from harness.records.jsonl import JsonLinesTail, append_line, read_lines


def test_a_torn_last_line_is_skipped_and_closed_by_the_next_writer(tmp_path):
    path = tmp_path / "a.jsonl"
    append_line(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b'{"n": 2, "half')
    assert read_lines(path) == [{"n": 1}]
    append_line(path, {"n": 3})
    assert read_lines(path) == [{"n": 1}, {"n": 3}]


def test_the_tail_gives_each_line_once_and_waits_for_the_rest_of_a_half_one(tmp_path):
    path = tmp_path / "a.jsonl"
    tail = JsonLinesTail(path)
    assert tail.poll() == []
    append_line(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b'{"n":')
    assert tail.poll() == [{"n": 1}]
    with path.open("ab") as file:
        file.write(b" 2}\n")
    assert tail.poll() == [{"n": 2}]
    assert tail.poll() == []


def test_the_tail_starts_again_when_the_file_was_replaced_by_a_shorter_one(tmp_path):
    path = tmp_path / "a.jsonl"
    tail = JsonLinesTail(path)
    append_line(path, {"n": 1})
    append_line(path, {"n": 2})
    assert len(tail.poll()) == 2
    path.write_text('{"n": 9}\n')
    assert tail.poll() == [{"n": 9}]


def test_text_that_only_python_takes_for_a_line_end_does_not_split_a_line(tmp_path):
    path = tmp_path / "a.jsonl"
    record = {"text": "a\u2028b\x85c\ud800\r\n"}
    append_line(path, record)
    assert read_lines(path) == [record]
    assert json.loads(path.read_text()) == record


def test_a_reader_beside_a_writing_process_sees_every_line_once(tmp_path):
    path, count = tmp_path / "a.jsonl", 400
    program = (
        "import sys, pathlib\n"
        "from harness.records.jsonl import append_line\n"
        f"for n in range({count}): append_line(pathlib.Path(sys.argv[1]), {{'n': n, 'text': 'x' * (n % 90) * 50}})"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, str(path)])
    tail, seen, polls = JsonLinesTail(path), [], 0
    while writer.poll() is None:
        seen += [record["n"] for record in tail.poll()]
        polls += 1
    seen += [record["n"] for record in tail.poll()]
    assert writer.returncode == 0
    assert seen == list(range(count))
    assert polls > 1
