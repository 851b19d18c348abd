"""From a reward of steps or tokens to one number a token of the response."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.errors import ComponentError
from harness.reward_managers.sample import RewardResult, Segment

NOTE = "reward_by_token"  # in a result's extra, as JSON text, where verl carries nothing but a score


def with_note(result: RewardResult) -> dict[str, Any]:
    """``extra`` with token rewards and segments written as text, so that they travel beside a score."""
    if result.token_rewards is None and not result.segments:
        return dict(result.extra)
    note = {"tokens": result.token_rewards, "segments": [asdict(segment) for segment in result.segments]}
    return {**result.extra, NOTE: json.dumps(note)}


def from_note(score: float, extra: Mapping[str, Any]) -> RewardResult:
    """Undo `with_note`."""
    note = json.loads(extra[NOTE])
    tokens = None if note["tokens"] is None else tuple(note["tokens"])
    rest = {name: value for name, value in extra.items() if name != NOTE}
    return RewardResult(score, rest, tokens, tuple(Segment(**segment) for segment in note["segments"]))


def rewards_by_token(result: RewardResult, length: int, spans: Sequence[tuple[int, int]] = ()) -> list[float]:
    """One reward a token.

    Args:
        result: What the reward manager gave.
        length: Tokens of the response.
        spans: The characters of each token, needed for segments alone.

    Raises:
        ComponentError: The token rewards are not as many as the tokens, or a segment covers no token.
    """
    if result.token_rewards is None:
        rewards = [0.0] * length
        rewards[-1] = result.score
    elif len(result.token_rewards) == length:
        rewards = list(result.token_rewards)
    else:
        raise ComponentError(
            f"reward_manager: {len(result.token_rewards)} token rewards came back for a response of {length} tokens."
        )
    for segment in result.segments:
        covered = _covered(segment, spans)
        if not covered:
            raise ComponentError(
                f"reward_manager: the step at characters {segment.start} to {segment.end} covers no token."
            )
        for place in _all_of(segment, result.segments, spans) if segment.every_token else covered[-1:]:
            rewards[place] += segment.reward
    return rewards


def _covered(segment: Segment, spans: Sequence[tuple[int, int]]) -> list[int]:
    return [place for place, (start, end) in enumerate(spans) if start < segment.end and end > segment.start]


def _all_of(segment: Segment, segments: Sequence[Segment], spans: Sequence[tuple[int, int]]) -> list[int]:
    """Every token of a step, for steps that lie side by side: none is in two of them, and none between them.

    A token without characters goes with the one that completes its character, and at the end, where the special
    tokens stand, with the last one. A token that reaches over from the step before stays with that one, unless it is
    all there is.
    """
    whole = _with_characters(spans)
    covered = _covered(segment, whole)
    first = whole[covered[0]][0]
    shared = any(other.every_token and first < other.end <= segment.start for other in segments)
    own = [place for place in covered if whole[place][0] >= segment.start] if shared else covered
    return own or covered


def _with_characters(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans with each empty one replaced by that of the next token that has characters, else of the last."""
    found = list(spans)
    for place in range(len(found) - 2, -1, -1):
        if found[place][0] == found[place][1]:
            found[place] = found[place + 1]
    for place in range(1, len(found)):
        if found[place][0] == found[place][1]:
            found[place] = found[place - 1]
    return found


def token_spans(tokenizer: Any, ids: Sequence[int]) -> list[tuple[int, int]]:
    """The characters of each token in the text that the tokens decode to without special tokens.

    A token that ends within a character has none; the one that completes it has it.

    Args:
        tokenizer: A fast tokenizer of transformers.
        ids: The response's tokens.
    """
    from tokenizers.decoders import DecodeStream

    stream, position, spans = DecodeStream(skip_special_tokens=True), 0, []
    for token in ids:
        text = stream.step(tokenizer.backend_tokenizer, int(token)) or ""
        spans.append((position, position + len(text)))
        position += len(text)
    left = len(tokenizer.decode(ids, skip_special_tokens=True)) - position
    if left > 0:  # the response was cut off within a character
        last = max(place for place, token in enumerate(ids) if token not in tokenizer.all_special_ids)
        spans[last] = (position, position + left)
    return spans
