"""The engine against Hugging Face's own generation and a full forward pass, and its promise of equal bits."""

from __future__ import annotations

import pytest
import torch

from harness.backend.generation.requests import GenerationRequest
from harness.errors import ConfigurationError

NEW = 12


def greedy_text(pair, prompt, new=NEW, eos=None):
    """What Hugging Face's own generation gives; the stop token is part of the text."""
    output = pair.reference.generate(
        torch.tensor([prompt]), do_sample=False, max_new_tokens=new, eos_token_id=eos, pad_token_id=0
    )
    return output[0, len(prompt) :].tolist()


def forward_log_probs(pair, prompt, tokens, temperature):
    logits = pair.reference(torch.tensor([[*prompt, *tokens]])).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits / temperature, -1).gather(-1, torch.tensor(tokens)[:, None])[:, 0]


@pytest.mark.parametrize(("kind", "tied"), [("llama", True), ("llama", False), ("qwen2", True), ("qwen2", False)])
def test_greedy_equals_hugging_face(make, prompts, kind, tied):
    pair = make(kind, tied=tied)
    outputs = pair.engine().generate_batch([GenerationRequest(prompt, NEW, temperature=0) for prompt in prompts])
    assert [output.token_ids for output in outputs] == [greedy_text(pair, prompt) for prompt in prompts]
    assert {output.stop_reason for output in outputs} == {"length"}


def test_greedy_equals_hugging_face_when_rows_come_and_go(llama, prompts):
    """Three rows at a time, with different budgets: rows finish, move and are replaced all the time."""
    requests = [GenerationRequest(prompt, 1 + index % 5, temperature=0) for index, prompt in enumerate(prompts)]
    outputs = llama.engine(max_batch_size=3).generate_batch(requests)
    wanted = [greedy_text(llama, request.prompt_ids, request.max_tokens) for request in requests]
    assert [output.token_ids for output in outputs] == wanted


def test_small_prefill_budget_changes_nothing(llama, prompts):
    requests = [GenerationRequest(prompt, 4, temperature=0) for prompt in prompts]
    whole, parts = llama.engine(), llama.engine(max_prefill_tokens=10)
    assert [o.token_ids for o in whole.generate_batch(requests)] == [
        o.token_ids for o in parts.generate_batch(requests)
    ]


def test_small_cache_runs_fewer_rows(llama, prompts):
    """Room for two rows of 64 tokens: 2 layers × keys and values × 2 heads × 8 × 8 bytes a token."""
    requests = [GenerationRequest(prompt, 4, temperature=0) for prompt in prompts]
    engine = llama.engine(cache_bytes=2 * 64 * 2 * 2 * 2 * 8 * 8)
    assert [o.token_ids for o in engine.generate_batch(requests)] == [
        o.token_ids for o in llama.engine().generate_batch(requests)
    ]
    assert engine._cache.slots <= 2


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0, 1.5])
def test_log_probs_equal_a_full_forward_pass(llama, prompts, temperature):
    requests = [GenerationRequest(prompt, NEW, temperature=temperature, seed=i) for i, prompt in enumerate(prompts)]
    for request, output in zip(requests, llama.engine().generate_batch(requests), strict=True):
        wanted = forward_log_probs(llama, request.prompt_ids, output.token_ids, temperature or 1.0)
        torch.testing.assert_close(torch.tensor(output.log_probs, dtype=torch.float64), wanted, atol=1e-5, rtol=1e-5)


def test_log_probs_are_those_before_top_k_and_top_p(llama, prompts):
    requests = [GenerationRequest(prompt, NEW, top_k=3, top_p=0.5, seed=i) for i, prompt in enumerate(prompts)]
    for request, output in zip(requests, llama.engine().generate_batch(requests), strict=True):
        wanted = forward_log_probs(llama, request.prompt_ids, output.token_ids, 1.0)
        torch.testing.assert_close(torch.tensor(output.log_probs, dtype=torch.float64), wanted, atol=1e-5, rtol=1e-5)


def test_log_probs_only_where_asked_for(llama):
    with_them, without = llama.engine().generate_batch(
        [GenerationRequest([5, 6], 3, logprobs=True), GenerationRequest([5, 6], 3, logprobs=False)]
    )
    assert len(with_them.log_probs) == 3
    assert without.log_probs is None


def test_batched_text_equals_one_by_one(llama, prompts):
    """In float64 the shape of a batch cannot tip a sample, so any leak between rows would show."""
    requests = [
        GenerationRequest(
            prompt, 5 + index % 7, temperature=(0.0, 0.8, 1.3)[index % 3], top_k=(-1, 5)[index % 2], seed=index
        )
        for index, prompt in enumerate(prompts * 2)
    ]
    together = llama.engine(max_batch_size=5).generate_batch(requests)
    alone = [llama.engine().generate_batch([request])[0] for request in requests]
    assert [output.token_ids for output in together] == [output.token_ids for output in alone]


