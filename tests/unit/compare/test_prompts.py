"""Prompts are paired by what was asked, not by their number; what cannot be paired is counted and told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cli import main
from harness.compare import Options, Study, compare
from harness.compare.asked import match, whole_runs
from harness.compare.load import load_runs
from harness.compare.report.prompts import pairs
from harness.compare.samples import samples_of
from harness.compare.statistics.prompts import over_seeds_and_prompts
from harness.compare.targets import find_targets
from harness.records.generations import Generation, write_generations
from harness.records.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]
A, B = "val-core/a/acc/mean@1", "val-core/b/acc/mean@1"
PROMPTS = [f"What is {number} + {number}?" for number in range(12)]


def answers(prompts: Sequence[str], right: set[str], sources: Sequence[str] | None = None) -> list[Generation]:
    """One a prompt, right where its prompt is among those."""
    return [
        Generation(place, text, f"answer to {text}", "t", float(text in right), 4, source=(sources or [""] * 99)[place],
                   extra={"acc": float(text in right)})
        for place, text in enumerate(prompts)
    ]  # fmt: skip


@pytest.fixture
def runs(make_run: MakeRun) -> Callable[..., Path]:
    """Makes runs of an algorithm, a seed each, which answer these at their last validation; returns their folder."""

    def make(algorithm: str, given: Sequence[list[Generation]], first_seed: int = 1, **options: Any) -> Path:
        metrics = options.pop("metrics", {0: {A: 0.1}, 4: {A: 0.5, "critic/score/mean": 0.1}})
        for seed, found in enumerate(given, first_seed):
            run = make_run(f"algorithm={algorithm}", seed=seed, steps=4, metrics=metrics, **options)
            write_generations(run.generations, 4, found)
        return run.path.parent

    return make


def prompts_of(folder: Path, **options: Any) -> tuple[Any, Study]:
    study = compare([str(folder)], Options(baseline="grpo", **options))
    return study.prompts.get(("algorithm=dapo", "algorithm=grpo")), study


def left_out(study: Study) -> list[str]:
    return [finding.text for finding in study.grouping.findings if finding.subject == "prompts"]


def test_the_same_prompts_in_another_order_are_paired_by_their_texts(runs: Callable[..., Path]) -> None:
    """By number, each side is right where the other is wrong."""
    right = set(PROMPTS[:6])
    runs("grpo", [answers(PROMPTS, right)])
    folder = runs("dapo", [answers(PROMPTS[::-1], right)])
    found, study = prompts_of(folder)
    assert (found.models.prompts, found.models.interval.estimate) == (12, 0.0)
    assert (found.right.both, found.right.neither, found.right.only_a, found.right.only_b) == (6, 6, 0, 0)
    assert left_out(study) == []


def test_another_text_is_left_out_and_counted(
    runs: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = [*PROMPTS[:9], "What is 9 times 9?", "What is 10 times 10?"]
    runs("grpo", [answers(PROMPTS, set(PROMPTS[:4]))] * 2)
    folder = runs("dapo", [answers(other, set(other))] * 2)
    found, study = prompts_of(folder)
    assert (found.models.prompts, found.models.interval.estimate) == (9, pytest.approx(5 / 9))
    told = (
        "prompts: 3 of 12 of step 4 left out (2 another text in some runs, 1 not asked in some runs), between "
        "algorithm=dapo and algorithm=grpo"
    )
    assert left_out(study) == [told]
    assert main(["compare", str(folder), "--baseline", "grpo", "--strict"]) == 2
    assert told in capsys.readouterr().err
    out = tmp_path / "paper"
    assert main(["compare", str(folder), "--baseline", "grpo", "--out", str(out)]) == 0
    assert f"! {told}" in " ".join(capsys.readouterr().out.split())
    assert all(told in (out / name).read_text() for name in ("compare.json", "table.md", "report.html"))
    rows = pairs(study)[0][0]["rows"]
    assert {row[3] for row in rows} == set(PROMPTS[4:9])


def test_prompts_that_share_nothing_are_not_compared_and_that_is_told(runs: Callable[..., Path]) -> None:
    other = [f"{text} Think first." for text in PROMPTS]
    runs("grpo", [answers(PROMPTS, set())])
    found, study = prompts_of(runs("dapo", [answers(other, set(other))]))
    assert found is None
    assert left_out(study)[0].startswith("prompts: 12 of 12 of step 4 left out (12 another text in some runs)")


def test_a_text_of_another_data_source_is_another_prompt() -> None:
    one, other = (samples_of(answers(PROMPTS[:2], set(), ["a", source])) for source in ("b", "c"))
    assert one.asked[1][0] == other.asked[1][0]
    assert one.asked[1][1] != other.asked[1][1]


def asked(texts: Sequence[int], places: Sequence[int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    return np.array(places or range(len(texts))), np.array(texts, np.uint64)


@pytest.mark.parametrize(
    ("runs_", "places", "lost"),
    [
        ([asked([7, 8, 9])] * 3, [[0, 1, 2]] * 3, {}),
        ([asked([7, 8, 9]), asked([9, 8, 7])], [[0, 1, 2], [2, 1, 0]], {}),
        ([asked([7, 8]), asked([7, 8], [3, 5])], [[0, 1], [3, 5]], {}),
        # a text that comes twice is paired at the same place alone
        ([asked([7, 7, 8]), asked([7, 8, 7])], [[0, 2], [0, 1]], {"another text in some runs": 2}),
        ([asked([7, 7]), asked([7])], [[0], [0]], {"not asked in some runs": 1}),
        ([asked([7, 8, 9]), asked([7, 1, 9]), asked([7, 8])], [[0], [0], [0]],
         {"another text in some runs": 1, "not asked in some runs": 1}),
        ([asked([7]), asked([8])], [[], []], {"another text in some runs": 1}),
    ],
)  # fmt: skip
def test_matching(runs_: Any, places: Any, lost: Any) -> None:
    found, counts = match(runs_)
    assert (found.tolist(), counts) == (places, lost)


def test_prompts_of_the_source_that_is_compared(runs: Callable[..., Path]) -> None:
    sources = ["a"] * 8 + ["b"] * 4
    metrics = {4: {A: 0.5, B: 0.5}}
    runs("grpo", [answers(PROMPTS, set(), sources)] * 2, metrics=metrics)
    folder = runs("dapo", [answers(PROMPTS, set(PROMPTS[8:]), sources)] * 2, metrics=metrics)
    every, study = prompts_of(folder)
    assert (every.models.prompts, every.models.interval.estimate) == (12, pytest.approx(1 / 3))
    assert study.notes == ()
    for metric, count, gap in (("val-core/a", 8, 0.0), ("val-core/b", 4, 1.0)):
        found, _ = prompts_of(folder, metric=metric)
        assert (found.models.prompts, found.models.interval.estimate) == (count, gap)


def test_a_record_that_does_not_say_the_source_is_told_of(runs: Callable[..., Path]) -> None:
    metrics = {4: {A: 0.5, B: 0.5}}
    runs("grpo", [answers(PROMPTS, set())] * 2, metrics=metrics)
    folder = runs("dapo", [answers(PROMPTS, set(PROMPTS))] * 2, metrics=metrics)
    assert prompts_of(folder)[1].notes == ()
    found, study = prompts_of(folder, metric="val-core/a")
    assert found.models.prompts == 12
    assert study.notes == ("prompts are those of all data sources: the record does not say which is of which",)


def test_prompts_without_a_score_are_counted(runs: Callable[..., Path]) -> None:
    torn = answers(PROMPTS, set())
    torn[3].extra["acc"] = None
    runs("grpo", [answers(PROMPTS, set())] * 2)
    found, _ = prompts_of(runs("dapo", [torn, answers(PROMPTS, set())]))
    assert (found.quantity, found.models.prompts, found.models.left_out) == ("correct", 11, 1)


def test_a_run_that_failed_after_its_last_step_counts(runs: Callable[..., Path]) -> None:
    folder = runs("dapo", [answers(PROMPTS, set())])
    runs("dapo", [answers(PROMPTS, set())], first_seed=2, end="failed")
    runs("dapo", [answers(PROMPTS, set())], first_seed=3, end="failed", metrics={0: {A: 0.1}})
    found = load_runs(find_targets([str(folder)]).runs)
    assert sorted(run.seed for run in whole_runs(found)) == [1, 2]
    assert [run.seed for run in whole_runs([run for run in found if run.seed == 3])] == [3]


def test_p_over_prompts_is_corrected_and_shown(
    runs: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs("grpo", [answers(PROMPTS, set())])
    runs("rloo", [answers(PROMPTS, set(PROMPTS[:1]))])
    folder = runs("dapo", [answers(PROMPTS, set(PROMPTS[:8]))])
    study = compare([str(folder)], Options(baseline="grpo"))
    dapo, rloo = (study.prompts[f"algorithm={name}", "algorithm=grpo"] for name in ("dapo", "rloo"))
    assert (dapo.right.p, dapo.right.p_holm) == pytest.approx((2 / 2**8, 4 / 2**8))
    assert dapo.models.p_holm == pytest.approx(2 * dapo.models.p)
    assert (rloo.right.p_holm, dapo.family) == (1, 2)
    out = tmp_path / "paper"
    assert main(["compare", str(folder), "--baseline", "grpo", "--out", str(out)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    said = "p=0.016 (Holm) for these models; right alone on 8 against 0, McNemar's p=0.016 (Holm)"
    assert "over 12 prompts of step 4, correct: +0.667 [" in shown
    assert said in shown
    assert said in (out / "table.md").read_text()
    assert "Holm&#39;s correction over 2 comparisons" in (out / "report.html").read_text()
    known = json.loads((out / "compare.json").read_text())["prompts"]
    (first,) = [each for each in known if each["a"] == "algorithm=dapo"]
    assert (first["right"]["p_holm"], first["family"]) == (pytest.approx(0.015625), 2)


def test_pairs_of_seeds_are_pairs_over_prompts_too(runs: Callable[..., Path]) -> None:
    """Seeds differ a lot and the algorithms by one prompt within each: unpaired, that is noise."""
    rights = [set(PROMPTS[:count]) for count in (2, 5, 8, 10)]
    runs("grpo", [answers(PROMPTS, right) for right in rights])
    folder = runs("dapo", [answers(PROMPTS, right | {PROMPTS[11]}) for right in rights])
    runs("dapo", [answers(PROMPTS, set())], first_seed=9)
    found, study = prompts_of(folder)
    assert study.comparisons[0].paired
    assert found.asked.paired
    assert [run.seed for run in found.asked.a] == [run.seed for run in found.asked.b] == [1, 2, 3, 4]
    one, other = found.asked.scores("correct")
    wanted = over_seeds_and_prompts(one, other, paired=True)
    assert found.trainings.interval == wanted.interval
    apart, _ = prompts_of(folder, paired=False)
    assert len(apart.asked.a) == 5
    assert apart.trainings.interval.high - apart.trainings.interval.low > 2 * (
        wanted.interval.high - wanted.interval.low
    )
