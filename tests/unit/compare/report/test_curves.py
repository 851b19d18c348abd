"""Curves are thinned without a lie, and a band is the t interval of the runs at each point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.compare.report.curves import band, quantiles, short, thinned
from harness.compare.report.quantities import label, shown_metrics
from harness.compare.statistics.intervals import mean_interval

SCORE = "critic/score/mean"


@pytest.fixture
def runs(study):
    return study.rows[0].group.runs


def test_a_band_is_the_interval_of_the_runs_at_each_point(runs):
    found = band(runs, SCORE)
    assert found.x.tolist() == list(range(1, 61))
    values = np.array([run.metrics[SCORE][run.steps == 30][0] for run in runs])
    wanted = mean_interval(values, np.random.default_rng(0))
    place = found.x.tolist().index(30)
    assert (found.mean[place], found.low[place], found.high[place]) == pytest.approx(
        (wanted.estimate, wanted.low, wanted.high)
    )
    assert set(found.runs.tolist()) == {5}


def test_runs_that_have_ended_are_not_drawn_on(study):
    failed = study.rows[1].group.runs
    found = band(failed, SCORE)
    assert (found.runs[found.x <= 30] == 5).all()
    assert (found.runs[found.x > 30] == 4).all()
    two = [
        failed[0],
        replace(
            failed[1],
            steps=failed[1].steps[:9],
            times=failed[1].times[:9],
            metrics={SCORE: failed[1].metrics[SCORE][:9]},
        ),
    ]
    alone = band(two, SCORE)
    assert np.isnan(alone.low[alone.x > 8]).all()
    assert not alone.is_sure[alone.x > 8].any()
    assert np.isfinite(alone.mean).all()


def test_curves_at_other_places_are_joined_by_straight_lines(runs):
    found = band(runs[:2], SCORE, "seconds")
    assert len(found.x) == 120
    inside = found.runs == 2
    for run in runs[:2]:
        value = np.interp(found.x, run.times[1:], run.metrics[SCORE][1:])
        assert np.isfinite(value[inside]).all()
    assert inside.sum() > 100


def test_a_metric_that_no_run_has_has_no_band(runs):
    assert len(band(runs, "none").x) == 0
    assert np.isnan(quantiles(1)).all()


def test_long_curves_become_means_of_their_points(study):
    run = study.runs[0]
    steps = np.arange(5000)
    long = replace(
        run, steps=steps, times=steps * 2.0, metrics={"a": steps * 1.0, "b": np.where(steps % 2, np.nan, 1.0)}
    )
    (found,) = thinned([long], ["a", "b", "missing"])
    assert set(found["y"]) == {0, 1}
    place, values = found["y"][0]
    assert len(values) == 300
    assert found["x"][place][0] == pytest.approx(values, rel=1e-3)
    assert found["x"][place][1] == [None] * 300
    assert found["y"][1][1] == [1] * 300


def test_many_runs_have_fewer_points_each(study):
    run = replace(study.runs[0], steps=np.arange(900), times=np.arange(900.0), metrics={"a": np.arange(900.0)})
    assert {len(each["y"][0][1]) for each in thinned([run] * 400, ["a"])} == {100}


def test_numbers_are_short():
    assert short(np.array([1.0, np.nan, 0.123456, 1234567.0, -2e-9])) == [1, None, 0.1235, 1235000.0, -2e-9]


def test_the_metric_compared_comes_first_and_what_a_person_follows_is_there(study):
    names = shown_metrics(study)
    sources = ["val-core/gsm8k/acc/mean@1", "val-core/math/acc/mean@1"]
    assert names[:5] == ["val-core/*/acc/mean@1", *sources, "critic/score/mean", "critic/rewards/mean"]
    wanted = {
        "reward_fn/format",
        "response_length/mean",
        "actor/entropy",
        "actor/grad_norm",
        "actor/kl_loss",
        "timing_s/step",
    }
    assert wanted <= set(names)
    assert label("actor/entropy") == "entropy, nats a token"
    assert label("unknown/name") == "unknown/name"
