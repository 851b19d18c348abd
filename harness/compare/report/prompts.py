"""The prompts on which two groups differ most, with what both sides wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.compare.prompts import Prompts, whole_runs
from harness.compare.report import words
from harness.compare.run_data import RunData
from harness.compare.samples import Samples
from harness.compare.study import Study
from harness.records.generations import Generation

EACH_WAY = 40  # prompts of a pair with the largest differences, of either sign
ALL_ROWS = 4_000  # over all pairs; with more than fifty each has fewer
SEEDS_A_SIDE = 3
LONGEST = 12_000  # characters of a text
ALL_TEXTS = 3_000_000  # characters over all pairs
SNIPPET = 110
_NAMES = {"correct": "accuracy"}
_USER = re.compile(r"(?:^|\n)(?:<[^<>\n]*>)*user(?:<[^<>\n]*>)*\n")
_END = re.compile(r"(?:<[^<>]*>|\bassistant\b|\s)+$")


@dataclass
class Texts:
    """Texts that a page holds once each, up to an amount."""

    most: int
    used: int = 0
    known: dict[str, int] = field(default_factory=dict)

    def add(self, text: str) -> int:
        """The number of a text."""
        if len(text) > LONGEST:
            left_out = len(text) - LONGEST
            text = f"{text[: LONGEST // 2]}\n… {left_out:,} characters left out …\n{text[-LONGEST // 2 :]}"
        if text not in self.known:
            self.known[text] = len(self.known)
            self.used += len(text)
        return self.known[text]


def sentences(a: str, b: str, found: Prompts) -> list[str]:
    """What the prompts say of a pair, a sentence for each question."""
    models, quantity = found.models, _NAMES.get(found.quantity, found.quantity)
    asked = f"{models.prompts} prompts of the validation at step {found.step}"
    told = [
        f"These trained models on the same {asked}: {words.difference(models.interval)} in {quantity}, "
        f"{words.p(models.test.p)} ({a} minus {b}, the models taken as they are)."
    ]
    if models.left_out:
        told.append(f"{words.count(models.left_out, 'prompt')} without all scores left out.")
    if found.trainings is None:
        told.append("Whether other trainings would differ cannot be said: a side has one seed.")
    else:
        other = found.trainings
        told.append(
            f"Other trainings, asked other prompts: {words.difference(other.interval)}, {words.p(other.test.p)} "
            f"({other.test.method}; seeds and prompts both count as samples)."
        )
        told += [f"{note[0].upper()}{note[1:]}." for note in other.interval.notes]
    if (right := found.right) is not None:
        told.append(
            f"Both right on {right.both}, only {a} on {right.only_a}, only {b} on {right.only_b}, neither on "
            f"{right.neither}: McNemar's exact test says {words.p(right.p)}."
        )
    return told


def pairs(study: Study) -> tuple[list[dict[str, Any]], list[str]]:
    """Every pair that has prompts in common, as plain JSON.

    Returns:
        For each pair its ``rows`` (example, score of a, score of b, how the prompt ends, what was written or None), the
        largest differences first; and the texts that these name by their numbers.
    """
    groups = {row.group.label: whole_runs(row.group.runs) for row in study.rows}
    texts = Texts(ALL_TEXTS // max(len(study.prompts), 1))
    each_way = min(EACH_WAY, max(5, ALL_ROWS // 2 // max(len(study.prompts), 1)))
    scores: dict[tuple[str, int, str], dict[int, float]] = {}
    made = []
    for (a, b), found in study.prompts.items():
        texts.used = 0
        for label in (a, b):
            key = (label, found.step, found.quantity)
            if key not in scores:
                scores[key] = _scores(groups[label], found.step, found.quantity)
        one, other = (scores[label, found.step, found.quantity] for label in (a, b))
        chosen = _chosen(one, other, each_way)
        rows = list(_rows(chosen, one, other, (groups[a], groups[b]), found.step, texts))
        shared = len(one.keys() & other.keys())
        equal = sum(one[index] == other[index] for index in one.keys() & other.keys())
        told = {"prompts": shared, "equal": equal, "each_way": each_way, "sentences": sentences(a, b, found)}
        made.append({"a": a, "b": b, "step": found.step, "rows": rows, **told})
    return made, list(texts.known)


def _chosen(one: Mapping[int, float], other: Mapping[int, float], each_way: int) -> list[int]:
    """The examples with the largest differences, these first."""
    gaps = sorted(
        ((one[i] - other[i], i) for i in one.keys() & other.keys()), key=lambda each: (-abs(each[0]), each[1])
    )
    better, worse = [each for each in gaps if each[0] > 0][:each_way], [each for each in gaps if each[0] < 0][:each_way]
    kept = {*better, *worse}
    return [index for gap, index in gaps if (gap, index) in kept]


def _rows(
    chosen: Sequence[int],
    one: Mapping[int, float],
    other: Mapping[int, float],
    groups: Sequence[Sequence[RunData]],
    step: int,
    texts: Texts,
) -> Iterator[list[Any]]:
    if not chosen:
        return
    sides = [_written(runs, step, set(chosen)) for runs in groups]
    for index in chosen:
        asked = next(sample for side in sides for _, by_index in side if (sample := by_index.get(index)))
        example = _example(asked, index, sides, texts) if texts.used < texts.most else None
        yield [index, _rounded(one[index]), _rounded(other[index]), snippet(asked.input), example]


def _example(
    asked: Generation, index: int, sides: list[list[tuple[RunData, dict[int, Generation]]]], texts: Texts
) -> dict[str, Any]:
    truth = "" if asked.ground_truth is None else str(asked.ground_truth)
    said = [
        [[run.seed, sample.score, texts.add(sample.output)] for run, found in side if (sample := found.get(index))]
        for side in sides
    ]
    return {"prompt": texts.add(asked.input), "truth": texts.add(truth), "a": said[0], "b": said[1]}


def _written(runs: Sequence[RunData], step: int, wanted: set[int]) -> list[tuple[RunData, dict[int, Generation]]]:
    """The first answer of a few runs to each of the prompts."""
    found = []
    for run, samples in _samples(runs, step):
        by_index: dict[int, Generation] = {}
        for sample in samples.texts:
            if sample.index in wanted:
                by_index.setdefault(sample.index, sample)
        found.append((run, by_index))
        if len(found) == SEEDS_A_SIDE:
            break
    return found


def _scores(runs: Sequence[RunData], step: int, quantity: str) -> dict[int, float]:
    """Example → its mean over the runs, of the examples that each run was asked."""
    of_runs = []
    for _, samples in _samples(runs, step):
        examples, means = samples.by_example(getattr(samples, quantity))
        of_runs.append(dict(zip(examples.tolist(), means.tolist(), strict=True)))
    shared = set.intersection(*(set(each) for each in of_runs)) if of_runs else set()
    return {index: float(np.mean([each[index] for each in of_runs])) for index in shared}


def _samples(runs: Sequence[RunData], step: int) -> Iterator[tuple[RunData, Samples]]:
    for run in runs:
        samples = run.samples(step)
        if samples is not None and len(samples.index):
            yield run, samples


def snippet(prompt: str) -> str:
    """The end of what the user said on one line, without the mark that hands the word to the model."""
    line = " ".join(_END.sub("", _USER.split(prompt)[-1]).split())
    return line if len(line) <= SNIPPET else "…" + line[-SNIPPET:]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
