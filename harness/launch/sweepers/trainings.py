"""The trainings of a search: each batch of overrides becomes runs of one sweep, whose plan grows with every batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from harness.errors import ConfigurationError, HarnessError
from harness.launch.sweep.finished import finished_runs
from harness.launch.sweep.folder import Plan, SweepFolder
from harness.launch.sweep.ledger import read_ledger
from harness.launch.sweep.plan import plan_points
from harness.launch.sweep.planned import Planned
from harness.launch.sweep.points import Point
from harness.launch.sweep.prepare import add_runs
from harness.launch.sweep.start import run_and_wait
from harness.launch.sweepers.objective import Objective
from harness.records.run_folder import RunFolder


@dataclass
class Trainings:
    """What Hydra calls the task function; the launcher hands it whole batches.

    Attributes:
        sweep: The sweep's folder.
        plan: Its plan so far.
        words: Of the command: what a point has beyond them is what it differs in.
        objective: What the sweeper is told of a run.
        lenient: Whether the sweeper goes on where a point fails, so that one that cannot run is a failed one.
        again: Whether what earlier sweeps have finished is trained again.
    """

    sweep: SweepFolder
    plan: Plan
    words: list[str]
    objective: Objective
    lenient: bool
    again: bool = False

    def run_batch(self, job_overrides: Sequence[Sequence[str]]) -> list[JobReturn]:
        """Plan these points, run them, and wait until all have ended.

        Args:
            job_overrides: The words of each point.

        Returns:
            The objective of each, or why there is none. A point that has been trained before, in this sweep or in an
            earlier one, has that run's.

        Raises:
            ConfigurationError: Points cannot run as they are, and the sweeper is not lenient; none was started.
        """
        points = [self._point(words) for words in job_overrides]
        planned = self._planned(points)
        runnable = {(each.fingerprint, each.seed): each for each in planned if isinstance(each, Planned)}
        folders = finished_runs(self.sweep.path if self.again else self.sweep.path.parent)
        self.plan, runs = add_runs(self.sweep, self.plan, list(runnable.values()), folders)
        if runs:
            run_and_wait(self.sweep, self.plan, runs)
        for run in runs:
            folders[run.fingerprint, run.seed] = self.sweep.run(run).shown()
        return [
            self._return(point, each, folders) if isinstance(each, Planned) else _failed(point, each)
            for point, each in zip(points, planned, strict=True)
        ]

    def _point(self, words: Sequence[str]) -> Point:
        given = [word for word in self.words if word.startswith("hydra.searchpath=")]
        return Point((*given, *words), tuple(word for word in words if word not in self.words))

    def _planned(self, points: Sequence[Point]) -> list[Planned | ConfigurationError]:
        taken = [run.run_id for run in self.plan.runs]
        if not self.lenient:
            return list(plan_points(points, self.sweep.path, "a batch", twice=True, taken=taken))
        found: list[Planned | ConfigurationError] = []
        for point in points:
            try:
                (planned,) = plan_points([point], self.sweep.path, "a batch", taken=taken)
                taken.append(planned.run_id)
                found.append(planned)
            except ConfigurationError as error:
                found.append(error)
        return found

    def _return(self, point: Point, each: Planned, folders: Mapping[tuple[str, int], str]) -> JobReturn:
        run = RunFolder(Path(folders[each.fingerprint, each.seed]).absolute())
        error = self._error(run)
        if error is None:
            try:
                value = self.objective.of(run)
            except HarnessError as missing:
                error = missing
        if error is not None:
            return _failed(point, error)
        config, done = OmegaConf.create(each.record), JobStatus.COMPLETED
        returned = JobReturn(list(point.words), config, None, str(run.path), "harness", done)
        returned.return_value = value
        return returned

    def _error(self, run: RunFolder) -> HarnessError | None:
        """Why a run of this sweep is not done."""
        row = next(
            (row for row in read_ledger(self.sweep, self.plan) if self.sweep.run(row.run).path == run.path), None
        )
        if row is None or row.status.state == "done":
            return None
        return HarnessError(
            f"{row.run.label} {row.status.state}: {row.why or row.status.state}",
            f"See {run.log}; the run can be repeated: harness sweep retry {self.sweep.shown()} {row.run.run_id}.",
        )


def _failed(point: Point, error: HarnessError) -> JobReturn:
    returned = JobReturn(overrides=list(point.words), status=JobStatus.FAILED)
    returned.return_value = error
    return returned
