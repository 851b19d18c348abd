"""The first thing a reader sees: which group was better, by how much, and how sure that is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from harness.compare.report import words
from harness.compare.report.intervals import common_scale, ends, picture
from harness.compare.statistics.verdict import Comparison, Decision
from harness.compare.study import Study

if TYPE_CHECKING:
    from markupsafe import Markup

#: A sign and a colour of the page for each decision: never the colour alone.
SIGNS: dict[Decision, tuple[str, str]] = {
    "better": ("▲", "done"),
    "worse": ("▼", "failed"),
    "no difference shown": ("≈", "plain"),
    "too few seeds": ("?", "still"),
}


@dataclass(frozen=True)
class Verdict:
    """A comparison as the page shows it.

    Attributes:
        found: The comparison.
        sign, tone: Of its decision.
        difference, p: In words.
        picture: The difference's interval on the scale of all of them.
        needed: What would decide; empty where it is decided, or nothing can be said.
    """

    found: Comparison
    sign: str
    tone: str
    difference: str
    p: str
    picture: Markup
    needed: str


@dataclass(frozen=True)
class Headline:
    """The verdict in one line: ``text`` with the sign and tone of a single comparison, and ``counts`` of many."""

    text: str
    sign: str
    tone: str
    counts: tuple[tuple[str, str, int], ...]


def verdicts(study: Study) -> list[Verdict]:
    """Every comparison, in the order of the study."""
    scale = common_scale([0.0, *ends([one.interval for one in study.comparisons])])
    return [
        Verdict(
            one,
            *SIGNS[one.decision],
            words.difference(one.interval),
            words.p(one.p_holm),
            picture(one.interval, (), scale, 0, f"difference {words.difference(one.interval)}"),
            one.needed.sentence if one.needed and one.decision not in ("better", "worse") else "",
        )
        for one in study.comparisons
    ]


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
    return Headline(f"No group is shown to be better than {base}", "≈", "plain", told)


def _single(one: Comparison) -> str:
    return {
        "better": f"{one.a} is better than {one.b}",
        "worse": f"{one.a} is worse than {one.b}",
        "no difference shown": f"No difference shown between {one.a} and {one.b}",
        "too few seeds": f"Too few seeds to tell {one.a} from {one.b}",
    }[one.decision]
