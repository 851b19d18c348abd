"""The code that a run was made with, from its record: the sweep's frozen source, or the commit and its changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from harness.config.cache_folder import cache_root
from harness.errors import ConfigurationError
from harness.launch.sweep.folder import SweepFolder
from harness.launch.sweep.freeze import link_the_rest
from harness.records.code import code_diff, code_state
from harness.records.provenance import read_provenance
from harness.records.run_folder import RunFolder


def recorded_code(run: RunFolder) -> Path | None:
    """The folder to run it from.

    Returns:
        None where it is the current folder: its code is the recorded one, or none was recorded.

    Raises:
        ConfigurationError: The code is recorded and cannot be had here; where it can is told.
    """
    sweep = run.path.absolute().parent
    if SweepFolder.is_one(sweep):
        return SweepFolder(sweep).code(SweepFolder(sweep).plan())
    about = read_provenance(run)
    state = about.get("code") or {}
    commit = state.get("commit")
    project = Path(about.get("folder") or Path.cwd())
    if not commit:
        return project if project.is_dir() and project != Path.cwd() else None
    diff = run.code_diff.read_bytes() if run.code_diff.is_file() else b""
    if code_state(project).commit == commit and code_diff(project).patch == diff:
        return None if project == Path.cwd() else project
    return _restored(run, state, project, diff)


def _restored(run: RunFolder, state: Mapping[str, Any], project: Path, diff: bytes) -> Path:
    """The commit with its changes, in the cache; data and other ignored files are linked from the project."""
    repository, commit = Path(state.get("repository") or "."), str(state["commit"])
    inside = project.relative_to(repository) if project.is_relative_to(repository) else Path()
    final = cache_root() / "code" / f"{commit[:16]}-{sha256(diff).hexdigest()[:12]}"
    if not final.is_dir():
        working = final.with_name(f".{final.name}.{os.getpid()}.partial")
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True)
        try:
            archive = _run(["git", "-C", str(repository), "archive", commit])
            _run(["tar", "-x", "-C", str(working)], archive)
            if diff:
                _run(["git", "apply", "--whitespace=nowarn", "-"], diff, working)
        except (OSError, subprocess.CalledProcessError) as error:
            shutil.rmtree(working, ignore_errors=True)
            said = getattr(error, "stderr", b"") or str(error).encode()
            where = f" of {state['remote']}" if state.get("remote") else ""
            raise ConfigurationError(
                f"{run.shown()} was made with commit {commit[:12]}{where}, which cannot be had from {repository}: "
                f"{' '.join(said.decode(errors='replace').split())[:200]}",
                "Clone it there, or run it with the code as it is now: --here.",
            ) from error
        if project.is_dir():
            link_the_rest(project, working / inside, (project / "outputs",))
        working.rename(final)
    return final / inside


def _run(command: list[str], given: bytes = b"", folder: Path | None = None) -> bytes:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {**inherited, "GIT_CEILING_DIRECTORIES": str(folder.parent) if folder else ""}
    return subprocess.run(command, input=given, cwd=folder, env=environment, capture_output=True, check=True).stdout
