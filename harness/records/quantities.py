"""The quantities that a person follows, and under which of verl's metric names each is found.

Names as in verl 0.9.1: ``verl/trainer/ppo/metric_utils.py`` and ``verl/trainer/ppo/v1/trainer_base.py``.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

REWARD = ("critic/score/mean", "critic/rewards/mean")  # the score is the reward before a KL penalty
RESPONSE_LENGTH = ("response_length/mean",)
ENTROPY = ("actor/entropy",)
KL_TO_REFERENCE = ("actor/kl_loss", "actor/reward_kl_penalty")
KL_OF_UPDATE = ("actor/ppo_kl",)
GRADIENT_NORM = ("actor/grad_norm",)
STEP_SECONDS = ("timing_s/step", "perf/time_per_step")

#: Names of core validation metrics; a mean over data sources has ``EVERY`` for a source, and each N, ``mean@4,32``.
VALIDATION = re.compile(
    r"val-core/(?P<source>.+)/(?P<variable>[^/]+)/(?P<statistic>(?:mean|best|maj)@\d+(?:,\d+)*(?:/mean)?)"
)
EVERY = "*"


def number(metrics: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    """The first of ``names`` that ``metrics`` holds as a finite number, or None."""
    for name in names:
        value = metrics.get(name)
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    return None


def validation_metric(name: str) -> bool:
    """Whether it is the name of a core validation metric."""
    return bool(VALIDATION.fullmatch(name))


def validation_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The core validation metrics of a step, ``val-core/<source>/<variable>/mean@N`` and best and majority of N."""
    names = sorted(name for name in metrics if validation_metric(name))
    return {name: value for name in names if (value := number(metrics, (name,))) is not None}


def validation_label(name: str) -> str:
    """A validation metric as a person says it: ``val-core/gsm/acc/mean@1`` becomes ``gsm accuracy``.

    Other statistics are named: ``gsm accuracy, best of 4``; so is a mean over data sources.
    """
    match = VALIDATION.fullmatch(name)
    if not match:
        return name
    variable = {"acc": "accuracy", "score": "reward"}.get(match["variable"], match["variable"])
    kind, _, count = match["statistic"].removesuffix("/mean").partition("@")
    suffix = {"best": f", best of {count}", "maj": f", majority of {count}"}.get(kind, "")
    suffix = suffix or (f", mean of {count}" if count != "1" else "")
    return (
        f"{variable}{suffix}, mean of the sources"
        if match["source"] == EVERY
        else f"{match['source']} {variable}{suffix}"
    )


def validation_headline(metrics: Mapping[str, Any]) -> float | None:
    """One number for a validation: the mean over data sources of their mean metric, or None without a validation."""
    found = validation_metrics(metrics)
    means = [value for name, value in found.items() if "/mean@" in name]
    return sum(means) / len(means) if means else None


def tokens_per_second(metrics: Mapping[str, Any]) -> float | None:
    """Prompt and response tokens of a step by its seconds, over all devices (verl's throughput is per device)."""
    tokens, seconds = number(metrics, ("perf/total_num_tokens",)), number(metrics, ("perf/time_per_step",))
    if tokens is not None and seconds:
        return tokens / seconds
    return number(metrics, ("perf/throughput",))


def seconds_by_stage(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of each top-level stage of a step, in verl's order, with what is left of the step as ``other``.

    Validation lies outside the step in verl's timing and is not in it.
    """
    prefix = "timing_s/"
    stages = {name.removeprefix(prefix): number(metrics, (name,)) for name in metrics if name.startswith(prefix)}
    flat = {name: value for name, value in stages.items() if value is not None and "/" not in name}
    total = flat.pop("step", None)
    flat.pop("testing", None)
    if total is not None:
        flat["other"] = max(0.0, total - sum(flat.values()))
    return flat
