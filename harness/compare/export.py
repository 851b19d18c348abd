"""A comparison for other programs and for a paper: JSON, CSV, Markdown, LaTeX (booktabs)."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from harness.compare.absent import absences
from harness.compare.cells import HEADERS, lines_of
from harness.compare.prompts import Prompts
from harness.compare.sentences import beside
from harness.compare.study import Study

_LATEX = str.maketrans({"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
                        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"})  # fmt: skip


def as_json(study: Study) -> str:
    """Everything, for machines; numbers that do not exist are null."""
    groups = [
        {
            "label": row.group.label,
            "values": dict(row.group.values),
            "interval": row.interval,
            "states": dict(row.group.states),
            "absent": dict(row.absent),
            "gpu_hours": row.group.gpu_hours,
            "runs": [
                {"run": run.where, "seed": run.seed, "state": run.state, "value": value, "at": found.at,
                 "note": found.note, "absent": found.absent}
                for run, value, found in zip(row.group.runs, row.values, row.summaries, strict=True)
            ],
        }
        for row in study.rows
    ]  # fmt: skip
    prompts = [{"a": a, "b": b, **_of_prompts(found)} for (a, b), found in study.prompts.items()]
    whole = {
        "metric": study.metric,
        "sources": study.compared.members,
        "higher_is_better": study.higher,
        "options": study.options,
        "statistic": study.statistic,
        "keys": study.grouping.keys,
        "baseline": study.grouping.baseline.label,
        "groups": groups,
        "comparisons": study.comparisons,
        "prompts": prompts,
        "findings": [{"text": each.text, "where": each.where} for each in study.grouping.findings],
        "missing_seeds": dict(study.grouping.missing_seeds),
        "notes": study.notes,
    }
    return json.dumps(_plain(whole), indent=1, ensure_ascii=False)


def _of_prompts(found: Prompts) -> dict[str, Any]:
    named = ("step", "quantity", "models", "trainings", "right", "family")
    return {name: getattr(found, name) for name in named} | {"paired": found.asked.paired}


def as_csv(study: Study) -> str:
    """A line a run: what it is, and its number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["group", *study.grouping.keys, "seed", "state", "run", study.metric, "at", "last step", "note"])
    for row in study.rows:
        for run, value, found in zip(row.group.runs, row.values, row.summaries, strict=True):
            number = "" if math.isnan(value) else repr(float(value))
            at = "" if math.isnan(found.at) else f"{found.at:g}"
            keys = [row.group.values.get(key, "") for key in study.grouping.keys]
            line = [row.group.label, *keys, run.seed, run.state, run.where, number, at, run.last_step, found.note]
            writer.writerow(line)
    return out.getvalue()


def as_markdown(study: Study) -> str:
    """The table, the sentences, and what to mind."""
    rows = [HEADERS, *(line.cells for line in lines_of(study))]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(HEADERS))
    said = [
        f"- {each.sentence}" + "".join(f"\n  - {line}" for line in (*beside(study, each), *each.warnings))
        for each in study.comparisons
    ]
    minded = [f"- {note}" for note in (*study.notes, *(finding.text for finding in study.grouping.findings))]
    return "\n".join(
        [f"`{study.metric}`, {_how(study)}.", "", *lines, "", *said, *(["", *minded] if minded else []), ""]
    )


def as_latex(study: Study) -> str:
    """A table for booktabs, with the comparison in its caption, and the runs that are in no number."""
    shown = ("group", "seeds", "value", "interval", "difference", "p")
    places = [HEADERS.index(name) for name in shown]
    body = [" & ".join(line.cells[place].translate(_LATEX) for place in places) + r" \\" for line in lines_of(study)]
    left_out = [f" {line}." for row in study.rows for line in absences(row.group.label, row.group.runs, row.summaries)]
    said = [text.translate(_LATEX) for text in (f"{study.metric}: {_how(study)}", *left_out)]
    caption = f"{said[0]}; $p$ by Holm's correction.{''.join(said[1:])}"
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\begin{{tabular}}{{l{'r' * (len(shown) - 1)}}}",
            r"\toprule",
            " & ".join(shown) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{caption}}}",
            r"\end{table}",
            "",
        ]
    )


def _how(study: Study) -> str:
    better = "higher" if study.higher else "lower"
    intervals = "" if study.statistic == "median" else " with 95 % intervals"
    sources = f"{study.compared.said}; " if study.compared.said else ""
    return f"{sources}{study.options.measure}, {study.statistic} over seeds{intervals}, {better} is better"


def _plain(value: Any) -> Any:
    """Plain JSON of whatever the statistics hold."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
