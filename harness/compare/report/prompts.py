"""The prompts on which two groups differ most, with what both sides wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from harness.compare.asked import Asked
from harness.compare.prompts import Prompts
from harness.compare.report import words
from harness.compare.run_data import RunData
from harness.compare.study import Study
from harness.records.generations import Generation

EACH_WAY = 40  # prompts of a pair with the largest differences, of either sign
ALL_ROWS = 4_000  # over all pairs; with more than fifty each has fewer
SEEDS_A_SIDE = 3
LONGEST = 12_000  # characters of a text
ALL_TEXTS = 3_000_000  # characters over all pairs
SNIPPET = 110
Answers = Callable[[RunData, int], dict[int, Generation]]
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
    holm = f" after Holm's correction over {found.family} comparisons" if found.family > 1 else ""
    asked = f"{models.prompts} prompts of the validation at step {found.step}"
    told = [
        f"These trained models on the same {asked}: {words.difference(models.interval)} in {quantity}, "
        f"{words.p(models.p_holm)}{holm} ({a} minus {b}, the models taken as they are)."
    ]
    if models.left_out:
        told.append(f"{words.count(models.left_out, 'prompt')} without all scores left out.")
    if found.trainings is None:
        told.append("Whether other trainings would differ cannot be said: a side has one seed.")
    else:
        other = found.trainings
        told.append(
            f"Other trainings, asked other prompts: {words.difference(other.interval)}, {words.p(other.p_holm)}{holm} "
            f"({other.test.method}; seeds and prompts both count as samples)."
        )
        told += [f"{note[0].upper()}{note[1:]}." for note in other.interval.notes]
    if (right := found.right) is not None:
        told.append(
            f"Both right on {right.both}, only {a} on {right.only_a}, only {b} on {right.only_b}, neither on "
            f"{right.neither}: McNemar's exact test says {words.p(right.p_holm)}{holm}."
        )
    return told


def pairs(study: Study) -> tuple[list[dict[str, Any]], list[str]]:
    """Every pair that has prompts in common, as plain JSON.

    Returns:
        For each pair its ``rows`` (example, score of a, score of b, how the prompt ends, what was written or None), the
        largest differences first; and the texts that these name by their numbers. Examples are numbered as in the
        first run of a.
    """
    texts = Texts(ALL_TEXTS // max(len(study.prompts), 1))
    each_way = min(EACH_WAY, max(5, ALL_ROWS // 2 // max(len(study.prompts), 1)))
    read = lru_cache(3 * SEEDS_A_SIDE)(_first_answers)  # the baseline's are wanted for every pair
    made = []
    for (a, b), found in study.prompts.items():
        texts.used = 0
        one, other = (scores.mean(0) for scores in found.asked.scores(found.quantity))
        whole = np.flatnonzero(np.isfinite(one) & np.isfinite(other))
        chosen = _chosen(one, other, whole, each_way)
        rows = list(_rows(chosen, one, other, found.asked, texts, read))
        told = {"prompts": len(whole), "equal": int((one[whole] == other[whole]).sum()), "each_way": each_way}
        made.append({"a": a, "b": b, "step": found.step, "rows": rows, **told, "sentences": sentences(a, b, found)})
    return made, list(texts.known)


def _chosen(one: np.ndarray, other: np.ndarray, whole: np.ndarray, each_way: int) -> list[int]:
    """The prompts with the largest differences, these first."""
    gaps = sorted(((float(one[i] - other[i]), int(i)) for i in whole), key=lambda each: (-abs(each[0]), each[1]))
    better, worse = [each for each in gaps if each[0] > 0][:each_way], [each for each in gaps if each[0] < 0][:each_way]
    kept = {*better, *worse}
    return [index for gap, index in gaps if (gap, index) in kept]


def _rows(
    chosen: Sequence[int], one: np.ndarray, other: np.ndarray, asked: Asked, texts: Texts, read: Answers
) -> Iterator[list[Any]]:
    if not chosen:
        return
    sides = [_side(asked.a, asked.places[: len(asked.a)]), _side(asked.b, asked.places[len(asked.a) :])]
    for number in chosen:
        said = [
            [(run, sample) for run, places in side if (sample := read(run, asked.step).get(int(places[number])))]
            for side in sides
        ]
        if not any(said):
            continue  # the files have changed since
        first = next(sample for side in said for _, sample in side)
        example = _example(first, said, texts) if texts.used < texts.most else None
        place = int(asked.places[0, number])
        yield [place, _rounded(one[number]), _rounded(other[number]), snippet(first.input), example]


def _side(runs: Sequence[RunData], places: np.ndarray) -> list[tuple[RunData, np.ndarray]]:
    """The first runs of a side, each with where the prompts are in it."""
    return list(zip(runs[:SEEDS_A_SIDE], places, strict=False))


def _example(asked: Generation, said: list[list[tuple[RunData, Generation]]], texts: Texts) -> dict[str, Any]:
    truth = "" if asked.ground_truth is None else str(asked.ground_truth)
    answers = [[[run.seed, sample.score, texts.add(sample.output)] for run, sample in side] for side in said]
    return {"prompt": texts.add(asked.input), "truth": texts.add(truth), "a": answers[0], "b": answers[1]}


def _first_answers(run: RunData, step: int) -> dict[int, Generation]:
    """A run's first answer to each example."""
    found: dict[int, Generation] = {}
    for sample in run.generations(step):
        found.setdefault(sample.index, sample)
    return found


def snippet(prompt: str) -> str:
    """The end of what the user said on one line, without the mark that hands the word to the model."""
    line = " ".join(_END.sub("", _USER.split(prompt)[-1]).split())
    return line if len(line) <= SNIPPET else "…" + line[-SNIPPET:]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
