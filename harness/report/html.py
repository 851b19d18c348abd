"""``report.html``: one file that tells a run, readable from the disk, without a network and without a server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records.atomic import write_text
from harness.records.generations import Generation, read_generations, validation_steps
from harness.records.masking import mask_arguments, mask_text
from harness.records.metrics import StepRecord, read_metrics
from harness.records.quantities import STEP_SECONDS, number, tokens_per_second
from harness.records.run_folder import RunFolder
from harness.records.summary import RunSummary, summarise
from harness.report import settings
from harness.report.curves import figures
from harness.report.examples import examples
from harness.report.page import HERE, content_hash, environment, scripts
from harness.report.statistics import Comparison, Estimate, compare, estimate
from harness.terminal import text
from harness.terminal.ending import last_lines, next_commands


def write_report(run_folder: RunFolder | Path | str) -> Path:
    """Write the report of a run, finished, failed or still going on.

    Args:
        run_folder: The run.

    Returns:
        The file, ``report.html`` in the run's folder.
    """
    folder = run_folder if isinstance(run_folder, RunFolder) else RunFolder(run_folder)
    write_text(folder.report, render(folder))
    return folder.report


def render(folder: RunFolder) -> str:
    """The report of a run as HTML."""
    script = scripts(HERE / "report.js")
    template = environment().get_template("template.html.j2")
    return template.render(**_content(folder), script=script, script_hash=content_hash(script))


def _content(folder: RunFolder) -> dict[str, Any]:
    """Everything that the template shows."""
    records, summary = read_metrics(folder.metrics), summarise(folder)
    samples = _samples(folder, records)
    config = settings.load_yaml(folder.config) or {}
    intervals = {step: found for step, rows in samples.items() if (found := estimate(rows))}
    first, last = (samples[min(samples)], samples[max(samples)]) if samples else ([], [])
    both = len(samples) > 1
    return {
        "name": config.get("name") or folder.path.parent.name,
        "run_id": summary.status.run_id or folder.run_id,
        "status": summary.status,
        "summary": summary,
        "verdict": _verdict(summary, compare(first, last) if both else None),
        "facts": _facts(records, summary, config),
        "figures": figures(records, intervals),
        "changes": summary.rows,
        "examples": examples(first if both else [], last),
        "sample_steps": (min(samples), max(samples)) if samples else None,
        "settings": settings.settings(config),
        "overrides": mask_arguments(settings.load_yaml(folder.overrides) or []),
        "config_text": mask_text(folder.config.read_text(encoding="utf-8")) if folder.config.is_file() else "",
        "provenance": _json(folder.provenance),
        "files": _files(folder),
        "log_lines": last_lines(folder.log, 25) if summary.status.state == "failed" else [],
        "commands": next_commands(folder),
        "path": folder.shown(),
    }


def _samples(folder: RunFolder, records: list[StepRecord]) -> dict[int, list[Generation]]:
    """The samples of each validation that the history knows; files of an abandoned attempt are beyond it."""
    known = max((record.step for record in records), default=-1)
    found = {s: read_generations(folder.generations, s) for s in validation_steps(folder.generations) if s <= known}
    return {step: rows for step, rows in found.items() if rows}


@dataclass(frozen=True)
class _Verdict:
    """The one line that says how the run went, with the numbers it rests on."""

    label: str
    before: Estimate
    after: Estimate | None
    sentence: str
    tone: str


def _verdict(summary: RunSummary, comparison: Comparison | None) -> _Verdict | None:
    change = summary.headline or summary.reward
    if change is None:
        return None
    label = "validation" if summary.headline else "training reward"
    if comparison is not None and summary.headline:
        return _sure_verdict(comparison)
    before, after = (Estimate(value, value, value) for value in (change.first, change.last))
    if change.first_step == change.last_step:
        return _Verdict(label, before, None, f"measured once, at step {change.first_step}", "")
    tone = "good" if change.difference > 0 else "bad" if change.difference < 0 else ""
    sentence = f"{text.signed(change.difference)} from step {change.first_step} to step {change.last_step}"
    return _Verdict(label, before, after, sentence + "; no single scores, so no interval", tone)


def _sure_verdict(comparison: Comparison) -> _Verdict:
    difference = comparison.difference
    went = "rose" if difference.value > 0 else "fell" if difference.value < 0 else "stayed"
    if not comparison.is_clear:
        sentence = f"no clear change: {text.signed(difference.value)}"
    else:
        sentence = f"{comparison.variable} {went} by {abs(difference.value):.3f}"
    spread = f"95 % interval {text.signed(difference.low)} to {text.signed(difference.high)}"
    sentence += f" ({spread}, {comparison.prompts} held-out prompts, paired bootstrap)"
    tone = ("good" if difference.value > 0 else "bad") if comparison.is_clear else ""
    return _Verdict(f"validation {comparison.variable}", comparison.before, comparison.after, sentence, tone)


def _facts(records: list[StepRecord], summary: RunSummary, config: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures beside the verdict."""
    of = f" of {summary.status.total_steps}" if summary.status.total_steps else ""
    facts = [("steps", f"{summary.steps}{of}")]
    if summary.seconds is not None:
        facts.append(("time", text.seconds(summary.seconds)))
    for label, values, show in (
        ("a step", [number(r.metrics, STEP_SECONDS) for r in records], text.seconds),
        ("tokens/s", [tokens_per_second(r.metrics) for r in records], lambda value: f"{value:,.0f}"),
    ):
        known = sorted(value for value in values if value is not None)
        if known:
            facts.append((label, show(known[len(known) // 2])))
    own = settings.lookup(config, "advantage_fn._target_")
    advantages = str(own).rpartition(".")[2] if own else settings.lookup(config, "algorithm.adv_estimator")
    for label, value in (
        ("advantages", advantages),
        ("model", settings.lookup(config, "actor_rollout_ref.model.path")),
    ):
        if value:
            facts.append((label, Path(str(value)).name))
    return facts


def _files(folder: RunFolder) -> list[tuple[str, str]]:
    """The files of the record that are there: name and size."""
    paths = (folder.log, folder.metrics, folder.config, folder.provenance, folder.code_diff)
    return [(path.name, f"{path.stat().st_size / 1000:,.1f} kB") for path in paths if path.is_file()]


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
