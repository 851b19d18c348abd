"""The bridge to policy losses: called as verl calls them, with and without importance weights."""

from __future__ import annotations

import pytest
import torch
from verl.trainer.ppo.core_algos import POLICY_LOSS_REGISTRY, get_policy_loss_fn

from harness.backend.policy_loss import NAME, use_policy_loss
from harness.errors import ComponentError

ARGUMENTS = {
    "old_log_prob": torch.zeros(2, 3),
    "log_prob": torch.ones(2, 3),
    "advantages": torch.full((2, 3), 2.0),
    "response_mask": torch.ones(2, 3),
    "loss_agg_mode": "token-mean",
    "config": None,
}


def plain(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, scale=1.0):
    return -scale * (log_prob * advantages).mean(), {}


def weighted(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, rollout_is_weights=None):
    weights = 1.0 if rollout_is_weights is None else rollout_is_weights
    return -(weights * log_prob * advantages).mean(), {}


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch):
    """The loss that verl finds for a node."""
    monkeypatch.delitem(POLICY_LOSS_REGISTRY, NAME, raising=False)

    def built(name: str, **parameters: float):
        node = {"_target_": f"{__name__}.{name}", **parameters}
        assert use_policy_loss({"policy_loss": node, "trusted_modules": [__name__]}) == NAME
        return get_policy_loss_fn(NAME)

    yield built
    POLICY_LOSS_REGISTRY.pop(NAME, None)


def test_a_loss_without_importance_weights_is_not_given_none(build) -> None:
    assert build("plain", scale=3.0)(**ARGUMENTS, rollout_is_weights=None)[0].item() == -6.0


def test_it_is_refused_where_there_are_weights(build) -> None:
    with pytest.raises(ComponentError, match=r"plain takes no rollout_is_weights, .*rollout_correction\.rollout_is"):
        build("plain")(**ARGUMENTS, rollout_is_weights=torch.ones(2, 3))


def test_a_loss_with_them_gets_them(build) -> None:
    assert build("weighted")(**ARGUMENTS, rollout_is_weights=torch.full((2, 3), 0.5))[0].item() == -1.0


def test_verls_own_stays_without_a_node() -> None:
    assert use_policy_loss({"policy_loss": {"_target_": None}}) is None
