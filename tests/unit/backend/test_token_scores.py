"""Log-probs and entropies against autograd in float64."""

from __future__ import annotations

import pytest
import torch

from harness.backend import token_scores as module
from harness.backend.token_scores import token_scores

TOKENS, VOCABULARY = 37, 211


def reference(logits, labels, temperature):
    scores = torch.log_softmax(logits.double() / temperature.double()[:, None], dim=1)
    return scores.gather(1, labels[:, None])[:, 0], -(scores.exp() * scores).sum(1)


@pytest.fixture
def inputs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_CHUNK", 5 * VOCABULARY)  # several chunks, the last one short
    torch.manual_seed(0)
    logits = torch.randn(TOKENS, VOCABULARY) * 3
    return logits, torch.randint(0, VOCABULARY, (TOKENS,)), torch.rand(TOKENS) + 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("with_entropy", [True, False])
def test_values_and_gradients(inputs, dtype, with_entropy) -> None:
    logits, labels, temperature = inputs
    logits = logits.to(dtype)
    ours, theirs = logits.clone().requires_grad_(), logits.double().requires_grad_()
    log_probs, entropy = token_scores(ours, labels, temperature, with_entropy)
    wanted_log_probs, wanted_entropy = reference(theirs, labels, temperature)
    torch.testing.assert_close(log_probs.double(), wanted_log_probs, atol=2e-6, rtol=2e-6)
    weights = torch.linspace(-1, 2, TOKENS)
    loss, wanted_loss = (log_probs * weights).sum(), (wanted_log_probs * weights).sum()
    if with_entropy:
        torch.testing.assert_close(entropy.double(), wanted_entropy, atol=2e-6, rtol=2e-6)
        loss, wanted_loss = (
            loss + (entropy * weights.flip(0)).sum(),
            wanted_loss + (wanted_entropy * weights.flip(0)).sum(),
        )
    else:
        assert entropy is None
    loss.backward()
    wanted_loss.backward()
    tolerance = 2e-6 if dtype == torch.float32 else 8e-3
    torch.testing.assert_close(ours.grad.double(), theirs.grad, atol=tolerance, rtol=tolerance)
    assert ours.grad.dtype == dtype


def test_no_tokens() -> None:
    logits = torch.zeros(0, VOCABULARY, requires_grad=True)
    log_probs, _ = token_scores(logits, torch.zeros(0, dtype=torch.int64), torch.zeros(0), True)
    log_probs.sum().backward()
    assert log_probs.shape == (0,)
    assert logits.grad.shape == (0, VOCABULARY)
