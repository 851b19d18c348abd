"""``report.html`` of a comparison: one file, readable from the disk, without a network and without a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2.utils import htmlsafe_json_dumps

from harness.compare.report.curves import quantiles, short, thinned
from harness.compare.report.differences import recorded, reruns, shared_facts
from harness.compare.report.figures import PALETTE, curve_picture, shown_first, styles
from harness.compare.report.parallel import parallel_coordinates
from harness.compare.report.prompts import pairs
from harness.compare.report.quantities import compared, label, shown_metrics
from harness.compare.report.tables import group_rows, shared_notes, tasks
from harness.compare.report.verdicts import AT_ONCE, headline, shared_warnings, verdicts
from harness.compare.report.words import count
from harness.compare.study import Study
from harness.records.atomic import write_text
from harness.report.page import content_hash, environment, scripts

if TYPE_CHECKING:
    from markupsafe import Markup

_HERE = Path(__file__).parent
_SCRIPTS = ("page.js", "tables.js", "curves.js", "chart.js", "prompts.js", "parallel.js")


def write_report(study: Study, path: Path) -> Path:
    """Write the report of a comparison.

    Args:
        study: The comparison.
        path: The file, replaced if it is there; its folder is made if need be.

    Returns:
        The file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, render(study))
    return path


def render(study: Study) -> str:
    """The report of a comparison as HTML."""
    script = scripts(*(_HERE / name for name in _SCRIPTS))
    pages = environment(_HERE)
    pages.filters.update(count=count, recorded=recorded)
    template = pages.get_template("comparison.html.j2")
    return template.render(**_content(study), script=script, script_hash=content_hash(script))


def _content(study: Study) -> dict[str, Any]:
    """Everything that the template shows."""
    rows, ruler = group_rows(study)
    found, texts = pairs(study)
    findings = study.grouping.findings
    return {
        "study": study,
        "metric": compared(study),
        "headline": headline(study),
        "verdicts": verdicts(study),
        "shared_warnings": shared_warnings(study),
        "facts": _facts(study),
        "at_once": AT_ONCE,
        "rows": rows,
        "shared_notes": shared_notes(study),
        "ruler": ruler,
        "tasks": tasks(study),
        "picture": curve_picture(study, study.options.measure.axis),
        "curves": _json(_curves(study)),
        "pairs": found,
        "prompts": _json({"pairs": [pair["rows"] for pair in found], "texts": texts}),
        "findings": [(place, [each for each in findings if each.where == place]) for place in _PLACES],
        "places": _PLACES,
        "shared": shared_facts(study),
        "parallel": parallel_coordinates(study, compared(study)),
        "reruns": reruns(study),
        "palette": PALETTE,
        "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


_PLACES = {
    "within": "Within a group: its runs are not repetitions of one experiment",
    "between": "Between the groups: may explain their difference",
    "runs": "Repetitions that are missing, or did not come to their end",
    "record": "Of the records",
}


def _facts(study: Study) -> list[tuple[str, str]]:
    """The figures beside the headline."""
    measure = study.options.measure
    done = sum(run.state == "done" for run in study.runs)
    facts = [
        ("compared by", f"{measure} of each run"),
        ("over the runs", study.statistic),
        ("runs", f"{len(study.runs)} in {count(len(study.rows), 'group')}, {done} done"),
        ("better is", "higher" if study.higher else "lower"),
    ]
    if study.comparisons:
        first = study.comparisons[0]
        known = [one for one in study.comparisons if one.test.method != "none"]
        if first.reached is None:
            facts.append(("interval of the difference", f"{first.interval.level:.0%}, {first.methods[0]}"))
        correction = f", Holm over {len(known)}" if len(known) > 1 else ""
        facts.append(("test", (known[0].methods[1] if known else "none: too few seeds") + correction))
    hours = sum(run.gpu_hours for run in study.runs)
    return facts + ([("GPU hours", f"{hours:,.1f}")] if hours else [])


def _curves(study: Study) -> dict[str, Any]:
    """The runs' curves, and what the script needs to draw them."""
    names = shown_metrics(study)
    runs, looks = study.runs, styles(study)
    number = {id(run): place for place, run in enumerate(runs)}
    groups = [
        {"label": row.group.label, "colour": looks[place][0], "dash": looks[place][1],
         "runs": [number[id(run)] for run in row.group.runs]}
        for place, row in enumerate(study.rows)
    ]  # fmt: skip
    return {
        "metrics": [{"name": name, "label": label(name)} for name in names],
        "axis": study.options.measure.axis,
        "shown": shown_first(study),
        "groups": groups,
        "seeds": [run.seed for run in runs],
        "runs": thinned(runs, names),
        "t": short(quantiles(max(len(row.group.runs) for row in study.rows)), 6),
    }


def _json(value: Any) -> Markup:
    """JSON that cannot end the script it stands in: ``<``, ``>``, ``&`` and ``'`` are escapes."""
    return htmlsafe_json_dumps(value, dumps=json.dumps, separators=(",", ":"))
