"""The section ``sweep``: what a search is told of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.problem import Problem
from harness.check.values import lookup

BEST = (None, "max", "min")


def objective_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Values that name no metric, or no way to choose among its values."""
    metric, best = lookup(tree, "sweep.metric"), lookup(tree, "sweep.best")
    named = metric if isinstance(metric, list) else [metric]
    if not named or not all(isinstance(name, str) and name for name in named):
        message = f"sweep.metric={metric}: a metric's name, or a list of some, is needed."
        yield Problem("sweep", "sweep.metric", message, "Such as validation, or reward/mean.", metric)
    if best not in BEST:
        yield Problem("sweep", "sweep.best", f"sweep.best={best}: max, min or null is needed.", "", best)
