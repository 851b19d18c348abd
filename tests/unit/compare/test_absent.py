"""Runs that crashed, go on, were stopped or diverged: in no number, but counted and named wherever results are shown."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cli import main
from harness.compare import Options, Study, compare
from harness.compare.measure import Measure
from harness.compare.report import write_report
from harness.compare.study import Row
from harness.records.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]
METRIC = "val-core/sums/acc/mean@1"
STEPS = 10
UNTRAINED = 0.1


def curve(final: float, last: int = STEPS, every: int = 2) -> dict[int, dict[str, Any]]:
    """From the untrained value straight to the final one of all steps, as far as the run came."""
    rise = (final - UNTRAINED) / STEPS
    validated = {step: {METRIC: UNTRAINED + rise * step} for step in range(0, last + 1, every)}
    return {step: {"critic/score/mean": 0.1, "perf/total_num_tokens": 100, **validated.get(step, {})}
            for step in range(last + 1)}  # fmt: skip


@pytest.fixture
def runs(make_run: MakeRun) -> Callable[..., Path]:
    """Makes runs of an algorithm, a seed each, of these histories; returns the folder of all."""

    def make(algorithm: str, histories: Mapping[int, Mapping[int, Any]], end: str = "done") -> Path:
        for seed, history in histories.items():
            made = make_run(f"algorithm={algorithm}", seed=seed, steps=STEPS, metrics=history, end=end)
        return made.path.parent

    return make


@pytest.fixture
def grpo(runs: Callable[..., Path]) -> Path:
    """Six whole runs at 0.51 to 0.56."""
    return runs("grpo", {seed: curve(0.50 + seed / 100) for seed in range(1, 7)})


def row_of(study: Study, algorithm: str) -> Row:
    (row,) = [row for row in study.rows if row.group.label == f"algorithm={algorithm}"]
    return row


@pytest.mark.parametrize(
    ("end", "word", "told"),
    [
        ("failed", "crashed", "3 crashed (ValueError)"),
        ("running", "still running", "3 still running"),
        ("cancelled", "cancelled", "3 cancelled"),
        ("preempted", "preempted", "3 preempted"),
    ],
)
@pytest.mark.parametrize("kind", ["final", "best", "area"])
def test_what_a_run_had_when_it_ended_early_is_not_its_value(
    runs: Callable[..., Path], grpo: Path, end: str, word: str, told: str, kind: Any
) -> None:
    """Survivors at 0.64 to 0.66 beat 0.51 to 0.56, whatever three others had before they were trained."""
    runs("dapo", {seed: curve(final) for seed, final in ((1, 0.66), (2, 0.64), (3, 0.65))})
    runs("dapo", {seed: curve(0.6, last=3) for seed in (4, 5, 6)}, end)
    study = compare([str(grpo)], Options(baseline="grpo", measure=Measure(kind)))
    row, (found,) = row_of(study, "dapo"), study.comparisons
    assert (row.seeds, dict(row.absent), found.decision) == ("3 of 6", {word: 3}, "better")
    assert row.values[:3].min() > row_of(study, "grpo").values.max()
    assert np.isnan(row.values[3:]).all()
    assert row.summaries[3].note.startswith(f"{word} at step 3 of 10")
    assert f"algorithm=dapo: 3 of 6 runs have no value: {told}" in study.notes
    assert any(f"3 {word} and in no number" in warning for warning in found.warnings)


def test_if_all_crashed_nothing_is_decided(runs: Callable[..., Path], grpo: Path) -> None:
    runs("dapo", {seed: curve(0.6, last=0) for seed in range(1, 7)}, "failed")
    (found,) = compare([str(grpo)], Options(baseline="grpo")).comparisons
    assert (found.decision, found.runs) == ("too few seeds", (0, 6))
    assert "without a value" in found.sentence


@pytest.mark.parametrize("end", ["failed", "running", "cancelled"])
def test_a_run_with_all_its_steps_counts_however_it_ended(runs: Callable[..., Path], grpo: Path, end: str) -> None:
    runs("dapo", {seed: curve(0.6) for seed in (1, 2, 3)}, end)
    assert row_of(compare([str(grpo)]), "dapo").values == pytest.approx([0.6] * 3)


def test_a_failure_is_named_in_every_format(runs: Callable[..., Path], grpo: Path, tmp_path: Path, capsys: Any) -> None:
    runs("dapo", {seed: curve(0.63 + seed / 100) for seed in (1, 2, 3)})
    runs("dapo", {4: curve(0.6, last=3)}, "failed")
    runs("dapo", {5: curve(0.6, last=6)}, "running")
    line = "algorithm=dapo: 2 of 5 runs have no value: 1 crashed (ValueError), 1 still running"
    out = tmp_path / "paper"
    assert main(["compare", str(grpo), "--out", str(out)]) == 0
    assert f"! {line}" in capsys.readouterr().out
    markdown, latex = (out / "table.md").read_text(), (out / "table.tex").read_text()
    assert "| algorithm=dapo | 3 of 5 |" in markdown
    assert f"- {line}" in markdown
    assert "algorithm=dapo & 3 of 5 &" in latex
    assert f"Holm's correction. {line}.}}" in latex
    whole = json.loads((out / "compare.json").read_text())
    (group,) = [group for group in whole["groups"] if group["label"] == "algorithm=dapo"]
    assert group["absent"] == {"crashed": 1, "still running": 1}
    assert [run["absent"] for run in group["runs"]] == ["", "", "", "crashed", "still running"]
    page = (out / "report.html").read_text()
    assert line in page
    assert ">3 of 5<" in page
    assert "seed 4: crashed at step 3 of 10: ValueError: made to fail" in page
    notes = [
        each["note"] for each in csv.DictReader(io.StringIO((out / "runs.csv").read_text())) if each["seed"] == "4"
    ]
    assert "crashed at step 3 of 10: ValueError: made to fail" in notes


def test_runs_that_go_on_are_compared_at_a_step_that_all_have(runs: Callable[..., Path], grpo: Path) -> None:
    runs("dapo", {1: curve(0.6, last=5), 2: curve(0.6, last=6), 3: curve(0.6, last=9)}, "running")
    study = compare([str(grpo)])
    assert "--value at=4 compares where those that are still running have come" in study.notes
    at = compare([str(grpo)], Options(measure=Measure("at", "steps", 4)))
    assert row_of(at, "dapo").values == pytest.approx([UNTRAINED + 0.4 * 0.5] * 3)
    tokens = compare([str(grpo)], Options(measure=Measure("final", "tokens")))
    assert any(note.startswith("--value at=500 --over tokens compares") for note in tokens.notes)


def test_at_a_budget_those_count_that_got_there(runs: Callable[..., Path], grpo: Path) -> None:
    runs("dapo", {1: curve(0.6, last=3), 2: curve(0.6, last=8)}, "failed")
    row = row_of(compare([str(grpo)], Options(measure=Measure("at", "steps", 6))), "dapo")
    assert row.values == pytest.approx([np.nan, 0.4], nan_ok=True)
    assert row.absent == {"crashed": 1}


def test_an_early_crash_does_not_cut_the_range_of_all(runs: Callable[..., Path], grpo: Path) -> None:
    runs("dapo", {seed: curve(0.6) for seed in (1, 2, 3)})
    runs("dapo", {4: curve(0.6, last=2)}, "failed")
    study = compare([str(grpo)], Options(measure=Measure("area")))
    assert "from 0 to 10, where all runs that trained to their end are measured" in study.notes
    assert row_of(study, "dapo").values == pytest.approx([0.35, 0.35, 0.35, np.nan], nan_ok=True)


@pytest.mark.parametrize("broken", [math.nan, math.inf, None])
@pytest.mark.parametrize("kind", ["final", "area", "at"])
def test_a_run_that_ends_in_nan_has_no_value(runs: Callable[..., Path], grpo: Path, broken: Any, kind: Any) -> None:
    diverged = curve(0.9)
    diverged[STEPS][METRIC] = broken
    runs("dapo", {1: curve(0.6), 2: diverged})
    study = compare([str(grpo)], Options(measure=Measure(kind, "steps", STEPS if kind == "at" else None)))
    row = row_of(study, "dapo")
    assert np.isfinite(row.values).tolist() == [True, False]
    assert (row.absent, row.summaries[1].note) == (
        {"diverged": 1},
        "diverged: what was recorded at 10 is no finite number",
    )
    assert "algorithm=dapo: 1 of 2 runs has no value: 1 diverged" in study.notes


def test_the_best_value_of_a_run_that_diverged_stands_with_a_note(runs: Callable[..., Path], grpo: Path) -> None:
    diverged = curve(0.9)
    diverged[STEPS][METRIC] = math.nan
    runs("dapo", {1: diverged})
    row = row_of(compare([str(grpo)], Options(measure=Measure("best"))), "dapo")
    assert row.values == pytest.approx([UNTRAINED + 0.8 * 0.8])
    assert row.summaries[0].note.startswith("diverged")


def test_what_was_nan_on_the_way_or_not_measured_at_the_end_is_no_divergence(
    runs: Callable[..., Path], grpo: Path
) -> None:
    passing, unmeasured = curve(0.6), curve(0.6)
    passing[4][METRIC] = math.nan
    del unmeasured[STEPS][METRIC]
    runs("dapo", {1: passing, 2: unmeasured})
    assert row_of(compare([str(grpo)]), "dapo").values == pytest.approx([0.6, 0.5])


def test_the_note_on_uneven_ends_names_the_axis(runs: Callable[..., Path], make_run: MakeRun) -> None:
    for steps in (10, 20):
        history = {step: {METRIC: 0.5, "perf/total_num_tokens": 123_456_789} for step in range(steps + 1)}
        folder = make_run("algorithm=dapo", seed=steps, steps=steps, metrics=history).path.parent
    steps, tokens = (
        compare([str(folder)], Options(measure=Measure("final", axis))).notes for axis in ("steps", "tokens")
    )
    assert steps == ("final values were taken at steps from 10 to 20; --value at=10 compares at equal ones",)
    assert tokens == (
        "final values were taken at tokens from 1358024679 to 2592592569; "
        "--value at=1358024679 --over tokens compares at equal ones",
    )


def until(reached: Mapping[int, int]) -> dict[int, dict[int, Any]]:
    """Histories that pass 0.5 at these steps."""
    return {
        seed: {step: {METRIC: 0.6 if step >= at else 0.2} for step in range(STEPS + 1)} for seed, at in reached.items()
    }


NEVER = 99


def test_those_that_never_got_there_are_the_slow_ones(runs: Callable[..., Path], tmp_path: Path, capsys: Any) -> None:
    """Three of eight are there at 2, all of the others at 5: the mean of those that made it says better."""
    runs("dapo", until({seed: 2 if seed < 4 else NEVER for seed in range(1, 9)}))
    folder = runs("grpo", until(dict.fromkeys(range(1, 9), 5)))
    study = compare([str(folder)], Options(measure=Measure("until", "steps", 0.5), baseline="grpo"))
    (found,) = study.comparisons
    assert (found.decision, found.reached, found.runs) == ("no difference shown", (3, 8), (8, 8))
    assert "dapo not reached by half vs algorithm=grpo 5 (medians), 3 of 8 and 8 of 8 runs got there" in found.sentence
    assert study.statistic == "median"
    assert row_of(study, "dapo").interval is None
    assert row_of(study, "grpo").interval.estimate == 5
    assert study.notes == ("algorithm=dapo: 5 of 8 runs have not got there, and count as slower than what had by then",)
    assert main(["compare", str(folder), "--value", "until=0.5", "--baseline", "grpo"]) == 0
    shown = capsys.readouterr().out
    assert "steps until 0.5, median over seeds, lower is better" in shown
    assert "probability of improvement, of getting there first: 0." in shown
    assert "3 of 8" in shown
    write_report(study, tmp_path / "report.html")
    assert "median of the runs; a dot a run" in (tmp_path / "report.html").read_text()


def test_the_slow_side_is_worse(runs: Callable[..., Path]) -> None:
    runs("dapo", until({seed: 2 if seed < 2 else NEVER for seed in range(1, 9)}))
    folder = runs("grpo", until(dict.fromkeys(range(1, 9), 5)))
    (found,) = compare([str(folder)], Options(measure=Measure("until", "steps", 0.5), baseline="grpo")).comparisons
    assert (found.decision, found.test.method) == ("worse", "Gehan's scores, permutation of runs (exact)")


def test_a_crash_says_nothing_of_the_time_and_a_run_that_goes_on_how_far_it_is(runs: Callable[..., Path]) -> None:
    runs("dapo", until({1: 2, 2: NEVER, 5: 2}))
    runs("dapo", {3: {step: {METRIC: 0.2} for step in range(5)}}, "running")
    runs(
        "dapo", {4: {step: {METRIC: 0.2} for step in range(4)}, 6: {step: {METRIC: 0.6} for step in range(4)}}, "failed"
    )
    folder = runs("grpo", until({1: 3, 2: 5, 3: 6}))
    study = compare([str(folder)], Options(measure=Measure("until", "steps", 0.5), baseline="grpo"))
    assert study.notes[:2] == (
        "algorithm=dapo: 1 of 6 runs has no value: 1 crashed (ValueError)",
        "algorithm=dapo: 2 of 6 runs have not got there (1 still running), and count as slower than what had by then",
    )
    (found,) = study.comparisons
    assert (found.reached, found.runs) == ((3, 3), (5, 3))
    assert any("1 crashed and in no number" in warning for warning in found.warnings)
    assert "compared up to 4: as far as every run was followed that did not get there" in found.warnings
