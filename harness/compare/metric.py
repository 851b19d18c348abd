"""Which metric runs are compared by, and whether more of it is better."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from harness.compare.run_data import RunData
from harness.compare.sources import Metric, kin, means, over_sources, source
from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError
from harness.records.quantities import EVERY, REWARD

CORE = "val-core/"
#: Compared by where there is no validation, the first that a run has; then whatever has these words in its name.
FALLBACK = (*REWARD, "reward/mean", "reward/acc")
FALLBACK_WORDS = ("acc", "score", "reward")
LISTED = 12
#: Lower is better where a part of the name has one of these words,
LOWER = frozenset(
    {
        "loss", "kl", "ppl", "perplexity", "entropy_loss", "error", "failed", "aborted", "timeout", "clipfrac", "diff",
        "timing", "time", "seconds", "latency", "memory", "staleness", "chi2", "k3", "wer", "nll", "mse",
    }
)  # fmt: skip
#: higher where it has one of these; elsewhere nobody knows.
HIGHER = frozenset(
    {
        "acc", "accuracy", "score", "scores", "reward", "rewards", "correct", "correctness", "success", "solved",
        "pass", "win", "f1", "bleu", "rouge", "throughput", "mfu", "return", "returns",
    }
)  # fmt: skip
_WORDS = re.compile(r"[a-z0-9]+")
_VALIDATED = re.compile(r"val-(?:core|aux)/.+/(?P<variable>[^/]+)/(?:mean|std|best|worst|maj)@\d+(?:/\w+)?")


def default_metric(runs: Sequence[RunData]) -> Metric:
    """What most runs can be compared by: a core validation metric, accuracy first; else the training's score.

    Of several data sources it is the mean.

    Raises:
        ConfigurationError: No run has a metric of the kind.
    """
    counts = Counter(name for run in runs for name in run.metrics)
    core = [name for name in counts if name.startswith(CORE) and source(name) != EVERY]
    if core:
        first = min(core, key=lambda name: (-counts[name], "/acc/" not in name, "/mean@" not in name, name))
        return over_sources(first, runs)
    for name in FALLBACK:
        if name in counts:
            return Metric(name)
    for word in FALLBACK_WORDS:
        if named := sorted(name for name in counts if word in name.lower()):
            return Metric(min(named, key=lambda name: ("mean" not in name, -counts[name], name)))
    raise ConfigurationError("These runs have no validation metric and no score.", _remedy(counts))


def complete_metric(given: str, runs: Sequence[RunData]) -> Metric:
    """The metric that was given in full or in part.

    Args:
        given: As written: ``val-core/gsm8k/acc/mean@1``, ``gsm8k/acc``; ``acc`` is the mean where it fits all sources
            alike, ``val-core/*/acc/mean@1`` in full.
        runs: The runs.

    Raises:
        ConfigurationError: No run has it, or several metrics have it in their names; they are listed.
    """
    averaged = means(runs)
    names = sorted(name for name in {name for run in runs for name in run.metrics} if source(name) != EVERY)
    if given in averaged or given in names:
        return averaged.get(given) or Metric(given)
    found = [name for name in names if given.lower() in name.lower()]
    core = [name for name in found if name.startswith(CORE)]
    if len(found) == 1 or len(core) == 1:
        return Metric((core or found)[0])
    if core and core == kin(names, core[0]) and (mean := over_sources(core[0], runs)).members:
        return mean
    if found:
        found = [*(name for name in averaged if given.lower() in name.lower()), *found]
        listed = ", ".join(found[:LISTED]) + (", …" if len(found) > LISTED else "")
        raise ConfigurationError(f"metric {given} could be {listed}.", "Write more of it.")
    close = did_you_mean(given, names)
    raise ConfigurationError(f"metric {given}: no run has it.", close if close.startswith("Did") else _remedy(names))


def direction(name: str) -> Literal["higher", "lower"] | None:
    """Whether more of a metric is better, as its name says; None where it does not.

    Of a validation metric the variable counts, not the data set's name. What a validation is about at its core is more
    if it is better, whatever it is called, as it is rewarded.
    """
    match = _VALIDATED.fullmatch(name)
    words = _WORDS.findall((match["variable"] if match else name).lower())
    if LOWER.intersection(words):
        return "lower"
    return "higher" if name.startswith(CORE) or HIGHER.intersection(words) else None


def _remedy(names: Iterable[str]) -> str:
    some = sorted(names)
    if not some:
        return "They have no metrics at all: have they begun?"
    return "Choose one: " + ", ".join(some[:LISTED]) + (", …" if len(some) > LISTED else ".")
