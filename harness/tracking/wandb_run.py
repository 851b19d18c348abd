"""A run of W&B's client, fed from the run's record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from harness.records.generations import Generation
from harness.records.metrics import StepRecord
from harness.records.run_folder import RunFolder
from harness.tracking.identity import Identity
from harness.tracking.losses import LOG, lost
from harness.tracking.state import TrackingState, read_tracking, write_tracking

INIT_SECONDS = 30.0
DIFF_BYTES = 10_000_000  # of the uncommitted changes that go to W&B


class WandbRun:
    """Opens W&B's client for a run and hands it records.

    Args:
        run: The run's folder.
        identity: What W&B is told of it.
        offline: Why W&B is not to be reached; empty to reach it.
        generations: Rows of a table at most; 0 for no tables.
        watched: The process whose tree's resources count as the run's.

    Raises:
        Exception: W&B cannot be reached in time, or refuses; a kind of the client's own.
    """

    def __init__(
        self, run: RunFolder, identity: Identity, offline: str = "", generations: int = 64, watched: int | None = None
    ) -> None:
        import wandb

        self.run, self.generations = run, generations
        mode: Literal["online", "offline"] = "offline" if offline else "online"
        settings: dict[str, Any] = {"init_timeout": INIT_SECONDS, "console": "off", "silent": True, "symlink": False}
        # what git says now is not what was recorded
        settings |= {"disable_git": True, "git_commit": identity.commit, "git_remote_url": identity.remote}
        if watched:
            settings |= {"x_stats_pid": watched, "x_stats_track_process_tree": True}
        self.client = wandb.init(
            **identity.arguments,
            mode=mode,
            dir=run.path.absolute(),
            resume="allow",
            settings=wandb.Settings(**settings),
        )
        before = read_tracking(run)
        folder = str(Path(self.client.dir).absolute().parent.relative_to(run.path.absolute()))
        url = before.url if offline else self.client.url or ""
        folders = (*before.folders, folder)
        # W&B itself knows which steps it has; what is kept here goes on where the last start ended
        step = before.told_step if offline else (self.client.starting_step - 1 if self.client.resumed else -1)
        self.state = TrackingState(identity.id, mode, step, False, url, offline, folders, self._save_diff())
        write_tracking(run, self.state)

    def _save_diff(self) -> str:
        """Give it the uncommitted changes as a file; what is left out of them, and why, is returned."""
        diff = self.run.code_diff
        size = diff.stat().st_size if diff.is_file() else 0
        if self.client.settings.disable_code or size > DIFF_BYTES:
            limit = f"{size / 1e6:.1f} MB, above {DIFF_BYTES / 1e6:.0f} MB"
            why = limit if size > DIFF_BYTES else "code is disabled in W&B's client"
            return f"{diff.name} ({why})" if size else ""
        if size:
            self.client.save(str(diff.absolute()), base_path=str(self.run.path.absolute()), policy="now")
        return ""

    def log(self, record: StepRecord) -> None:
        """Tell one step's metrics; steps that were told before, as after a resume, are not repeated."""
        if record.step <= self.state.told_step:
            return
        numbers = {name: value for name, value in record.metrics.items() if _loggable(value)}
        self.client.log(numbers, step=record.step)
        self.state = replace(self.state, told_step=record.step)
        write_tracking(self.run, self.state)

    def log_generations(self, step: int, samples: Sequence[Generation]) -> None:
        """A table of what the model wrote at a validation, spread over the data set."""
        import wandb

        chosen = samples[:: max(1, math.ceil(len(samples) / self.generations))]
        columns: list[str | int] = ["step", "index", "prompt", "response", "ground truth", "score"]
        rows = [[step, each.index, each.input, each.output, _text(each.ground_truth), each.score] for each in chosen]
        self.client.log({"generations": wandb.Table(columns=columns, data=rows)}, step=step)

    def finish(self, exit_code: int, summary: Mapping[str, Any]) -> None:
        """Close it, and wait until the client has sent what it has, or has given up."""
        self.client.summary.update(dict(summary))
        self.client.finish(exit_code=exit_code)
        why = self.state.why or lost(self.run.path / self.state.folders[-1] / LOG)
        self.state = replace(self.state, uploaded=not why, why=why)
        write_tracking(self.run, self.state)


def _loggable(value: Any) -> bool:
    return isinstance(value, int | float | str)


def _text(value: Any) -> Any:
    return value if isinstance(value, int | float | str) or value is None else str(value)
