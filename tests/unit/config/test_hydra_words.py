"""Hydra's own keys on a command line: a sweep's sweeper, and nothing else that would be without effect."""

from __future__ import annotations

import pytest
from hydra.core.config_store import ConfigStore

from harness.config.compose import compose_config
from harness.config.multirun import compose_multirun
from harness.errors import ConfigurationError


def told(words: list[str], sweep: bool) -> str:
    with pytest.raises(ConfigurationError) as caught:
        compose_multirun(words) if sweep else compose_config(words)
    return str(caught.value)


@pytest.mark.parametrize(
    "word", ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "+hydra.sweeper.params.seed='1,2'"]
)
def test_a_sweeper_is_for_sweeps(word: str) -> None:
    assert told([word], sweep=False) == f"{word}: a sweeper is for sweeps.\n  → Write harness train -m …"


@pytest.mark.parametrize("word", ["hydra.sweep.dir=x", "hydra/launcher=basic", "hydra.job.chdir=true"])
@pytest.mark.parametrize("sweep", [False, True])
def test_what_the_harness_decides_itself(word: str, sweep: bool) -> None:
    assert told([word], sweep).startswith(f"{word}: this key of Hydra's would decide nothing here.")


def test_a_sweeper_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Did you mean optuna?" in told(["hydra/sweeper=optuan"], sweep=True)
    assert "Install it: pip install hydra-ax-sweeper. Installed: basic, optuna." in told(
        ["hydra/sweeper=ax"], sweep=True
    )
    monkeypatch.delitem(ConfigStore.instance().repo["hydra"]["sweeper"], "optuna.yaml")
    message = told(["hydra/sweeper=optuna"], sweep=True)
    assert message.startswith("hydra/sweeper=optuna: hydra/sweeper has no option 'optuna'.")
    assert "Install it: pip install 'rl-harness[optuna]'. Installed: basic." in message


def test_the_number_of_trials_is_no_axis() -> None:
    words = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=1,2"]
    assert "Sweeping over Hydra's configuration is not supported" in told(words, sweep=True)
