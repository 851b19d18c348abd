"""Only what decides the result differs, however the two are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from harness.cli import main
from harness.config.compose import compose_config, resolve
from harness.errors import ConfigurationError
from harness.launch.difference import show_difference
from harness.records.run_folder import RunFolder

BASE = "experiment=quickstart_tiny"


def test_two_lists_of_overrides() -> None:
    lines = show_difference(BASE, f"{BASE} algorithm=rloo seed=2 trainer.save_freq=3 name=other").splitlines()
    assert [line.split() for line in lines] == [
        ["algorithm.adv_estimator", "grpo", "→", "rloo_vectorized"],
        ["seed", "1", "→", "2"],
    ]


def test_a_run_and_overrides(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "name", None)
    OmegaConf.save(resolve(compose_config([BASE, "algorithm=gmpo"])), run.config)
    assert show_difference(str(run.path), f"{BASE} algorithm=gmpo") == "nothing that decides the result differs\n"
    assert "policy_loss" in show_difference(str(run.path), BASE)


def test_what_is_neither(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match="not an override"):
        show_difference("no_such_run", BASE)
    assert main(["show", "--diff", BASE]) == 2
    assert "2 values are needed" in capsys.readouterr().err
    assert main(["show", "--diff", BASE, f"{BASE} algorithm=opo"]) == 0
    assert "adv_estimator" in capsys.readouterr().out
