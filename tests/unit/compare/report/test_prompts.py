"""Prompts come by their difference, with what both sides wrote, and never so many that the page cannot be opened."""

from __future__ import annotations

import numpy as np
import pytest

from harness.compare.report import prompts
from harness.compare.report.prompts import Texts, pairs, snippet


def test_the_largest_differences_come_first_with_both_sides(study):
    found, texts = pairs(study)
    assert [(pair["a"], pair["b"]) for pair in found] == list(study.prompts)
    pair = found[0]
    gaps = [abs(a - b) for _, a, b, _, _ in pair["rows"]]
    assert gaps == sorted(gaps, reverse=True)
    assert pair["prompts"] == 80
    assert prompts.EACH_WAY < len(gaps) <= 80 - pair["equal"]
    index, a, b, said, example = pair["rows"][0]
    asked = study.prompts[pair["a"], pair["b"]].asked
    groups = {pair["a"]: asked.a, pair["b"]: asked.b}
    assert len(asked.a) == len(asked.b) == 4  # pairs of seeds, as one of a has failed
    for side, mean in (("a", a), ("b", b)):
        scores = []
        for run in groups[pair[side]]:
            samples = run.samples(pair["step"])
            scores.append(samples.correct[samples.index == index].mean())
        assert mean == pytest.approx(np.mean(scores))
        assert [seed for seed, _, _ in example[side]] == [run.seed for run in groups[pair[side]]][:3]
        first = groups[pair[side]][0].generations(pair["step"])
        assert texts[example[side][0][2]] == next(each.output for each in first if each.index == index)
    assert said == f"What is {index} + {index + 7}?"
    assert texts[example["truth"]] == str(2 * index + 7)


def test_only_so_many_each_way(study, monkeypatch):
    monkeypatch.setattr(prompts, "EACH_WAY", 3)
    for pair in pairs(study)[0]:
        signs = [np.sign(a - b) for _, a, b, _, _ in pair["rows"]]
        assert (signs.count(1), signs.count(-1)) <= (3, 3)


def test_texts_are_left_out_when_there_are_too_many(study, monkeypatch):
    monkeypatch.setattr(prompts, "ALL_TEXTS", 30_000)
    for pair in pairs(study)[0]:
        given = [row[4] is not None for row in pair["rows"]]
        assert any(given)
        assert not all(given)
        assert given == sorted(given, reverse=True)


def test_a_long_text_keeps_its_ends_and_texts_are_kept_once():
    texts = Texts(100)
    number = texts.add("a" * 20_000 + "z")
    assert texts.add("a" * 20_000 + "z") == number
    (kept,) = texts.known
    assert len(kept) < 12_100
    assert "8,001 characters left out" in kept
    assert kept.endswith("z")


def test_what_the_prompts_say(study, make_study):
    said = " ".join(pairs(study)[0][0]["sentences"])
    assert "These trained models on the same 80 prompts of the validation at step 60" in said
    assert "Other trainings, asked other prompts: " in said
    single = " ".join(pairs(make_study(seeds=(1,)))[0][0]["sentences"])
    assert "Whether other trainings would differ cannot be said" in single
    assert "McNemar's exact test says p = " in single


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("system\nBe brief.\nuser\nWhat is 1 + 1?\nassistant\n", "What is 1 + 1?"),
        ("<|im_start|>user\nWhat  is\n2?<|im_end|>\n<|im_start|>assistant\n", "What is 2?"),
        ("no template", "no template"),
        ("", ""),
        ("x" * 300, "…" + "x" * 110),
    ],
)
def test_a_prompt_on_a_line(prompt, shown):
    assert snippet(prompt) == shown
