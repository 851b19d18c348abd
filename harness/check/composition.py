"""Composing in spite of words that stop it, so that what is wrong beside them is told in the same report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.check.problem import Problem
from harness.config.explain import NO_SUCH_KEY
from harness.config.origins import COMMAND_LINE
from harness.config.written import compose_written
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class Composed:
    """What some words compose to.

    Attributes:
        words: Those that it is composed of.
        config: The configuration; None where a word decides what it would be.
        problems: What was wrong with the others.
    """

    words: list[str]
    config: DictConfig | None = None
    problems: list[Problem] = field(default_factory=list)


def compose_what_can_be(overrides: Sequence[str], file: str | None = None) -> Composed:
    """Compose, leaving out each word that sets a key which is not there: it has no effect on the rest.

    Args:
        overrides: Words of the command.
        file: A YAML file with verl's sections, in place of an experiment.
    """
    composed = Composed(list(overrides))
    while True:
        try:
            composed.config = compose_written(composed.words, file)
        except ConfigurationError as error:
            key = error.message.partition(":")[0].partition("=")[0]
            composed.problems.append(Problem("composition", key, error.message, error.remedy, origin=COMMAND_LINE))
            word = next((word for word in composed.words if word.lstrip("+").partition("=")[0] == key), None)
            if word is None or NO_SUCH_KEY not in error.message:  # without it another configuration would be looked at
                return composed
            composed.words.remove(word)
        else:
            return composed