def test_responses_of_one_prompt_differ_by_seed(llama):
    outputs = llama.engine().generate_batch([GenerationRequest([7, 8, 9], NEW, seed=seed % 4) for seed in range(8)])
    texts = [tuple(output.token_ids) for output in outputs]
    assert len(set(texts)) == 4
    assert texts[:4] == texts[4:]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_same_list_gives_same_bits(make, prompts, dtype):
    pair = make("llama", dtype)
    requests = [
        GenerationRequest(prompt, 3 + i % 9, seed=i, top_p=(1.0, 0.9)[i % 2]) for i, prompt in enumerate(prompts * 3)
    ]
    engine = pair.engine(eos=EOS_LIST, max_batch_size=16)
    first = engine.generate_batch(requests)
    engine.generate_batch([GenerationRequest([5] * 60, 40, seed=1)] * 20)  # other work in between, longer and wider
    assert engine.generate_batch(requests) == first
    assert pair.engine(eos=EOS_LIST, max_batch_size=16).generate_batch(requests) == first


EOS_LIST = [2, 11]


@pytest.mark.parametrize("eos", [2, [2, 11], None])
def test_end_of_sequence_tokens(llama, prompts, eos):
    outputs = llama.engine(eos=eos).generate_batch([GenerationRequest(p, 40, temperature=0) for p in prompts])
    wanted = [greedy_text(llama, prompt, 40, eos) for prompt in prompts]
    assert [output.token_ids for output in outputs] == wanted
    ends = () if eos is None else (eos,) if isinstance(eos, int) else eos
    assert [output.stop_reason == "stop" for output in outputs] == [text[-1] in ends for text in wanted]
    if eos is not None:
        assert any(output.stop_reason == "stop" for output in outputs)


def test_own_stop_tokens_and_ignored_eos(llama):
    free = llama.engine().generate_batch([GenerationRequest([9, 4], NEW, temperature=0)])[0].token_ids
    stop = free[2]
    place = free.index(stop)
    engine = llama.engine(eos=[free[place]])
    own, ignored, both = engine.generate_batch(
        [
            GenerationRequest([9, 4], NEW, temperature=0, stop_token_ids=(stop, 60), ignore_eos=True),
            GenerationRequest([9, 4], NEW, temperature=0, ignore_eos=True),
            GenerationRequest([9, 4], NEW, temperature=0),
        ]
    )
    assert own.token_ids == free[: place + 1]
    assert own.stop_reason == "stop"
    assert ignored.token_ids == free
    assert both.token_ids == free[: place + 1]


def test_abort_keeps_what_there_is(llama, prompts):
    requests = [GenerationRequest(prompt, NEW, temperature=0) for prompt in prompts]
    whole = llama.engine().generate_batch(requests)
    asked = iter([False, False, False, True])
    engine = llama.engine(max_batch_size=4)
    partial = engine.generate_batch(requests, aborted=lambda: next(asked))
    assert {output.stop_reason for output in partial} == {"aborted"}
    assert [len(output.token_ids) for output in partial] == [4] * 4 + [0] * (len(requests) - 4)
    for part, full in zip(partial, whole, strict=True):
        assert part.token_ids == full.token_ids[: len(part.token_ids)]
    assert not engine.busy
    assert engine.generate_batch(requests) == llama.engine(max_batch_size=4).generate_batch(requests)


def test_failure_leaves_a_usable_engine(llama, prompts, monkeypatch):
    requests = [GenerationRequest(prompt, NEW, temperature=0) for prompt in prompts]
    engine = llama.engine()
    calls = iter(range(100))

    def fail_in_the_third_step(*args):
        if next(calls) == 2:
            raise MemoryError("no room")
        return logits(*args)

    logits = engine._logits
    monkeypatch.setattr(engine, "_logits", fail_in_the_third_step)
    with pytest.raises(MemoryError, match="no room"):
        engine.generate_batch(requests)
    assert engine.generate_batch(requests) == llama.engine().generate_batch(requests)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (GenerationRequest([5] * 100, 29), "exceed the longest sequence, 128 tokens"),
        (GenerationRequest([5, 61], 4), "vocabulary is 0 … 60"),
        (GenerationRequest([-1], 4), "vocabulary is 0 … 60"),
    ],
)
def test_requests_that_cannot_run_are_refused(llama, request_, message):
    engine = llama.engine()
    with pytest.raises(ConfigurationError, match=message):
        engine.generate_batch([GenerationRequest([5], 2), request_])
    assert not engine.busy


def test_tokens_beyond_the_tokenizer_are_never_sampled(llama):
    from harness.backend.generation.engine import GenerationEngine

    engine = GenerationEngine(llama.model.module, None, vocab_size=10)
    outputs = engine.generate_batch([GenerationRequest([5], NEW, seed=seed, temperature=3.0) for seed in range(16)])
    assert max(token for output in outputs for token in output.token_ids) < 10
