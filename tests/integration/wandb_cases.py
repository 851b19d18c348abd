"""A run that is followed while W&B's server fails one kind of request in one way, with W&B's real client."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runs import environment, wait_for
from wandb_failures import WAYS
from wandb_server import KINDS, Server, wandb_server

from harness.records.atomic import write_yaml
from harness.records.generations import Generation, write_generations
from harness.records.run_folder import RunFolder
from harness.tracking.process import CLOSING_SECONDS
from harness.tracking.state import read_tracking

STEPS, FINISH_SECONDS = 30, 2.0
#: From the end of a training to the end of its process, at most: what W&B is given to finish, to close, and to be killed.
LONGEST_END_SECONDS = FINISH_SECONDS + CLOSING_SECONDS + 2.0
ALL = [(kind, way) for kind in KINDS for way in WAYS]


@dataclass(frozen=True)
class Outcome:
    """What became of it.

    Attributes:
        start_s, slowest_step_s, end_s: Seconds that the training spent on it.
        met: Requests that failed.
        uploaded: Whether W&B was said to have everything at the training's end.
        why: Why not.
        synced: The last line of `harness sync` once the server works again.
        missing: Steps that W&B has not got after that.
        lost: Files and tables that it has not got.
    """

    start_s: float
    slowest_step_s: float
    end_s: float
    met: int
    uploaded: bool
    why: str
    synced: str
    missing: tuple[int, ...]
    lost: tuple[str, ...]

    @property
    def plain(self) -> dict[str, Any]:
        """For a record."""
        return asdict(self)


def outcome(folder: Path, kind: str, way: str, until: Callable[[Server, RunFolder], bool], patience: float) -> Outcome:
    """Follow a run while its server fails so, then mend the server and upload the rest.

    Args:
        folder: For the run.
        kind: Of `wandb_server.KINDS`.
        way: Of `wandb_failures.WAYS`.
        until: Whether the training may end now.
        patience: Seconds after which it ends anyway.
    """
    run = followed_run(folder)
    with wandb_server(way, [kind]) as server:
        variables = environment() | server.variables
        variables.pop("WANDB_MODE", None)
        command = [sys.executable, str(Path(__file__).with_name("followed.py")), str(run.path), str(STEPS)]
        with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            with contextlib.suppress(AssertionError):  # a training ends without waiting for anything
                wait_for(lambda: until(server, run), patience)
            told, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        state, met = read_tracking(run), server.failed.total()
        server.mode = "ok"
        sync = [sys.executable, "-m", "harness.cli", "sync", str(run.path)]
        synced = subprocess.run(sync, env=variables, capture_output=True, text=True, check=False, timeout=120)
        known = read_tracking(run).id
        rows = server.history.get(known, [])
        have = {row["_step"] for row in rows if "metric/0" in row}
        lost = {"code.diff": "code.diff" in server.files.get(known, {}),
                "table": any("generations" in row for row in rows)}  # fmt: skip
    return Outcome(
        **json.loads(told),
        met=met,
        uploaded=state.uploaded,
        why=state.why,
        synced=(synced.stdout + synced.stderr).strip().splitlines()[-1].removeprefix(str(run.path)),
        missing=tuple(sorted(set(range(1, STEPS + 1)) - have)),
        lost=tuple(name for name, there in lost.items() if not there),
    )


def followed_run(folder: Path) -> RunFolder:
    """A run with a little of everything that W&B is given."""
    run = RunFolder.create(folder, "followed")
    tracking = {"backend": "wandb", "mode": "online", "generations": 4, "finish_seconds": FINISH_SECONDS}
    write_yaml(run.config, {"name": "followed", "seed": 1, "tracking": tracking})
    write_yaml(run.overrides, ["seed=1"])
    run.code_diff.write_text("--- a/mine.py\n+++ b/mine.py\n")
    write_generations(run.generations, 1, [Generation(each, "2 + 2 =", "4", "4", 1.0, 1) for each in range(8)])
    return run
