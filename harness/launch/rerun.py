"""`harness rerun`: the same experiment again, as a new run, from a run's record alone, its code included."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from harness.check.find import require_valid
from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import SEEDS, deciding
from harness.config.words import quoted
from harness.errors import ConfigurationError
from harness.launch.command import build_manager
from harness.launch.difference import differing
from harness.launch.recomposed import recomposed, recorded_words
from harness.launch.recorded_code import recorded_code
from harness.launch.sweep.folder import SweepFolder
from harness.launch.sweep.start import start_sweep
from harness.records.run_folder import RunFolder


def rerun(path: str, overrides: Sequence[str], here: bool = False, dry: bool = False) -> tuple[str, int]:
    """Run it again, in a process of its own where the code of then is not the code of now.

    Args:
        path: The run.
        overrides: Values on top of what is recorded.
        here: Whether to take the code as it is now.
        dry: Whether to tell what would run instead.

    Returns:
        What to print, and the exit code.

    Raises:
        ConfigurationError: It is not a run, an override is no value of it, or its code cannot be had.
    """
    run = RunFolder.open(path)
    config = rerun_config(run, overrides)
    code = None if here else recorded_code(run)
    if dry:
        where = code or Path.cwd()
        return f"# would run {run.shown()} again with the code in {where}\n{OmegaConf.to_yaml(config)}", 0
    if code is not None:
        return "", _elsewhere(run, overrides, code)
    words = [*recorded_words(run), *overrides]
    if config.cluster.launcher == "slurm":
        return _submitted(run, config, words)
    require_valid(config, words)
    manager = build_manager(config, words)
    manager.train()
    return f"run: {manager.run.shown()}\n", 0


def _submitted(run: RunFolder, config: DictConfig, words: list[str]) -> tuple[str, int]:
    """As a run of Slurm's, which is composed from words like every one; they have to give the record."""
    words = [*words, f"output_root={quoted(str(config.output_root))}"]
    found = [key for key, *_ in differing(_decides(config), _decides(resolve(compose_config(words))))]
    if found:
        raise ConfigurationError(
            f"{run.shown()} was a run on Slurm, and its words no longer give what it was trained with: "
            f"{', '.join(found[:5])} would differ.",
            "Add cluster=local to run it on this machine from its record.",
        )
    sweep, well = start_sweep(words, again=True)
    return f"sweep: {sweep.shown()}\n", 0 if well else 1


def _decides(config: DictConfig) -> dict[str, Any]:
    return deciding(config) | {key: OmegaConf.select(config, key) for key in SEEDS}


def rerun_config(run: RunFolder, overrides: Sequence[str]) -> DictConfig:
    """The recorded configuration with overrides, for a new run beside the old one."""
    config = recomposed(run, overrides)
    root = run.path.absolute().parent
    root = root.parent if SweepFolder.is_one(root) else root
    place = str(config.get("run_dir") or ""), str(config.get("run_id") or "")
    tree: Any = _placed(OmegaConf.to_container(config), *place)
    tree |= {"run_id": None, "run_dir": None}
    if "output_root" not in {word.partition("=")[0] for word in overrides}:
        tree["output_root"] = str(root.parent)
    return OmegaConf.create(tree)


def _placed(tree: Any, run_dir: str, run_id: str) -> Any:
    """The old run's own places as references to the new one's."""
    if isinstance(tree, dict):
        return {key: _placed(value, run_dir, run_id) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_placed(value, run_dir, run_id) for value in tree]
    if isinstance(tree, str) and run_dir and (tree == run_dir or tree.startswith(f"{run_dir}/")):
        return f"${{run_dir}}{tree.removeprefix(run_dir)}"
    return "${run_id}" if run_id and tree == run_id else tree


def _elsewhere(run: RunFolder, overrides: Sequence[str], code: Path) -> int:
    """The same command from the folder of the recorded code, whose own harness it is where that has one."""
    path = os.pathsep.join(filter(None, (str(code), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-m", "harness.cli", "rerun", str(run.path.absolute()), *overrides, "--here"]
    return subprocess.run(command, cwd=code, env={**os.environ, "PYTHONPATH": path}, check=False).returncode
