"""`harness check` on five hundred mutated configurations: an answer each time, never a traceback."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest

from harness.cli import main

ROOT = Path(__file__).resolve().parents[2]
CASES, MOST_SECONDS = 500, 5.0


@pytest.mark.parametrize("part", range(5))
def test_never_a_traceback(part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    spec = importlib.util.spec_from_file_location("mutations", ROOT / "tests/unit/check/mutations.py")
    mutations = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mutations)
    monkeypatch.chdir(tmp_path)
    mutator = mutations.Mutator(seed=part)
    codes = set()
    for number in range(CASES // 5):
        words = mutator.words(number)
        start = time.process_time()  # other tests run beside this one
        try:
            code = main(["check", *words])
        except BaseException as error:
            raise AssertionError(f"{words}: {error!r}") from error
        captured = capsys.readouterr()
        assert code in (0, 2), (words, captured.err)
        assert "Traceback" not in captured.out + captured.err, words
        assert time.process_time() - start < MOST_SECONDS, words
        codes.add(code)
    assert codes == {0, 2}, "mutations that are all refused, or all pass, test little"
