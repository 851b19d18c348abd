"""Sampling against transformers' own logits processors, exactly and statistically."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from harness.backend.generation.sampling import SamplingParameters, sample_tokens, uniform_noise

DRAWS = 20_000


def parameters(rows, noise, temperature=1.0, top_k=-1, top_p=1.0):
    return SamplingParameters(
        temperature=torch.full((rows,), temperature),
        top_k=torch.full((rows,), top_k),
        top_p=torch.full((rows,), top_p),
        noise=noise,
        any_greedy=temperature == 0,
        any_sampled=temperature > 0,
        any_filtered=top_k > 0 or top_p < 1,
    )


def reference_distribution(logits, temperature, top_k, top_p):
    """What transformers samples from."""
    scores = logits[None].double()
    for warper in (
        TemperatureLogitsWarper(temperature),
        TopKLogitsWarper(top_k) if top_k > 0 else None,
        TopPLogitsWarper(top_p) if top_p < 1 else None,
    ):
        scores = warper(None, scores) if warper else scores
    return scores.softmax(-1)[0]


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, -1, 1.0), (0.5, -1, 1.0), (2.0, -1, 1.0), (1.0, 4, 1.0), (1.0, -1, 0.6), (1.3, 9, 0.7), (1.0, 1, 1.0)],
)
def test_frequencies_are_those_of_transformers(temperature, top_k, top_p):
    logits = torch.randn(23, generator=torch.Generator().manual_seed(1)) * 2
    wanted = reference_distribution(logits, temperature, top_k, top_p)
    noise = uniform_noise(range(DRAWS), 1)[:, 0]
    tokens, _ = sample_tokens(logits.expand(DRAWS, -1), parameters(DRAWS, noise, temperature, top_k, top_p))
    counts = torch.bincount(tokens, minlength=23)
    assert not counts[wanted == 0].any()
    possible = wanted > 0
    if possible.sum() > 1:
        assert chisquare(counts[possible], wanted[possible] * DRAWS).pvalue > 1e-3


@pytest.mark.parametrize(("top_k", "top_p"), [(-1, 1.0), (5, 1.0), (-1, 0.8), (7, 0.5), (400, 0.99)])
def test_every_noise_maps_to_the_inverse_cumulative_distribution(top_k, top_p):
    """A wide, flat vocabulary: the nucleus is larger than the first guess of candidates."""
    logits = torch.randn(2000, generator=torch.Generator().manual_seed(2)) * 0.3
    wanted = reference_distribution(logits, 1.0, top_k, top_p)
    noise = torch.linspace(0, 1, 501)[:-1]
    tokens, log_probs = sample_tokens(logits.expand(500, -1), parameters(500, noise, 1.0, top_k, top_p))
    assert (wanted[tokens] > 0).all()
    torch.testing.assert_close(log_probs, logits.log_softmax(-1)[tokens], atol=1e-5, rtol=1e-5)
    # In the order in which the implementation walks the distribution, each token covers the noise that hit it.
    filtered = top_k > 0 or top_p < 1
    order = wanted.argsort(descending=True, stable=True) if filtered else torch.arange(2000)
    upper = wanted[order].cumsum(0)
    place = torch.empty_like(order).scatter_(0, order, torch.arange(2000))[tokens]
    assert (noise <= upper[place] + 1e-5).all()
    assert (noise >= upper[place] - wanted[tokens] - 1e-5).all()


def test_rows_keep_their_own_parameters():
    """Greedy, free, top-k and top-p rows in one batch give what each gives alone."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(4, 50, generator=generator)
    noise = torch.rand(4, generator=generator)
    settings = [(0.0, -1, 1.0), (0.9, -1, 1.0), (1.1, 3, 1.0), (1.0, -1, 0.4)]
    columns = [torch.tensor(column) for column in zip(*settings, strict=True)]
    mixed = SamplingParameters(*columns, noise, any_greedy=True, any_sampled=True, any_filtered=True)
    tokens, log_probs = sample_tokens(logits, mixed)
    for row, setting in enumerate(settings):
        token, log_prob = sample_tokens(logits[row : row + 1], parameters(1, noise[row : row + 1], *setting))
        assert token.item() == tokens[row].item()
        torch.testing.assert_close(log_prob[0], log_probs[row])


@pytest.mark.parametrize("noise", [0.0, 1 - 2.0**-24])
def test_extreme_noise_never_picks_an_impossible_token(noise):
    logits = torch.full((1, 100), -float("inf"))
    logits[0, 40:60] = torch.randn(20, generator=torch.Generator().manual_seed(4))
    for top_k, top_p in ((-1, 1.0), (5, 1.0), (-1, 0.5)):
        token, log_prob = sample_tokens(logits, parameters(1, torch.tensor([noise]), 1.0, top_k, top_p))
        assert 40 <= token.item() < 60
        assert torch.isfinite(log_prob).all()


def test_greedy_breaks_ties_like_argmax():
    logits = torch.tensor([[0.0, 3.0, 3.0, 1.0]])
    token, log_prob = sample_tokens(logits, parameters(1, torch.tensor([0.99]), temperature=0.0))
    assert token.item() == 1
    torch.testing.assert_close(log_prob, logits.log_softmax(-1)[:, 1])


def test_noise_is_uniform_and_independent():
    noise = uniform_noise(range(300), 300).double().numpy()
    assert noise.min() >= 0
    assert noise.max() < 1
    assert kstest(noise.ravel(), "uniform").pvalue > 1e-3
    neighbours = np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]
    positions = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.015
    assert abs(positions) < 0.015


def test_noise_depends_on_seed_and_position_alone():
    many = uniform_noise([3, 2**63, 7, -1], 50)
    assert torch.equal(uniform_noise([7], 20)[0], many[2, :20])
    assert torch.equal(uniform_noise([2**64 - 1], 50)[0], many[3])
