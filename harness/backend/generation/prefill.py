"""What a prefill computes: each different prompt once, a common beginning once, and no padding.

The prompts of a batch lie behind one another in a single packed sequence: first the tokens that all prompts begin
with (a system prompt, an instruction), then the rest of each prompt, those of equal length side by side so that one
attention call serves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

# A shared beginning shorter than this is not worth an attention mask.
_MIN_SHARED_TOKENS = 8


@dataclass(frozen=True, slots=True)
class PromptGroup:
    """Prompts whose own parts have the same length.

    Attributes:
        start: Where the first one's own part begins in the packed sequence.
        length: Tokens of each own part.
        prompts: Indices of the different prompts, in packed order.
    """

    start: int
    length: int
    prompts: list[int]


@dataclass(slots=True)
class PrefillPlan:
    """The packed sequence of one prefill.

    Attributes:
        row_prompt: For each row, the index of its prompt among the different ones.
        shared: Number of tokens that all prompts begin with, at the front of the packed sequence; 0 for none.
        groups: The prompts' own parts.
        input_ids: (T,) packed tokens.
        positions: (T,) position of each token in its prompt.
        last: (U,) packed index of each different prompt's final token.
        lengths: (U,) length of each different prompt.
    """

    row_prompt: list[int]
    shared: int
    lengths: list[int]
    groups: list[PromptGroup] = field(default_factory=list)
    input_ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)


def plan_prefill(prompts: Sequence[Sequence[int]]) -> PrefillPlan:
    """Plans the prefill of these rows' prompts (each at least one token)."""
    index: dict[tuple[int, ...], int] = {}
    row_prompt = [index.setdefault(tuple(prompt), len(index)) for prompt in prompts]
    different = list(index)
    shared = _shared_tokens(different)
    plan = PrefillPlan(row_prompt=row_prompt, shared=shared, lengths=[len(prompt) for prompt in different])
    plan.input_ids = list(different[0][:shared])
    plan.positions = list(range(shared))
    plan.last = [0] * len(different)
    by_length = sorted(range(len(different)), key=plan.lengths.__getitem__)
    for length, members in groupby(by_length, key=plan.lengths.__getitem__):
        group = PromptGroup(start=len(plan.input_ids), length=length - shared, prompts=list(members))
        plan.groups.append(group)
        for prompt in group.prompts:
            plan.input_ids.extend(different[prompt][shared:])
            plan.positions.extend(range(shared, length))
            plan.last[prompt] = len(plan.input_ids) - 1
    return plan


def _shared_tokens(prompts: list[tuple[int, ...]]) -> int:
    """Length of the common beginning worth sharing; every prompt keeps a token of its own for its logits."""
    if len(prompts) < 2:
        return 0
    low, high = min(prompts), max(prompts)  # what these two begin with, all prompts in between begin with
    common = next((place for place, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    shared = min(common, min(map(len, prompts)) - 1)
    return shared if shared >= _MIN_SHARED_TOKENS else 0
