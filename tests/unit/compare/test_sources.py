"""Several data sources: the verdict rests on all of them alike, and says so."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.cli import main
from harness.compare import Options, Study, compare
from harness.compare.load import load_runs
from harness.compare.measure import Measure
from harness.compare.metric import complete_metric, default_metric
from harness.compare.report.html import render
from harness.compare.run_data import RunData
from harness.compare.sources import kin, source
from harness.compare.study import Row, study_of
from harness.compare.targets import find_targets
from harness.compare.wandb_report.panels import themes
from harness.errors import ConfigurationError
from harness.records.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]
A, B, C = (f"val-core/{source}/acc/mean@1" for source in ("aime", "gsm8k", "math"))
MEAN = "val-core/*/acc/mean@1"
#: Worse than grpo by 0.1 on the first source in the alphabet, better by 0.4 on the second.
GRPO, DAPO = {A: 0.5, B: 0.3}, {A: 0.4, B: 0.7}


def load(*folders: RunFolder) -> list[RunData]:
    return load_runs(find_targets([str(folder) for folder in folders]).runs)


@pytest.fixture
def runs_with(make_run: MakeRun) -> Callable[..., list[RunData]]:
    def make(*names: tuple[str, ...]) -> list[RunData]:
        return load(*(make_run(metrics={1: dict.fromkeys(each, 1.0)}) for each in names))

    return make


@pytest.fixture
def two(make_run: MakeRun) -> Callable[..., Path]:
    """Two algorithms by four seeds with these finals, each a little apart; returns their folder."""

    def make(grpo: Mapping[str, float] = GRPO, dapo: Mapping[str, float] = DAPO) -> Path:
        for algorithm, finals in (("grpo", grpo), ("dapo", dapo)):
            for seed in (1, 2, 3, 4):
                apart = seed * (0.01 if algorithm == "grpo" else 0.012)
                last = {name: value + apart for name, value in finals.items()}
                history = {0: dict.fromkeys(finals, 0.0), 1: {"critic/score/mean": 0.1}, 2: last}
                made = make_run(f"algorithm={algorithm}", seed=seed, steps=2, metrics=history)
        return made.path.parent

    return make


def row_of(study: Study, algorithm: str) -> Row:
    (row,) = [row for row in study.rows if row.group.label == f"algorithm={algorithm}"]
    return row


def values(study: Study, algorithm: str) -> np.ndarray:
    return row_of(study, algorithm).values


def test_the_verdict_rests_on_the_mean_and_not_on_the_first_source(two: Callable[..., Path]) -> None:
    folder = str(two())
    study = compare([folder], Options(baseline="grpo"))
    assert (study.metric, study.compared.members, study.notes) == (MEAN, (A, B), ())
    assert values(study, "dapo") == pytest.approx([0.562, 0.574, 0.586, 0.598])
    assert study.comparisons[0].decision == "better"
    assert study.comparisons[0].interval.estimate == pytest.approx(0.155)
    interval = row_of(study, "grpo").interval
    grpo = values(study, "grpo")
    assert (interval.low, interval.high) == pytest.approx(stats.t.interval(0.95, 3, grpo.mean(), stats.sem(grpo)))
    (one,) = compare([folder], Options(metric="aime", baseline="grpo")).comparisons
    assert one.interval.estimate == pytest.approx(-0.095)


def test_it_is_said_everywhere(two: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = two(), tmp_path / "paper"
    said = "mean over aime, gsm8k, each with the same weight"
    assert main(["compare", str(folder), "--out", str(out)]) == 0
    assert f"{MEAN}  {said}; final value" in " ".join(capsys.readouterr().out.split(" "))
    assert said in (out / "table.md").read_text()
    assert said in (out / "table.tex").read_text()
    assert said in (out / "report.html").read_text()
    whole = json.loads((out / "compare.json").read_text())
    assert (whole["metric"], whole["sources"]) == (MEAN, [A, B])


def test_the_report_shows_each_source_and_that_it_is_compared(two: Callable[..., Path]) -> None:
    html = render(compare([str(two())]))
    assert "accuracy, mean of the sources" in html
    assert html.count('<span class="chip">compared</span>') == 2


def test_in_wandb_which_has_no_mean_over_sources_each_is_a_panel(two: Callable[..., Path]) -> None:
    assert themes(compare([str(two())]))["What is compared"] == [A, B]


def test_the_interquartile_mean_is_over_runs_and_sources(two: Callable[..., Path]) -> None:
    study = compare([str(two())], Options(statistic="iqm"))
    scores = np.array([[0.51, 0.31], [0.52, 0.32], [0.53, 0.33], [0.54, 0.34]])
    interval = row_of(study, "grpo").interval
    assert interval.estimate == pytest.approx(stats.trim_mean(scores.ravel(), 0.25))
    assert interval.method.startswith("bootstrap")
    assert any("values are over all runs and sources" in note for note in study.notes)
    best = compare([str(two())], Options(statistic="iqm", measure=Measure("best")))
    assert best.rows[0].interval.method == "Yuen's t"


def test_a_source_that_some_runs_lack_or_that_says_something_else_is_left_out(runs_with: Any) -> None:
    reward = "val-core/code/reward/mean@1"
    metric = default_metric(runs_with((A, B, C, reward), (A, B, reward)))
    assert metric.members == (A, B)
    assert metric.note == (
        "compared by the mean over sources without math (not in 1 of 2 runs), code (reward, not acc); "
        "--metric takes another"
    )
    alone = default_metric(runs_with((A, B), (A,), (A, C)))
    assert (alone.name, alone.members) == (A, ())
    assert alone.note.startswith("compared by aime without gsm8k (not in 2 of 3 runs), math (not in 2 of 3 runs)")
    assert default_metric(runs_with((A,))).note == ""


def test_runs_without_a_validation_take_no_source_away(runs_with: Any) -> None:
    assert default_metric(runs_with((A, B), ("critic/score/mean",))).members == (A, B)


def test_a_mean_of_n_is_the_same_for_every_n(runs_with: Any) -> None:
    names = ("val-core/aime/acc/mean@32", "val-core/math/acc/mean@4", "val-core/aime/acc/best@32/mean")
    metric = default_metric(runs_with(names))
    assert (metric.name, metric.members) == ("val-core/*/acc/mean@4,32", names[:2])


@pytest.mark.parametrize(
    ("given", "name", "members"),
    [
        ("acc", MEAN, (A, B)),
        (MEAN, MEAN, (A, B)),
        ("mean@1", MEAN, (A, B)),
        ("gsm8k", B, ()),
        (A, A, ()),
    ],
)
def test_the_mean_or_one_of_its_sources_by_name(runs_with: Any, given: str, name: str, members: Any) -> None:
    metric = complete_metric(given, runs_with((A, B, "actor/kl_loss")))
    assert (metric.name, metric.members) == (name, members)


def test_what_fits_some_sources_and_more_is_asked_back(runs_with: Any) -> None:
    names = (A, B, C, *(name.replace("mean@1", "best@4/mean") for name in (A, B, C)))
    with pytest.raises(ConfigurationError, match=r"acc could be val-core/\*/acc/mean@1, val-core/\*/acc/best@4/mean, "):
        complete_metric("acc", runs_with(names))


def test_a_run_that_diverges_on_one_source_has_no_mean(two: Callable[..., Path], make_run: MakeRun) -> None:
    folder = two()
    for seed, broken in ((5, math.nan), (6, math.inf)):
        make_run("algorithm=dapo", seed=seed, steps=2, metrics={0: GRPO, 2: {A: 0.4, B: broken}})
    study = compare([str(folder)])
    assert np.isnan(values(study, "dapo")[4:]).all()
    assert "algorithm=dapo: 2 of 6 runs have no value: 2 diverged" in study.notes


def test_a_study_of_a_study_is_the_same(two: Callable[..., Path]) -> None:
    study = compare([str(two())])
    again = study_of(study.runs, Options())
    assert (again.compared, again.comparisons[0].sentence) == (study.compared, study.comparisons[0].sentence)


def test_the_same_of_each_source() -> None:
    names = ["val-core/a/b/acc/mean@1", "val-core/gsm8k/acc/mean@1", "val-core/a/b/acc/best@4/mean", MEAN]
    assert kin(names, names[0]) == kin(names, MEAN) == names[:2]
    assert kin(names, "critic/score/mean") == []
    assert [source(name) for name in (names[0], MEAN, "critic/score/mean")] == ["a/b", "*", ""]
