"""Runs a piece of work as a run: its output goes to the log, its state to the record, its progress to the terminal."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from harness.errors import Hang, HarnessError, Interrupted, NodeLost, Preempted, TakenOver, TrainingError, disk_full
from harness.launch.guard import Guard
from harness.launch.memory_kills import memory_kills, out_of_memory
from harness.launch.output import copied_to, output_to
from harness.launch.stops import Stops
from harness.launch.watchdog import Settings
from harness.records.metrics import MetricsTail
from harness.records.quantities import validation_headline
from harness.records.run_folder import RunFolder
from harness.records.stages import StageTail
from harness.records.status import RunError, StatusWriter
from harness.records.summary import RunSummary, summarise
from harness.report import write_report
from harness.terminal.root_cause import root_cause
from harness.terminal.view import TrainingView
from harness.tracking.process import told, tracked

Work = Callable[[Callable[[], None], Callable[[str], None]], dict[str, Any]]


def supervise(
    run: RunFolder,
    work: Work,
    total_steps: int | None,
    title: str = "",
    stops: Stops | None = None,
    watchdog: Settings | None = None,
    foreground: bool = False,
) -> RunSummary:
    """Do the work as this run.

    Args:
        run: The run's folder; its status says how it went at every moment.
        work: Called with ``poll``, to be called several times a second, and ``announce``, for stages of this process.
        total_steps: Steps of the whole run, where known.
        title: What the terminal's panel is headed with.
        stops: What signals mean; by default they end the run at once.
        watchdog: When a stage counts as hanging, and what then; None for no watchdog.
        foreground: Whether all output goes to the terminal as well, and nothing is drawn over it: for a debugger.

    Returns:
        The run's summary.

    Raises:
        HarnessError: What ended it, in the user's terms: `TrainingError` or `Interrupted`; `Hang` where the watchdog
            wants it started again.
    """
    status = StatusWriter(run)
    stops = stops or Stops(run.path)
    try:
        with (copied_to if foreground else output_to)(run.log) as (out, err), stops:
            status.running(total_steps)
            live = False if foreground else None
            view = TrainingView(run, total_steps or 0, console=out, errors=err, interactive=live, title=title or None)
            stops.tell = view.warn
            guard = Guard(run, watchdog or Settings(minutes=None), status)
            try:
                with tracked(run):
                    return _done(work, run, status, _Watch(run, status, view, stops, guard))
            finally:
                if line := told(run):
                    out.print(line, soft_wrap=True, highlight=False, markup=False)
    except (OSError, KeyboardInterrupt, Interrupted) as error:
        _ended_beside_the_work(error, run, status)


def _done(work: Work, run: RunFolder, status: StatusWriter, watch: _Watch) -> RunSummary:
    try:
        with watch.guard, watch.view:
            work(watch.poll, watch.announce)
            watch.poll()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  raised again in the user's terms
        _end(error, run, status, watch)
    status.done()
    _report(run, watch.view)
    summary = summarise(run)
    watch.view.finish(summary)
    return summary


def _ended_beside_the_work(error: BaseException, run: RunFolder, status: StatusWriter) -> NoReturn:
    """Record and raise what came before the work or after it, mostly a full disk; other ends are recorded already."""
    if isinstance(error, TakenOver) or status.status.has_ended:
        raise error
    if not isinstance(error, OSError):
        _record(status.cancelled)
        raise _stopped(run) from error
    failure = _as_run_error(error, status.status.stage, run)
    _record(lambda: status.failed(failure))
    raise TrainingError(failure.message, failure.remedy, failure.stage) from error


def _record(end: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):  # on a full disk; why the run has ended is told all the same
        end()


def _stopped(run: RunFolder) -> Interrupted:
    return Interrupted("The run was stopped.", f"Go on with: harness train --resume {run.shown()}")


def _end(error: BaseException, run: RunFolder, status: StatusWriter, watch: _Watch) -> NoReturn:
    """Record how a run ended that did not reach its end, and raise that in the user's terms."""
    if isinstance(error, TakenOver):
        raise error
    lost = error if isinstance(error, NodeLost) and watch.stops.can_be_queued else None
    if lost or watch.stops.by_scheduler:
        _record(lambda: status.preempted(_as_run_error(lost, watch.stage, run) if lost else None))
        _report(run, watch.view)
        raise Preempted(f"The run was stopped: {lost.message if lost else watch.stops.reason}.") from error
    if watch.guard.hang is not None:
        error = watch.guard.hang  # whatever ending it has raised
    elif _was_stopped(error):
        _record(status.cancelled)
        _report(run, watch.view)
        raise _stopped(run) from error
    failure = _as_run_error(error, watch.stage, run)
    if (killed := memory_kills() - watch.killed_before) > 0:
        failure = out_of_memory(killed, failure, by_slurm=watch.stops.warning_seconds is not None)
    again = isinstance(error, Hang) and watch.guard.settings.on_hang == "retry"
    _record(lambda: status.preempted(failure) if again else status.failed(failure))
    _report(run, watch.view)
    watch.view.fail(failure)
    if again:
        raise error
    raise TrainingError(failure.message, failure.remedy, failure.stage, failure.log) from error


class _Watch:
    """Carries what the training process has written to the terminal and the status."""

    def __init__(self, run: RunFolder, status: StatusWriter, view: TrainingView, stops: Stops, guard: Guard) -> None:
        self.stages, self.steps = StageTail(run.stages), MetricsTail(run.metrics)
        self.status, self.view, self.stops, self.guard = status, view, stops, guard
        self.stage, self.killed_before = "", memory_kills()
        self.stages.poll(), self.steps.poll()  # a resumed run's past has been shown before

    def announce(self, name: str) -> None:
        """This process does ``name``."""
        self.guard.enter(name)
        self._show(name, 0)

    def _show(self, name: str, step: int) -> None:
        self.stage = name
        self.status.stage(name)
        self.view.stage(name, step)

    def poll(self) -> None:
        """Look for news."""
        for entry in self.stages.poll():
            self._show(entry.stage, entry.step)
        for record in self.steps.poll():
            self.view.step(record)
            if (value := validation_headline(record.metrics)) is not None:
                self.status.validated(value)
            if not record.is_validation_only:
                self.status.advance(record.step)
        self.status.beat()
        self.stops.poll()
        for warning in self.guard.poll():
            sys.stderr.write(f"harness: watchdog: {warning}\n")
            self.view.warn(warning)


def _was_stopped(error: BaseException | None) -> bool:
    """Whether a stop was asked for, even if ending what was under way has raised something else meanwhile."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt | Interrupted):
            return True
        error = error.__cause__ or error.__context__
    return False


def _as_run_error(error: BaseException, stage: str, run: RunFolder) -> RunError:
    error = disk_full(error, run.path, f"Free some, then go on with: harness train --resume {run.shown()}") or error
    if isinstance(error, HarnessError):
        at = getattr(error, "stage", "") or stage
        return RunError(type(error).__name__, error.message, error.remedy, at, str(run.log))
    return root_cause(error).as_run_error(stage, str(run.log))


def _report(run: RunFolder, view: TrainingView) -> None:
    try:
        write_report(run)
    except OSError as error:
        view.warn(f"the report could not be written: {error}")
    except Exception:  # noqa: BLE001 (a report that fails must not turn a finished run into a failed one)
        sys.stderr.write(f"harness: the report could not be written:\n{traceback.format_exc()}")
