from __future__ import annotations

import pytest

from harness.errors import ComponentError
from harness.models.tiny import byte_tokenizer
from harness.reward_managers.sample import RewardResult, Segment
from harness.reward_managers.spread import from_note, rewards_by_token, token_spans, with_note

SPANS = [(0, 2), (2, 5), (5, 5), (5, 9)]


def test_a_score_stands_on_the_last_token() -> None:
    assert rewards_by_token(RewardResult(2.0, {}), 3) == [0.0, 0.0, 2.0]


def test_token_rewards_take_its_place() -> None:
    assert rewards_by_token(RewardResult(2.0, {}, token_rewards=(1.0, 0.5)), 2) == [1.0, 0.5]
    with pytest.raises(ComponentError, match="2 token rewards came back for a response of 3 tokens"):
        rewards_by_token(RewardResult(2.0, {}, token_rewards=(1.0, 0.5)), 3)


def test_steps_add_to_the_tokens_they_cover() -> None:
    result = RewardResult(1.0, {}, segments=(Segment(0, 3, 0.5), Segment(5, 9, 0.25, every_token=True)))
    assert rewards_by_token(result, 4, SPANS) == [0.0, 0.5, 0.25, 1.25]  # (5, 5) is completed by (5, 9)
    every = RewardResult(0.0, {}, segments=(Segment(0, 5, 1.0, every_token=True),))
    assert rewards_by_token(every, 4, SPANS) == [1.0, 1.0, 0.0, 0.0]


def test_every_token_lies_in_one_of_neighbouring_steps() -> None:
    spans = [(0, 2), (2, 5), (5, 5), (5, 9), (9, 9), (9, 9)]  # the second reaches into the next step; two end the text
    steps = (Segment(0, 4, 0.5, every_token=True), Segment(4, 9, 0.25, every_token=True))
    assert rewards_by_token(RewardResult(0.0, {}, (1.0,) * 6, steps), 6, spans) == [1.5, 1.5, 1.25, 1.25, 1.25, 1.25]
    within = (Segment(0, 3, 0.5, every_token=True), Segment(3, 4, 0.25, every_token=True))
    assert rewards_by_token(RewardResult(0.0, {}, (0.0,) * 2, within), 2, [(0, 2), (2, 5)]) == [0.5, 0.75]
    nested = (Segment(0, 9, 0.5, every_token=True), Segment(4, 9, 0.25, every_token=True))
    assert rewards_by_token(RewardResult(0.0, {}, (0.0,) * 6, nested), 6, spans) == [0.5, 0.75, 0.75, 0.75, 0.75, 0.75]


def test_a_step_outside_the_text_is_an_error() -> None:
    with pytest.raises(ComponentError, match="characters 9 to 12 covers no token"):
        rewards_by_token(RewardResult(1.0, {}, segments=(Segment(9, 12, 1.0),)), 4, SPANS)


def test_what_travels_as_text_comes_back() -> None:
    result = RewardResult(1.5, {"acc": 1.0}, (0.5, 1.0), (Segment(0, 3, 0.5), Segment(3, 4, 1.0, True)))
    assert from_note(1.5, with_note(result)) == result
    plain = RewardResult(1.0, {"acc": 1.0})
    assert with_note(plain) == {"acc": 1.0}


def test_spans_follow_the_text_also_within_a_character() -> None:
    tokenizer = byte_tokenizer()
    text = "aé→ b<x>"
    ids = [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
    spans = token_spans(tokenizer, ids)
    assert len(spans) == len(ids)
    assert "".join(text[start:end] for start, end in spans) == text
    assert spans[:4] == [(0, 1), (1, 1), (1, 2), (2, 2)]  # é is two bytes; the second completes it
    assert spans[-1] == (len(text), len(text))
