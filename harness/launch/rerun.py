"""`harness rerun`: the same experiment again, as a new run, from a run's record alone, its code included."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from harness.config.compose import resolve
from harness.config.written import written_keys
from harness.errors import ConfigurationError
from harness.launch.changes import TRUST, require_trust
from harness.launch.command import build_manager, run_of
from harness.launch.recompose import Begun, Recomposed
from harness.launch.recorded_code import recorded_code
from harness.launch.since import changed_since
from harness.launch.slurm.accepted import submitting
from harness.launch.sweep.folder import SweepFolder
from harness.launch.sweep.prepare import make_single
from harness.launch.sweep.start import start_runs, submit_runs
from harness.records.run_folder import RunFolder

CODE_OF = "HARNESS_CODE_OF"  # variable: the run whose recorded code a process runs
SHOWN = 8  # keys of a note


def rerun(path: str, overrides: Sequence[str], here: bool = False, dry: bool = False) -> tuple[str, int]:
    """Run it again, in a process of its own where the code of then is not the code of now.

    Args:
        path: The run.
        overrides: Words that count as if they had been given when it began.
        here: Whether to take the code as it is now.
        dry: Whether to tell what would run instead.

    Returns:
        What to print, and the exit code.

    Raises:
        ConfigurationError: It is not a run, an override is wrong, or its code cannot be had.
    """
    run, is_restored = RunFolder.open(path), os.environ.pop(CODE_OF, "") != ""
    code = None if here else recorded_code(run)
    for warning in () if is_restored else changed_since(run, here):
        _say(f"warning: {warning}")
    if code is not None:
        return "", _elsewhere(run, overrides, code, dry)
    again = recomposed(run, overrides)
    if dry:
        what = f"# would run {run.shown()} again with the code in {Path.cwd()}"
        return f"{what}\n{OmegaConf.to_yaml(resolve(again.config))}", 0
    return _start(again, run if is_restored else None)


def recomposed(run: RunFolder, overrides: Sequence[str]) -> Recomposed:
    """The configuration for a new run beside the old one.

    Raises:
        ConfigurationError: An override is wrong, or what it decides beside itself cannot be known.
    """
    require_trust(run, OmegaConf.load(run.config).get("trusted_modules") or [], overrides)
    said = [word for word in overrides if not word.startswith(TRUST)]
    try:
        begun = Begun(run)
        if said and not begun.is_explained:
            raise ConfigurationError("no word says how its model or data are made.")
    except ConfigurationError as error:
        if said:
            raise ConfigurationError(
                f"{run.shown()} cannot be composed again, so what {' '.join(said)} decides beside itself is not known: "
                f"{error.message}",
                "Run it again as it was, without overrides, or start a new run.",
            ) from error
        again = Recomposed(_as_recorded(run), list(overrides))
    else:
        again = begun.again(overrides)
        if said and again.kept:
            more = f" and {len(again.kept) - SHOWN} more" if len(again.kept) > SHOWN else ""
            _say(f"kept as recorded, where no word says so: {', '.join(again.kept[:SHOWN])}{more}")
    if "output_root" not in {word.partition("=")[0] for word in overrides}:
        root = run.path.absolute().parent
        root = root.parent if SweepFolder.is_one(root) else root
        with open_dict(again.config):
            again.config.output_root = str(root.parent)
    return again


def _start(again: Recomposed, code_of: RunFolder | None) -> tuple[str, int]:
    """Run it here, or hand it to Slurm."""
    if again.config.cluster.launcher == "slurm":
        sweep = make_single(again.config, again.words, again.given, code_of)
        plan = sweep.plan()
        with submitting(sweep):
            submit_runs(sweep, plan, plan.runs)
        return f"sweep: {sweep.shown()}\n", 0 if start_runs(sweep, plan, plan.runs, wait=False) else 1
    manager = build_manager(again.config, again.words)
    manager.given, manager.written, manager.code_of = again.given, written_keys(again.given, again.words), code_of
    manager.train()
    return f"run: {run_of(manager)}\n", 0


def _as_recorded(run: RunFolder) -> DictConfig:
    """The recorded configuration, without the old run's places."""
    config = OmegaConf.load(run.config)
    place = str(config.get("run_dir") or ""), str(config.get("run_id") or "")
    return OmegaConf.create(_placed(OmegaConf.to_container(config), *place) | {"run_id": None, "run_dir": None})


def _placed(tree: Any, run_dir: str, run_id: str) -> Any:
    """The old run's own places as references to the new one's."""
    if isinstance(tree, dict):
        return {key: _placed(value, run_dir, run_id) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_placed(value, run_dir, run_id) for value in tree]
    if isinstance(tree, str) and run_dir and (tree == run_dir or tree.startswith(f"{run_dir}/")):
        return f"${{run_dir}}{tree.removeprefix(run_dir)}"
    return "${run_id}" if run_id and tree == run_id else tree


def _elsewhere(run: RunFolder, overrides: Sequence[str], code: Path, dry: bool) -> int:
    """The same command from the folder of the recorded code, whose own harness it is where that has one."""
    path = os.pathsep.join(filter(None, (str(code), os.environ.get("PYTHONPATH"))))
    where = str(run.path.absolute())
    command = [sys.executable, "-P", "-m", "harness.cli", "rerun", where, *overrides, "--here"]
    environment = {**os.environ, "PYTHONPATH": path, CODE_OF: where}
    return subprocess.run([*command, *(["--dry-run"] * dry)], cwd=code, env=environment, check=False).returncode


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
