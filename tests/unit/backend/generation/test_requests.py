"""verl's sampling parameters: honoured, or refused by name."""

from __future__ import annotations

import pytest

from harness.backend.generation.requests import GenerationRequest, SamplingDefaults, parse_request
from harness.errors import ConfigurationError

DEFAULTS = SamplingDefaults(
    prompt_length=10, response_length=6, max_model_len=20, temperature=0.7, top_p=0.9, top_k=5, ignore_eos=True
)
#: What verl's agent loops always send.
VERL = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "logprobs": False}


def test_what_verl_sends_is_understood():
    request = parse_request([1, 2], VERL, DEFAULTS, seed=3)
    assert request == GenerationRequest([1, 2], 6, 1.0, 1.0, -1, (), True, 3, logprobs=False)


def test_what_is_left_out_comes_from_the_rollout_configuration():
    request = parse_request([1], {}, DEFAULTS, seed=3)
    assert (request.temperature, request.top_p, request.top_k, request.ignore_eos) == (0.7, 0.9, 5, True)


@pytest.mark.parametrize(
    ("prompt", "params", "tokens"),
    [
        (4, {}, 6),
        (12, {}, 4),  # a prompt longer than prompt_length takes from the response, as in verl
        (4, {"max_tokens": 3}, 3),
        (4, {"max_new_tokens": 2}, 2),
        (18, {"max_tokens": 6}, 2),  # max_model_len
        (4, {"max_tokens": 0}, 1),
    ],
)
def test_token_budget(prompt, params, tokens):
    assert parse_request([1] * prompt, params, DEFAULTS, 0).max_tokens == tokens


@pytest.mark.parametrize(("logprobs", "wanted"), [(True, True), (False, False), (None, False), (0, True), (1, True)])
def test_logprobs(logprobs, wanted):
    assert parse_request([1], {"logprobs": logprobs}, DEFAULTS, 0).logprobs is wanted


def test_own_seed_stop_tokens_and_untouched_parameters():
    params = {"seed": 9, "stop_token_ids": [4, 5], "ignore_eos": False}
    request = parse_request([1], params, DEFAULTS, seed=3)
    assert (request.seed, request.stop_token_ids, request.ignore_eos) == (9, (4, 5), False)
    assert params == {"seed": 9, "stop_token_ids": [4, 5], "ignore_eos": False}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min_p": 0.1, "stop": ["x"]}, "min_p, stop"),
        ({"repetition_penalty": 1.2}, "repetition_penalty=1.2"),
        ({"temperature": -1}, "temperature=-1.0"),
        ({"top_p": 0}, "top_p=0.0"),
        ({"top_k": -2}, "top_k=-2"),
    ],
)
def test_unsupported_parameters_are_refused(params, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_request([1], params, DEFAULTS, 0)


def test_prompts_without_room_and_empty_ones_are_refused():
    with pytest.raises(ConfigurationError, match="leaves no room"):
        parse_request([1] * 20, {}, DEFAULTS, 0)
    with pytest.raises(ConfigurationError, match="prompt_ids"):
        parse_request([], {}, DEFAULTS, 0)
