"""What a prefill computes, and what it does not compute twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.backend.generation.prefill import plan_prefill

PROMPTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=8)


@given(common=st.lists(st.integers(0, 2), max_size=12), own=PROMPTS)
def test_every_prompt_can_be_read_back(common, own):
    prompts = [[*common, *tokens] for tokens in own]
    plan = plan_prefill(prompts)
    assert len(plan.input_ids) == len(plan.positions)
    seen = {}
    for group in plan.groups:
        for place, prompt in enumerate(group.prompts):
            start = group.start + place * group.length
            packed = range(start, start + group.length)
            seen[prompt] = [*plan.input_ids[: plan.shared], *(plan.input_ids[i] for i in packed)]
            assert [plan.positions[i] for i in packed] == list(range(plan.shared, len(seen[prompt])))
            assert plan.last[prompt] == packed[-1]
    assert [seen[prompt] for prompt in plan.row_prompt] == prompts
    assert plan.positions[: plan.shared] == list(range(plan.shared))


def test_equal_prompts_and_common_beginnings_are_computed_once():
    system = list(range(20))
    plan = plan_prefill([[*system, 1], [*system, 2, 3], [*system, 1], [*system, 2, 3]])
    assert plan.shared == 20
    assert plan.input_ids == [*system, 1, 2, 3]
    assert plan.row_prompt == [0, 1, 0, 1]


def test_a_prompt_that_is_anothers_beginning_keeps_a_token():
    plan = plan_prefill([list(range(20)), list(range(25))])
    assert plan.shared == 19
    assert [group.length for group in plan.groups] == [1, 6]
