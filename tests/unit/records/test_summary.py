"""Quantities are found under verl's names and summed up over a run."""

from __future__ import annotations

import pytest

from harness.records import quantities
from harness.records.metrics import MetricsWriter
from harness.records.run_folder import RunFolder
from harness.records.summary import summarise

ACC = "val-core/gsm/acc/mean@1"


def test_a_number_is_the_first_that_is_finite():
    metrics = {"critic/score/mean": float("nan"), "critic/rewards/mean": 0.5}
    assert quantities.number(metrics, quantities.REWARD) == 0.5
    assert quantities.number({}, quantities.REWARD) is None


@pytest.mark.parametrize(
    ("name", "label"),
    [
        (ACC, "gsm accuracy"),
        ("val-core/a/b/reward/mean@4", "a/b reward, mean of 4"),
        ("val-core/gsm/acc/best@4/mean", "gsm accuracy, best of 4"),
        ("val-core/gsm/acc/maj@4/mean", "gsm accuracy, majority of 4"),
        ("val-core/*/acc/mean@1", "accuracy, mean of the sources"),
        ("val-core/*/acc/mean@4,32", "accuracy, mean of 4,32, mean of the sources"),
        ("something/else", "something/else"),
    ],
)
def test_validation_metrics_have_a_plain_name(name, label):
    assert quantities.validation_label(name) == label


def test_the_headline_is_the_mean_over_sources():
    metrics = {ACC: 0.5, "val-core/math/acc/mean@1": 0.7, "val-core/gsm/acc/best@4/mean": 1.0, "val-aux/x/mean@1": 9}
    assert quantities.validation_headline(metrics) == pytest.approx(0.6)
    assert quantities.validation_headline({"critic/score/mean": 1}) is None


def test_seconds_by_stage_sum_to_the_step():
    metrics = {"timing_s/gen": 2.0, "timing_s/step": 5.0, "timing_s/testing": 9.0, "timing_s/gen/slowest": 1.5}
    assert quantities.seconds_by_stage(metrics) == {"gen": 2.0, "other": 3.0}


def test_tokens_per_second_counts_all_devices():
    metrics = {"perf/total_num_tokens": 100, "perf/time_per_step": 2.0, "perf/throughput": 25.0}
    assert quantities.tokens_per_second(metrics) == 50.0
    assert quantities.tokens_per_second({"perf/throughput": 25.0}) == 25.0


def test_the_summary_has_first_last_and_best(tmp_path):
    folder = RunFolder.create(tmp_path, "demo")
    writer = MetricsWriter(folder.metrics)
    writer.write(0, {ACC: 0.2})
    for step, reward in ((1, 0.1), (2, 0.9), (3, 0.6)):
        writer.write(step, {"critic/score/mean": reward, **({ACC: 0.5} if step == 3 else {})})
    summary = summarise(folder)
    assert summary.steps == 3
    assert (summary.reward.first, summary.reward.last, summary.reward.best, summary.reward.best_step) == (
        0.1,
        0.6,
        0.9,
        2,
    )
    (change,) = summary.validation
    assert (change.first_step, change.last_step, round(change.difference, 6)) == (0, 3, 0.3)


def test_a_run_without_metrics_has_an_empty_summary(tmp_path):
    summary = summarise(RunFolder.create(tmp_path, "demo"))
    assert (summary.steps, summary.reward, summary.validation, summary.headline) == (0, None, (), None)
