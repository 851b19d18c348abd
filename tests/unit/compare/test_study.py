"""`harness compare` from folders to what it prints: numbers by hand, every format, and what is asked wrongly."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from harness.cli import main
from harness.compare import Options, Study, compare
from harness.compare.measure import Measure
from harness.compare.study import Row
from harness.records.generations import Generation, write_generations
from harness.records.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]
METRIC = "val-core/sums/acc/mean@1"
GRPO, DAPO = (0.50, 0.52, 0.49, 0.53, 0.51, 0.50), (0.60, 0.63, 0.58, 0.62, 0.61, 0.59)


def curve(final: float, steps: int = 4) -> dict[int, dict[str, float]]:
    """Validated at every second step, straight to its final value."""
    validated = {step: {METRIC: final * step / steps} for step in range(0, steps + 1, 2)}
    return {step: {"critic/score/mean": 0.1, "perf/total_num_tokens": 100, **validated.get(step, {})}
            for step in range(steps + 1)}  # fmt: skip


@pytest.fixture
def study_of(make_run: MakeRun) -> Callable[..., Path]:
    """Two algorithms with the finals above; returns the folder of all runs."""

    def make(grpo: Sequence[float] = GRPO, dapo: Sequence[float] = DAPO) -> Path:
        for algorithm, finals in (("grpo", grpo), ("dapo", dapo)):
            for seed, final in enumerate(finals, 1):
                made = make_run(f"algorithm={algorithm}", seed=seed, metrics=curve(final))
        return made.path.parent

    return make


def row_of(study: Study, label: str) -> Row:
    (row,) = [row for row in study.rows if row.group.label == label]
    return row


def test_a_clear_difference_by_hand(study_of: Callable[..., Path]) -> None:
    study = compare([str(study_of())], Options(baseline="grpo"))
    assert study.metric == METRIC
    assert {row.group.label for row in study.rows} == {"algorithm=grpo", "algorithm=dapo"}
    (found,) = study.comparisons
    assert (found.a, found.b, found.decision) == ("algorithm=dapo", "algorithm=grpo", "better")
    gaps = np.array(DAPO) - np.array(GRPO)
    assert found.interval.estimate == pytest.approx(gaps.mean())
    low, high = stats.t.interval(0.95, 5, gaps.mean(), stats.sem(gaps))
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    interval = row_of(study, "algorithm=grpo").interval
    assert (interval.low, interval.high) == pytest.approx(stats.t.interval(0.95, 5, np.mean(GRPO), stats.sem(GRPO)))


def test_less_is_better_where_it_is_counted_how_long_it_took(study_of: Callable[..., Path]) -> None:
    study = compare([str(study_of())], Options(measure=Measure("until", "steps", 0.28), baseline="grpo"))
    assert row_of(study, "algorithm=grpo").values == pytest.approx([4] * 6)
    assert row_of(study, "algorithm=dapo").values == pytest.approx([2] * 6)
    assert not study.higher
    assert study.comparisons[0].decision == "better"


def test_noise_is_called_noise_and_one_seed_decides_nothing(study_of: Callable[..., Path]) -> None:
    (noise,) = compare([str(study_of(dapo=(0.51, 0.49, 0.53, 0.50, 0.52, 0.50)))]).comparisons
    assert noise.decision == "no difference shown"


def test_one_seed_decides_nothing(study_of: Callable[..., Path]) -> None:
    (few,) = compare([str(study_of(GRPO[:1], DAPO[:1]))]).comparisons
    assert few.decision == "too few seeds"


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (Measure("final"), 0.5),
        (Measure("best"), 0.5),
        (Measure("area"), 0.25),
        (Measure("at", "steps", 3), 0.25),
        (Measure("at", "tokens", 400), 0.25),  # the validation of step 4 comes at 500
        (Measure("until", "steps", 0.2), 2),
    ],
)
def test_each_measure(measure: Measure, value: float, study_of: Callable[..., Path]) -> None:
    study = compare([str(study_of((0.5, 0.5), (0.6, 0.6)))], Options(measure=measure))
    assert row_of(study, "algorithm=grpo").values == pytest.approx([value, value])


def test_a_crashed_run_is_counted_and_told(study_of: Callable[..., Path], make_run: MakeRun) -> None:
    folder = study_of()
    make_run("algorithm=dapo", seed=7, end="failed", metrics={0: {"critic/score/mean": 0.0}})
    study = compare([str(folder)])
    (found,) = study.comparisons
    assert found.runs == (6, 6)
    assert any("1 crashed and in no number" in warning for warning in found.warnings)
    assert "algorithm=dapo: 1 of 7 runs has no value: 1 crashed (ValueError)" in study.notes


def test_prompts_are_paired(make_run: MakeRun) -> None:
    for algorithm, right in (("grpo", 3), ("dapo", 9)):
        for seed in (1, 2, 3):
            run = make_run(f"algorithm={algorithm}", seed=seed, metrics=curve(right / 12))
            samples = [
                Generation(index, f"p{index}", "r", "t", float(index < right), 4, extra={"acc": float(index < right)})
                for index in range(12)
            ]
            write_generations(run.generations, 4, samples)
    early = make_run("algorithm=dapo", seed=9, end="failed", metrics={0: {METRIC: 0.0}})
    write_generations(early.generations, 0, [Generation(index, "p", "r", "t", 0.0, 0) for index in range(12)])
    study = compare([str(run.path.parent)], Options(baseline="grpo"))
    prompts = study.prompts["algorithm=dapo", "algorithm=grpo"]
    assert (prompts.step, prompts.quantity, prompts.models.prompts) == (4, "correct", 12)
    assert prompts.models.interval.estimate == pytest.approx(0.5)
    assert prompts.trainings is not None


@pytest.mark.parametrize("index", ["null", "1000000000000000000000", '"first"'])
def test_samples_that_cannot_be_read_are_a_problem_of_their_run(
    study_of: Callable[..., Path], capsys: pytest.CaptureFixture[str], index: str
) -> None:
    folder = study_of()
    for run in sorted(folder.iterdir()):
        write_generations(RunFolder(run).generations, 4, [Generation(n, "p", "r", "t", 1.0, 4) for n in range(3)])
    file = RunFolder(run).generations / "4.jsonl"
    file.write_text(file.read_text().replace('"index": 1', f'"index": {index}'))
    assert main(["compare", str(folder)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{run}: 4.jsonl cannot be read: " in shown
    assert "algorithm=dapo 0.605" in shown


def test_the_table_and_every_format(
    study_of: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = study_of(), tmp_path / "paper"
    assert main(["compare", str(folder), "--baseline", "grpo", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert re.search(
        r"algorithm=dapo +6 +0.605 +\[0.585, 0.625\] +0.630 +\+0.097 \[0.088, 0.105\] +0.031 +better", shown
    )
    assert (
        "● algorithm=dapo 0.605 vs algorithm=grpo 0.508: +0.097 [0.088, 0.105], p=0.031, 6 seeds each, paired" in shown
    )
    said = "probability of improvement: 1.00 [0.69, 1.00]"
    assert f"\n  {said}\n" in shown
    assert f"\n  - {said}\n" in (out / "table.md").read_text()
    assert f"P{said[1:]}" in (out / "report.html").read_text()
    rows = list(csv.DictReader(io.StringIO((out / "runs.csv").read_text())))
    assert [float(row[METRIC]) for row in rows if row["algorithm"] == "dapo"] == list(DAPO)
    whole = json.loads((out / "compare.json").read_text())
    assert {group["label"] for group in whole["groups"]} == {"algorithm=grpo", "algorithm=dapo"}
    assert whole["comparisons"][0]["decision"] == "better"
    latex = (out / "table.tex").read_text()
    assert latex.count(r" \\") == 3
    assert "val-core/sums/acc/mean@1: final value" in latex
    assert "95 \\% intervals" in latex
    assert "| algorithm=dapo | 6 | 0.605 |" in (out / "table.md").read_text()
    assert main(["compare", str(folder), "--baseline", "grpo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == whole


def test_which_is_better_can_be_said(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    for algorithm, base in (("grpo", 100), ("dapo", 200)):
        for seed in (1, 2, 3, 4):
            rise = {step: {"response_length/mean": base + step + seed * (base / 100)} for step in range(4)}
            folder = make_run(f"algorithm={algorithm}", seed=seed, steps=3, metrics=rise).path.parent
    assumed = "response_length/mean does not say whether more of it is better: higher is taken as better"
    for flags, better, noted in (([], True, True), (["--higher"], True, False), (["--lower"], False, False)):
        words = [str(folder), "--metric", "response_length/mean", "--baseline", "grpo", *flags]
        assert main(["compare", *words, "--json"]) == 0
        whole = json.loads(capsys.readouterr().out)
        assert whole["higher_is_better"] is better
        assert whole["comparisons"][0]["decision"] == ("better" if better else "worse")
        assert any(note.startswith(assumed) for note in whole["notes"]) is noted
        assert main(["compare", *words]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert f"{'higher' if better else 'lower'} is better" in shown
        assert (f"! {assumed}; --lower or --higher says it" in shown) is noted
    best = compare([str(folder)], Options("response_length/mean", higher=False, measure=Measure("best")))
    assert row_of(best, "algorithm=grpo").values == pytest.approx([101, 102, 103, 104])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "harness compare: name runs, sweeps or folders of them."),
        (["FOLDER", "--metric", "accuracy"], "metric accuracy: no run has it."),
        (["FOLDER", "--value", "last"], "--value last: there is no such one."),
        (["FOLDER", "--value", "at"], "--value at: a number is needed."),
        (["FOLDER", "--over", "epochs"], "--over epochs: there is no such one."),
        (["FOLDER", "--figures"], "--figures: nobody says where to write them."),
        (["FOLDER", "--higher", "--lower"], "--higher and --lower: more of the metric is better, or less is."),
        (["FOLDER", "--format", "xml"], "--format xml: there is no such one."),
        (["FOLDER", "--statistic", "median"], "--statistic median: there is no such one."),
        (["FOLDER", "--baseline", "ppo"], "baseline ppo: no group has this value."),
    ],
)
def test_what_is_asked_wrongly(
    words: list[str], message: str, study_of: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = study_of((0.5, 0.5), (0.6, 0.6))
    assert main(["compare", *(str(folder) if word == "FOLDER" else word for word in words)]) == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_strict_refuses_what_differs_besides(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    for algorithm, version in (("grpo", "2.13.0"), ("dapo", "2.11.0")):
        for seed in (1, 2, 3):
            about = {"versions": {"torch": version}}
            run = make_run(f"algorithm={algorithm}", seed=seed, metrics=curve(0.5), provenance=about)
    assert main(["compare", str(run.path.parent), "--strict"]) == 2
    told = capsys.readouterr().err
    assert "torch differs between the groups: 2.1" in told
    assert "(3 runs), 2.1" in told


@pytest.mark.parametrize(
    ("seed", "end", "told"),
    [
        (4, "failed", "failed or stopped runs: 1 of 4 of algorithm=dapo: "),
        (4, "done", "missing seeds: algorithm=grpo has no run of seed 4"),
    ],
)
def test_strict_refuses_what_is_missing_or_failed_and_it_is_told_everywhere(
    study_of: Callable[..., Path], make_run: MakeRun, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    seed: int, end: str, told: str,
) -> None:  # fmt: skip
    folder = study_of(GRPO[:3], DAPO[:3])
    assert main(["compare", str(folder), "--strict"]) == 0
    assert "missing" not in capsys.readouterr().out
    make_run("algorithm=dapo", seed=seed, steps=9, metrics=curve(0.6), end=end)
    assert main(["compare", str(folder), "--strict"]) == 2
    assert f"- {told}" in capsys.readouterr().err
    out = tmp_path / "paper"
    assert main(["compare", str(folder), "--out", str(out)]) == 0
    assert f"! {told}" in " ".join(capsys.readouterr().out.split())
    assert all(told in (out / name).read_text() for name in ("table.md", "report.html"))
    whole = json.loads((out / "compare.json").read_text())
    assert any(finding["text"].startswith(told) and finding["where"] == "runs" for finding in whole["findings"])
