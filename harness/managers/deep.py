"""`harness check --deep`: what the training would meet first, tried here, and the places it would write to."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.check.problem import Problem
from harness.config.compose import resolve
from harness.data.look import look_at_data
from harness.errors import HarnessError
from harness.launch.places import place_problems
from harness.prepare import prepare_all

if TYPE_CHECKING:
    from omegaconf import DictConfig


def deep_check(config: DictConfig, announce: Callable[[str], None]) -> tuple[list[tuple[str, str]], list[Problem]]:
    """Try tokenizer, data, reward, advantages and loss on this machine's CPU, and look at the places.

    Models and data of recipes are made, as `harness train` would make them.

    Args:
        config: A composed configuration without problems.
        announce: Told what takes its time.

    Returns:
        What was seen, ``(part, text)``, and what is wrong.
    """
    config = resolve(config)
    try:
        prepare_all(config, announce)
    except HarnessError as error:
        return [], [Problem("prepare", "prepare", error.message, error.remedy)]
    try:
        look_at_data(config, announce)
    except HarnessError as error:
        return [], [Problem("data", "data", error.message, error.remedy)]
    _processor_alone()
    from harness.backend.rehearsal import rehearse

    seen, problems = rehearse(config)
    where, wrong = place_problems(config)
    return [*seen, *where], [*problems, *wrong]


def _processor_alone() -> None:
    """verl in this process, on the CPU wherever the training is to run; its imports warn of what it does not find."""
    os.environ |= {"VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_MODULES": "harness.backend.plugin"}
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    warnings.simplefilter("ignore")
    logging.getLogger("transformers").setLevel(logging.ERROR)
