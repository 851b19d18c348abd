#!/usr/bin/env python3
"""Evaluate a text-to-SQL model: greedy, and several responses a prompt, with a report.

    python experiments/reward_sql/evaluate.py RUN|CHECKPOINT|MODEL_FOLDER --samples 8 --out evaluation

Two validations by ``harness evaluate`` on the data's held-out questions, then ``evaluation.json`` and
``evaluation.html``: execution match by what the questions belong to, pass@k, and best of k by the scores of the steps.
Further words are overrides, such as ``data.val_files=…``. Validations on record are taken with ``--greedy RUN`` and
``--sampled RUN``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLING = "actor_rollout_ref.rollout.val_kwargs"


def main(words: Sequence[str] | None = None) -> int:
    """Evaluate; the exit code is that of ``harness evaluate``."""
    if Path(sys.path[0] or ".").resolve() == HERE:
        sys.path[0] = str(HERE.parents[1])  # run as a script: its own folder is no place to import from
    from harness.errors import HarnessError

    flags, overrides = parser().parse_known_args(words)
    if not flags.target and not flags.greedy:
        parser().error("name a run, checkpoint or model folder, or a validation on record with --greedy RUN")
    try:
        print(f"report: {evaluate(flags, overrides)}")
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def parser() -> argparse.ArgumentParser:
    """The flags."""
    found = argparse.ArgumentParser(description="Evaluate a text-to-SQL model.", allow_abbrev=False)
    found.add_argument("target", nargs="?", help="a run, a checkpoint, or a Hugging Face model folder")
    found.add_argument("--samples", type=int, default=8, help="responses a prompt for pass@k; 0: greedy alone")
    found.add_argument("--temperature", type=float, default=1.0, help="of those responses")
    found.add_argument("--greedy", help="a run of harness evaluate with one greedy response a prompt")
    found.add_argument("--sampled", help="a run of harness evaluate with several")
    found.add_argument("--out", type=Path, default=Path("evaluation"), help="folder for the figures and the report")
    return found


def evaluate(flags: argparse.Namespace, overrides: Sequence[str]) -> Path:
    """Validate where nothing is on record yet, then write figures and report.

    Returns:
        The report.
    """
    from experiments.reward_sql.evaluation.answers import answers_of
    from experiments.reward_sql.evaluation.report import render
    from experiments.reward_sql.evaluation.summary import summary
    from harness.records.atomic import write_text
    from harness.records.run_folder import RunFolder

    greedy, sampled = validations(flags, overrides)
    answers = answers_of(RunFolder.open(greedy))
    figures = summary(answers, answers_of(RunFolder.open(sampled)) if sampled else [])
    sources = [f"greedy: {greedy}", *([f"sampled: {sampled}"] if sampled else [])]
    flags.out.mkdir(parents=True, exist_ok=True)
    write_text(flags.out / "evaluation.json", json.dumps({"sources": sources, **figures}, indent=1) + "\n")
    write_text(flags.out / "evaluation.html", render(Path(flags.target or greedy).name, sources, figures, answers))
    return flags.out / "evaluation.html"


def validations(flags: argparse.Namespace, overrides: Sequence[str]) -> tuple[str, str | None]:
    """The runs of the two validations, made where they are not given."""
    from harness.launch.command import evaluate_run

    def run(samples: int, temperature: float) -> str:
        given = [f"{SAMPLING}.n={samples}", f"{SAMPLING}.temperature={temperature}"]  # 0 is greedy
        return str(evaluate_run(flags.target, [*given, *overrides]))

    greedy = flags.greedy or run(1, 0.0)
    if flags.sampled or not flags.target or flags.samples == 0:
        return greedy, flags.sampled
    return greedy, run(flags.samples, flags.temperature)


if __name__ == "__main__":
    sys.exit(main())
