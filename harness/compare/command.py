"""What `harness compare` does: from words and flags to a comparison, shown and written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.compare.export import as_csv, as_json, as_latex, as_markdown
from harness.compare.measure import read_measure
from harness.compare.study import Options, Study, compare
from harness.compare.table import render
from harness.errors import ConfigurationError
from harness.records.atomic import write_text

FORMATS: dict[str, Callable[[Study], str]] = {
    "json": as_json,
    "csv": as_csv,
    "md": as_markdown,
    "latex": as_latex,
}
FILES = {"json": "compare.json", "csv": "runs.csv", "md": "table.md", "latex": "table.tex"}


def compare_command(words: Sequence[str], flags: Mapping[str, Any]) -> Iterator[str]:
    """Compare, write what was asked for, and give what to print; W&B is told last, when the comparison is printed.

    Raises:
        ConfigurationError: There is nothing to compare, a flag means nothing, with ``--strict`` the groups differ in
            more than what was swept or runs are missing, or W&B does not take the report.
    """
    if not words:
        raise ConfigurationError(
            "harness compare: name runs, sweeps or folders of them.", "harness compare outputs/NAME/SWEEP"
        )
    wanted = "json" if flags.get("--json") else str(flags.get("--format") or "table")
    if wanted not in ("table", *FORMATS):
        raise ConfigurationError(f"--format {wanted}: there is no such one.", f"Allowed: table, {', '.join(FORMATS)}.")
    if flags.get("--figures") and not flags.get("--out"):
        raise ConfigurationError("--figures: nobody says where to write them.", "Add --out FOLDER.")
    study = compare(words, _options(flags))
    if flags.get("--strict") and study.grouping.findings:
        told = "\n".join(f"- {finding.text}" for finding in study.grouping.findings)
        raise ConfigurationError(
            f"The runs differ in more than what was swept, or are not all there:\n{told}",
            "Leave some out, train what is missing, or compare without --strict.",
        )
    written = _write(study, Path(str(flags["--out"])), flags) if flags.get("--out") else ""
    text = _table(study) if wanted == "table" else FORMATS[wanted](study).rstrip("\n")
    yield text + (f"\n{written}" if written and wanted == "table" else "")
    if flags.get("--wandb-report"):
        from harness.compare.wandb_report.publish import publish

        told = publish(study)
        if wanted == "table":
            yield told
        else:
            sys.stderr.write(f"{told}\n")  # what is printed is for a program


def _options(flags: Mapping[str, Any]) -> Options:
    kind, _, number = str(flags.get("--value") or "final").partition("=")
    statistic = str(flags.get("--statistic") or "mean")
    if statistic not in ("mean", "iqm"):
        raise ConfigurationError(f"--statistic {statistic}: there is no such one.", "Allowed: mean, iqm.")
    if flags.get("--higher") and flags.get("--lower"):
        raise ConfigurationError("--higher and --lower: more of the metric is better, or less is.", "Leave one out.")
    return Options(
        metric=str(flags.get("--metric") or ""),
        higher=True if flags.get("--higher") else False if flags.get("--lower") else None,
        measure=read_measure(kind, str(flags.get("--over") or "steps"), number or None),
        statistic=statistic,  # type: ignore[arg-type]
        by=tuple(filter(None, str(flags.get("--by") or "").split(","))),
        baseline=str(flags.get("--baseline") or ""),
        pairs="all" if flags.get("--all-pairs") else "baseline",
        paired=False if flags.get("--unpaired") else None,
    )


def _write(study: Study, folder: Path, flags: Mapping[str, Any]) -> str:
    from harness.compare.report import static_figures, write_report

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FORMATS.items():
        write_text(folder / FILES[name], text(study))
    report = write_report(study, folder / "report.html")
    figures = static_figures(study, folder) if flags.get("--figures") else []
    return f"written: {', '.join([report.name, *FILES.values(), *(file.name for file in figures)])} in {folder}"


def _table(study: Study) -> str:
    console = Console(width=None if sys.stdout.isatty() else 160, force_terminal=sys.stdout.isatty())
    with console.capture() as captured:
        console.print(render(study))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()).rstrip()
