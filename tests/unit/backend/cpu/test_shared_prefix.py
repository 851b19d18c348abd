"""Sequences that share a prompt: the packed layout computes what separate sequences do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from harness.backend.cpu.shared_prefix import MAX_WIDTH, share_prefixes

VOCABULARY = 50


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(config).eval().double()


def batch(*groups: tuple[int, list[int]], seed: int = 0, shuffled: bool = False):
    """(prompt length, response lengths) of each group as lists of prompts and responses."""
    rng = np.random.default_rng(seed)
    pairs = []
    for prompt_length, response_lengths in groups:
        prompt = rng.integers(0, VOCABULARY, prompt_length)
        pairs += [(prompt, rng.integers(0, VOCABULARY, length)) for length in response_lengths]
    if shuffled:
        rng.shuffle(pairs)
    return [torch.from_numpy(p) for p, _ in pairs], [torch.from_numpy(r) for _, r in pairs]


def laid_out(prompts, responses):
    sequences = [torch.cat(pair) for pair in zip(prompts, responses, strict=True)]
    offsets = torch.tensor([0, *np.cumsum([len(s) for s in sequences])])
    tokens = torch.cat(sequences)
    return tokens, offsets, share_prefixes(tokens, offsets, torch.tensor([len(p) for p in prompts]))


CASES = {
    "groups of several sizes": batch((5, [3, 1, 4]), (9, [2]), (2, [6, 6])),
    "mixed order": batch((5, [3, 1, 4, 1]), (7, [2, 9, 2]), (2, [6, 5]), shuffled=True),
    "one sequence": batch((3, [4])),
    "one token each": batch((1, [1])),
    "an empty response": batch((4, [0, 3])),
    "one group": batch((11, [2, 3, 4, 5, 6, 7, 8])),
}


@pytest.mark.parametrize("case", CASES)
def test_each_response_token_is_predicted_as_in_a_sequence_of_its_own(model, case) -> None:
    prompts, responses = CASES[case]
    tokens, offsets, layout = laid_out(prompts, responses)
    with torch.no_grad():
        alone = [model(torch.cat(pair)[None]).logits[0] for pair in zip(prompts, responses, strict=True)]
        lengths = offsets.diff()
        positions = torch.cat([torch.arange(length) for length in lengths])
        packed = model(
            input_ids=layout.place(tokens),
            attention_mask=layout.attention_mask,
            position_ids=layout.place(positions),
            use_cache=False,
        ).logits
    wanted = torch.cat([x[len(p) - 1 : -1] for x, p in zip(alone, prompts, strict=True)])
    order = torch.argsort(layout.targets)
    torch.testing.assert_close(packed.flatten(0, 1)[layout.readers[order]], wanted, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_targets_are_the_response_tokens(case) -> None:
    prompts, responses = CASES[case]
    tokens, _, layout = laid_out(prompts, responses)
    is_response = torch.cat(
        [torch.cat([torch.zeros(len(p)), torch.ones(len(r))]) for p, r in zip(prompts, responses, strict=True)]
    )
    assert sorted(layout.targets.tolist()) == is_response.nonzero()[:, 0].tolist()
    # a reader holds the token before its target
    before = tokens[layout.targets - 1]
    assert torch.equal(layout.place(tokens).flatten()[layout.readers], before)


def test_a_prompt_is_computed_once_and_short_groups_share_a_row() -> None:
    _, _, layout = laid_out(*batch((100, [10] * 8), (20, [5] * 4), (20, [5] * 4)))
    assert layout.cells.shape == (2, 180)
    assert int((layout.cells >= 0).sum()) == 100 + 80 + 2 * (20 + 20)


def test_a_wide_group_is_divided() -> None:
    _, _, layout = laid_out(*batch((100, [100] * 8)))
    assert layout.cells.shape[1] <= MAX_WIDTH
    assert len(layout.targets) == 800


def test_a_sequence_wider_than_that_stays_whole() -> None:
    _, _, layout = laid_out(*batch((600, [100, 100])))
    assert layout.cells.shape == (2, 700)


def test_every_query_sees_something() -> None:
    _, _, layout = laid_out(*batch((5, [3, 1, 4]), (9, [2])))
    assert layout.attention_mask.any(-1).all()
