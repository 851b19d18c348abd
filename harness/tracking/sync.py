"""`harness sync`: uploads what W&B has not got, from the records that its client has kept in the runs' folders."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from harness.errors import ConfigurationError
from harness.records.run_folder import RunFolder
from harness.records.status import read_status
from harness.tracking.key import missing_key
from harness.tracking.losses import SYNC_LOGS, lost
from harness.tracking.state import FILE, TrackingState, read_tracking, write_tracking

SECONDS_A_RUN = 600


def sync_runs(root: Path, say: Callable[[str], None]) -> bool:
    """Upload every run below a folder that W&B has not got whole.

    Args:
        root: A run, a sweep, or a folder of them.
        say: Told a line for each run.

    Returns:
        Whether W&B has all of them now.

    Raises:
        ConfigurationError: There is no such folder, or no key.
    """
    if not root.is_dir():
        raise ConfigurationError(f"{root}: there is no such folder.", "Name a run, a sweep, or the folder of all runs.")
    waiting = [run for run in tracked_runs(root) if not read_tracking(run).uploaded]
    if waiting and (why := missing_key()):
        raise ConfigurationError(f"{why[0].upper()}{why[1:]}.", "Run `wandb login`, or set WANDB_API_KEY.")
    well = True
    for run in waiting:
        if not read_status(run).has_ended:
            say(f"{run.shown()}: it has not ended; its own process tells W&B")
            continue
        why = _upload(run)
        well = well and not why
        say(f"{run.shown()}: {why or _uploaded(read_tracking(run))}")
    if not waiting:
        say("W&B has everything.")
    return well


def _uploaded(state: TrackingState) -> str:
    left_out = f", without {state.left_out}" if state.left_out else ""
    return f"uploaded {state.url}".rstrip() + left_out


def tracked_runs(root: Path) -> Iterator[RunFolder]:
    """Runs that a tracker has followed, at most three levels down; frozen source is not entered."""
    for pattern in ("", "*/", "*/*/", "*/*/*/"):
        for file in sorted(root.glob(f"{pattern}{FILE}")):
            if "code" not in file.relative_to(root).parts:
                yield RunFolder(file.parent)


def _upload(run: RunFolder) -> str:
    """Give W&B what its client has kept of each start, the earliest first, then what is in the record beyond that.

    What the client has kept holds what the record does not, such as the machine's load; but it may be torn where its
    process was killed, and the record never is.

    Returns:
        Why W&B did not take it; empty where it did.
    """
    place = run.path.absolute()
    online = os.environ | {"WANDB_MODE": "online", "WANDB_DIR": str(place)}  # whatever was asked of the training
    given_up = next(filter(None, [_replay(place, folder, online) for folder in read_tracking(run).folders]), "")
    why = _done([sys.executable, "-m", "harness.tracking.follow", str(place)], online)
    if (state := read_tracking(run)).uploaded and given_up:
        write_tracking(run, state := replace(state, uploaded=False, why=given_up))
    return why or ("" if state.uploaded else state.why or "W&B did not take it")


def _replay(place: Path, folder: str, environment: Mapping[str, str]) -> str:
    """Give W&B what its client has kept of a start; what was given up is returned, and nothing marked as sent then."""
    logs = set(place.glob(SYNC_LOGS))
    _done([sys.executable, "-m", "wandb", "sync", "--yes", str(place / folder)], environment)
    given_up = next(filter(None, map(lost, sorted(set(place.glob(SYNC_LOGS)) - logs))), "")
    for mark in (place / folder).glob("*.wandb.synced") if given_up else ():
        mark.unlink()
    return given_up


def _done(command: list[str], environment: Mapping[str, str]) -> str:
    """Run it; the last line of what it said where it failed."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SECONDS_A_RUN, env=environment
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {SECONDS_A_RUN} s"
    said = (done.stderr or done.stdout).strip().splitlines()
    return (said[-1] if said else f"exit code {done.returncode}") if done.returncode else ""
