"""The real quick start, what `make demo` runs, in short: a chat model, its numbers, and its report in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import browse

from harness.config.detect import detect_bf16
from harness.records.generations import read_generations

if TYPE_CHECKING:
    from runs import Finished

pytestmark = pytest.mark.browser


def test_two_steps_of_the_real_quick_start(harness: Callable[..., Finished], chromium: Path, tmp_path: Path) -> None:
    finished = harness(
        "train", "experiment=quickstart", "trainer.total_training_steps=2", "trainer.test_freq=2", "data.val_max_samples=16"
    )  # fmt: skip
    assert finished.code == 0, finished.err
    assert [record.step for record in finished.records] == [0, 1, 2]
    metrics = finished.records[-1].metrics
    assert metrics["actor/grad_norm"] > 0
    # the server's log-probs are the trainer's, in the type that this processor is given
    assert metrics["training/rollout_probs_diff_mean"] < (0.01 if detect_bf16() else 1e-4)
    samples = read_generations(finished.run.generations, 2)
    assert any(re.search(r"\d", sample.output) for sample in samples), "a chat model answers sums with numbers"
    document, console = browse(chromium, finished.run.report, tmp_path / "profile", "--dump-dom")
    assert console == ""
    assert samples[0].ground_truth in document
