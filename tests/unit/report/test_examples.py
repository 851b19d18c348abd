"""Examples show good and bad, paired by prompt, with every character visible."""

from __future__ import annotations

import pytest

from harness.records.generations import Generation
from harness.report.examples import examples, visible


def _sample(question: str, output: str, score: float | None) -> Generation:
    return Generation(0, question, output, "t", score)


def test_every_kind_is_shown_and_paired_by_its_prompt():
    first = [_sample("a", "a0", 0.0), _sample("b", "b0", 1.0), _sample("c", "c0", 0.0), _sample("d", "d0", 1.0)]
    last = [_sample("d", "d1", 1.0), _sample("c", "c1", 0.0), _sample("b", "b1", 0.0), _sample("a", "a1", 1.0)]
    shown = [(e.kind, str(e.before), str(e.after)) for e in examples(first, last)]
    assert shown == [("improved", "a0", "a1"), ("worse", "b0", "b1"), ("still low", "c0", "c1"), ("same", "d0", "d1")]


def test_several_answers_to_one_prompt_are_paired_in_order():
    first = [_sample("a", "one", 0.0), _sample("a", "two", 0.0)]
    last = [_sample("a", "uno", 1.0), _sample("a", "due", 1.0)]
    assert [(str(e.before), str(e.after)) for e in examples(first, last)] == [("one", "uno"), ("two", "due")]


def test_the_largest_changes_come_first_and_there_are_not_too_many():
    first = [_sample(str(i), "x", 0.0) for i in range(50)]
    last = [_sample(str(i), str(i), i / 50) for i in range(50)]
    shown = examples(first, last)
    assert [str(e.after) for e in shown[:3]] == ["49", "48", "47"]
    assert len(shown) <= 8


def test_a_missing_score_is_no_error():
    (only,) = examples([_sample("a", "x", None)], [_sample("a", "y", None)])
    assert (only.before_score, only.after_score) == (None, None)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a b", "a b"),
        ("<b>", "&lt;b&gt;"),
        ("a\n", 'a<span class="ws" data-mark="↵">\n</span>'),
        ("a  b", 'a<span class="ws" data-mark="·"> </span><span class="ws" data-mark="·"> </span>b'),
        (" a", '<span class="ws" data-mark="·"> </span>a'),
        ("\t", '<span class="ws" data-mark="→">\t</span>'),
        ("\u200b\x07", '<span class="code">U+200B</span><span class="code">U+0007</span>'),
        ("é 漢 🙂", "é 漢 🙂"),
    ],
)
def test_whitespace_and_invisible_characters_can_be_seen(text, html):
    assert str(visible(text)) == html


def test_a_long_text_keeps_its_beginning_and_its_end():
    shown = str(visible("a" * 5000 + "z" * 5000))
    assert shown.startswith("aaa")
    assert shown.endswith("zzz")
    assert "7,600 characters left out" in shown
