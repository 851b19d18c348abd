"""Which metrics a report draws, and what a person calls them."""

from __future__ import annotations

import re

from harness.compare.study import Study
from harness.records.quantities import validation_label

MOST = 16
MOST_VALIDATIONS, MOST_COMPONENTS = 6, 4
#: Metric → its name for people, in the order of the list.
LABELS = {
    "critic/score/mean": "training score",
    "critic/rewards/mean": "training reward",
    "reward/mean": "reward",
    "response_length/mean": "response length, tokens",
    "response_length/clip_ratio": "responses cut off, share",
    "actor/entropy": "entropy, nats a token",
    "actor/kl_loss": "KL to the reference",
    "actor/reward_kl_penalty": "KL penalty",
    "actor/ppo_kl": "KL of the update",
    "actor/grad_norm": "gradient norm",
    "actor/pg_loss": "policy loss",
    "critic/vf_loss": "value loss",
    "timing_s/step": "seconds a step",
    "timing_s/gen": "seconds of generation",
    "timing_s/update_actor": "seconds of the update",
    "perf/throughput": "tokens a second and device",
}
_COMPONENT = re.compile(r"reward(?:_fn|_extra|_model|s)?/.+")
_MEAN = re.compile(r"val-core/.+/mean@\d+")


def shown_metrics(study: Study) -> list[str]:
    """The metric compared first, then validations, the score and its components, and how the training went."""
    known = {name for run in study.runs for name in run.metrics}
    validations = sorted(name for name in known if _MEAN.fullmatch(name))[:MOST_VALIDATIONS]
    components = sorted(n for n in known if _COMPONENT.fullmatch(n) and n not in LABELS)[:MOST_COMPONENTS]
    usual = [name for name in LABELS if name in known]
    scores = [name for name in usual if "score" in name or "reward" in name]
    return list(dict.fromkeys([study.metric, *validations, *scores, *components, *usual]))[:MOST]


def label(metric: str) -> str:
    """A metric as a person says it; its own name where there is no other."""
    return LABELS.get(metric) or validation_label(metric)


def compared(study: Study) -> str:
    """What the groups' numbers are: the metric, or what it took to reach a value of it."""
    measure = study.options.measure
    return f"{measure} of {label(study.metric)}" if measure.kind == "until" else label(study.metric)
