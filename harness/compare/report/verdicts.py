"""The first thing a reader sees: which group was better, by how much, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, get_args

from harness.compare.report import words
from harness.compare.report.intervals import common_scale, ends, picture
from harness.compare.sentences import improvement
from harness.compare.statistics.verdict import Comparison, Decision
from harness.compare.study import Study

if TYPE_CHECKING:
    from markupsafe import Markup

#: A sign and a colour of the page for each decision: never the colour alone.
SIGNS: dict[Decision, tuple[str, str]] = {
    "better": ("▲", "done"),
    "worse": ("▼", "failed"),
    "no difference shown": ("≈", "open"),
    "too few seeds": ("?", "still"),
}


FAR = 10  # times the seeds that are there: nobody trains so many to settle a question
AT_ONCE = 6  # comparisons that are not folded


@dataclass(frozen=True)
class Verdict:
    """A comparison as the page shows it.

    Attributes:
        found: The comparison.
        sign, tone: Of its decision.
        difference, p: In words.
        picture: The difference's interval on the scale of all of them.
        improvement: The probability of it, in words; empty without values.
        needed: How many more seeds would decide; empty where it is decided, or nothing can be said.
        warnings: Those that are not of all comparisons.
    """

    found: Comparison
    sign: str
    tone: str
    difference: str
    p: str
    picture: Markup
    improvement: str
    needed: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Headline:
    """The verdict in one line: ``text`` with the sign and tone of a single comparison, and ``counts`` of many."""

    text: str
    sign: str
    tone: str
    counts: tuple[tuple[str, str, int], ...]


def verdicts(study: Study) -> list[Verdict]:
    """Every comparison, in the order of the study; many, by their decision, the largest differences first."""
    shared = shared_warnings(study)
    scale = common_scale([0.0, *ends([one.interval for one in study.comparisons])])
    return [
        Verdict(
            one,
            *SIGNS[one.decision],
            words.difference(one.interval),
            words.p(one.p_holm),
            picture(one.interval, (), scale, 0, f"difference {words.difference(one.interval)}"),
            _improvement(one),
            _needed(one),
            tuple(warning for warning in one.warnings if warning not in shared),
        )
        for one in _ordered(study.comparisons)
    ]


def _improvement(one: Comparison) -> str:
    said = improvement(one) if isfinite(one.improvement.estimate) else ""
    return f"{said[:1].upper()}{said[1:]}"


def _ordered(found: Sequence[Comparison]) -> list[Comparison]:
    if len(found) <= AT_ONCE:
        return list(found)
    rank = list(SIGNS)
    return sorted(found, key=lambda one: (rank.index(one.decision), -abs(one.interval.estimate)))


def shared_warnings(study: Study) -> tuple[str, ...]:
    """What every one of several comparisons warns of; it is told once."""
    found = study.comparisons
    if len(found) < 2:
        return ()
    return tuple(warning for warning in found[0].warnings if all(warning in one.warnings for one in found))


def headline(study: Study) -> Headline:
    """What the comparisons say together."""
    found = study.comparisons
    if not found:
        return Headline("One group: there is nothing to hold it against", "", "", ())
    if len(found) == 1:
        return Headline(_single(found[0]), *SIGNS[found[0].decision], ())
    counts = Counter(one.decision for one in found)
    told = tuple((SIGNS[each][0], each, counts[each]) for each in get_args(Decision) if counts[each])
    if study.options.pairs == "all":
        clear = counts["better"] + counts["worse"]
        return Headline(f"{clear} of {len(found)} pairs differ", "", "", told)
    base = study.grouping.baseline.label
    if counts["better"]:
        verb = "is" if counts["better"] == 1 else "are"
        return Headline(f"{counts['better']} of {len(found)} groups {verb} better than {base}", "▲", "done", told)
    return Headline(f"No group is shown to be better than {base}", "≈", "open", told)


def _needed(one: Comparison) -> str:
    needed = one.needed
    if needed is None or one.decision in ("better", "worse"):
        return ""
    if needed.needed is None or needed.needed <= needed.now:
        return needed.sentence
    unit = "pairs of seeds" if one.paired else "seeds a side"
    far = "not decidable at this scale: " if needed.needed > FAR * needed.now else ""
    more = f"{far}{needed.needed - needed.now:,} more {unit} ({needed.needed:,} instead of {needed.now})"
    return f"{more}, were the true difference the one seen"


def _single(one: Comparison) -> str:
    return {
        "better": f"{one.a} is better than {one.b}",
        "worse": f"{one.a} is worse than {one.b}",
        "no difference shown": f"No difference shown between {one.a} and {one.b}",
        "too few seeds": f"Too few seeds to tell {one.a} from {one.b}",
    }[one.decision]
