"""The section ``tracking``: what means nothing is told, and what is asked does not change the experiment."""

from __future__ import annotations

import pytest

from harness.check.find import find_problems
from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import fingerprint
from harness.tracking.process import tracks

TINY = "experiment=quickstart_tiny"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("tracking.backend=mlflow", "tracking.backend=mlflow: there are null, wandb."),
        ("tracking.mode=later", "tracking.mode=later: there are online, offline."),
        ("tracking.entity=[a]", "tracking.entity=['a']: a text is needed."),
        ("tracking.tags=ablation", "tracking.tags=ablation: a list of texts is needed."),
        ("tracking.generations=-1", "tracking.generations=-1: a number of 0 or more is needed."),
        ("tracking.finish_seconds=long", "tracking.finish_seconds=long: a number of 0 or more is needed."),
        (
            "tracking.project=lab/rl",
            "tracking.project=lab/rl: W&B takes a project of 128 characters at most, none of them among /\\#?%:.",
        ),
        (
            f"trainer.project_name={'p' * 129}",
            f"trainer.project_name={'p' * 129}: "
            "W&B takes a project of 128 characters at most, none of them among /\\#?%:.",
        ),
    ],
)
def test_what_means_nothing(word: str, message: str) -> None:
    words = [TINY, "tracking=wandb", word]
    assert message in [problem.message for problem in find_problems(compose_config(words), words)]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], False),
        (["tracking=wandb"], True),
        (["tracking=offline"], True),
        (["trainer.logger=[console,wandb]"], True),
        (["trainer.logger=wandb"], True),
        (["trainer.logger=console"], False),
    ],
)
def test_who_asks_for_it(words: list[str], asked: bool) -> None:
    config = compose_config([TINY, *words])
    assert find_problems(config, [TINY, *words]) == []
    assert tracks(config) is asked
    assert fingerprint(resolve(config)) == fingerprint(resolve(compose_config([TINY])))
