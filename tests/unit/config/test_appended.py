"""Keys that verl's scripts add with a plus."""

from __future__ import annotations

import pytest

from harness.config.compose import compose_config
from harness.errors import ConfigurationError

ATTENTION = "actor_rollout_ref.model.override_config.attn_implementation"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("plus", ["", "+", "++"])
def test_a_key_that_the_harness_has_set(device: str, plus: str) -> None:
    words = [f"device={device}", "actor_rollout_ref.model.path=x", f"{plus}{ATTENTION}=eager"]
    assert compose_config(words).actor_rollout_ref.model.override_config.attn_implementation == "eager"


def test_a_key_that_nothing_has_set() -> None:
    assert compose_config(["+actor_rollout_ref.model.override_config.rope_theta=5"])


@pytest.mark.parametrize("word", ["+trainer.total_epochs=3", "+seed=3"])
def test_a_key_of_verls_or_of_the_root_is_there_already(word: str) -> None:
    with pytest.raises(ConfigurationError, match="already"):
        compose_config([word])
