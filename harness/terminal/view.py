"""What a person sees while a run trains: a live panel on a terminal, plain lines anywhere else.

The driver calls `stage` and `step` from its poll loop, and `finish` or `fail` once. Raw output goes to ``train.log``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from harness.records.quantities import (
    ENTROPY,
    KL_TO_REFERENCE,
    RESPONSE_LENGTH,
    number,
    tokens_per_second,
    validation_headline,
)
from harness.records.state import RunError
from harness.records.summary import RunSummary, summarise
from harness.terminal import panel, text
from harness.terminal.ending import failure, outcome
from harness.terminal.progress import Progress
from harness.terminal.root_cause import root_cause

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from harness.records.metrics import StepRecord
    from harness.records.run_folder import RunFolder

_REFRESH_PER_SECOND = 8
PLAIN_LINE_EVERY_S = 1.0  # faster steps share a line, so that a log of 100,000 of them stays readable


class TrainingView:
    """The view of one run. Use it as a context manager, so that the terminal is given back whatever happens.

    Args:
        run_folder: The run.
        total_steps: Steps of the whole run; None or 0 while it is unknown, see `expect`.
        console: Where to draw; standard output by default.
        interactive: Draw the live panel; None asks the console whether it is a terminal.
        title: What the panel is headed with; by default the run's folder.
        errors: Where a failure is told; standard error by default.
    """

    def __init__(
        self,
        run_folder: RunFolder,
        total_steps: int | None,
        console: Console | None = None,
        interactive: bool | None = None,
        title: str | None = None,
        errors: Console | None = None,
    ) -> None:
        self.run_folder = run_folder
        self.console = console or Console()
        self.errors = errors or Console(stderr=True)
        self.interactive = self.console.is_terminal and not self.console.is_dumb_terminal
        if interactive is not None:
            self.interactive = interactive
        self.title = title or run_folder.shown()
        self.progress = Progress(total_steps or 0)
        self._spinner = Spinner("dots", style="cyan")
        self._starting = True
        self._last_plain = float("-inf")
        self._live: Live | None = None

    def __enter__(self) -> TrainingView:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def stage(self, name: str, step: int = 0) -> None:
        """The run now does ``name``. During start-up a finished stage leaves a line with its seconds.

        Args:
            name: What it does, in plain words.
            step: The training step that the stage belongs to; 0 during start-up.
        """
        if name == self.progress.stage:
            return
        if self._starting:
            self._leave_stage()
            self._starting = step == 0
        if self._starting and not self.interactive:
            self._say(Text(f"[{text.seconds(self.progress.elapsed):>9}]  {name} …"))
        self.progress.enter(name)
        self._draw()

    def expect(self, total_steps: int) -> None:
        """The run will take ``total_steps`` steps; for what is known only once the data is loaded."""
        self.progress.total_steps = total_steps

    def step(self, record: StepRecord) -> None:
        """The run completed a step, or a validation before or between steps."""
        self.progress.add(record)
        if self._starting and not record.is_validation_only:
            self._leave_stage()
            self._starting = False
        if not self.interactive:
            self._plain_line(record)
        elif self._starting:
            self._say(_validation_line(record))
        self._draw()

    def finish(self, summary: RunSummary | None = None, next_commands: Sequence[str] | None = None) -> None:
        """The run is done: before and after, where things are, and what to try next.

        Args:
            summary: What the run came to; read from its folder by default.
            next_commands: Commands to suggest, in place of the usual ones.
        """
        self.close()
        end = outcome(self.run_folder, summary or summarise(self.run_folder), next_commands)
        self.console.print(end, soft_wrap=True, highlight=False)

    def warn(self, words: str) -> None:
        """Something that the run goes on in spite of."""
        self._say(Text.assemble(("! ", "bold yellow"), words))

    def fail(self, error: RunError | BaseException | str) -> None:
        """The run failed: the root cause first, then stage and log.

        Args:
            error: The error as recorded, or an exception or a traceback's text whose root cause is looked for.
        """
        self.close()
        if not isinstance(error, RunError):
            error = root_cause(error).as_run_error(self.progress.stage, str(self.run_folder.log))
        self.errors.print(failure(error, self.run_folder), soft_wrap=True, highlight=False)

    def close(self) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.stop()
            self._live = None

    def _leave_stage(self) -> None:
        if self.interactive and self.progress.stage:
            taken = text.seconds(self.progress.in_stage)
            self._say(Text.assemble(("✓ ", "green"), f"{self.progress.stage:<44}", (f"{taken:>11}", "grey50")))

    def _plain_line(self, record: StepRecord) -> None:
        if record.is_validation_only:
            self._say(_validation_line(record))
            return
        now, progress = self.progress.clock(), self.progress
        is_last = record.step == progress.total_steps
        due = now - self._last_plain >= PLAIN_LINE_EVERY_S or is_last
        if due or validation_headline(record.metrics) is not None:
            self._last_plain = now
            self._say(_step_line(record, progress))

    def _say(self, line: Text) -> None:
        self.console.print(line, soft_wrap=True, highlight=False)

    def _draw(self) -> None:
        if not self.interactive:
            return
        if self._live is None:
            self._live = Live(
                get_renderable=self._renderable,
                console=self.console,
                refresh_per_second=_REFRESH_PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _renderable(self) -> RenderableType:
        if self._starting:
            return panel.starting(self.progress, self._spinner)
        return panel.training(self.progress, self.title)


def _validation_line(record: StepRecord) -> Text:
    score = text.number(validation_headline(record.metrics))
    when = "before training" if record.step == 0 else f"at step {record.step}"
    return Text.assemble(("• ", "cyan"), f"validation {when}: ", (score, "bold"))


def _step_line(record: StepRecord, progress: Progress) -> Text:
    metrics = record.metrics
    parts = [
        f"step {progress.position}",
        f"reward {text.number(progress.rewards[-1] if progress.rewards else None)}",
        f"length {text.number(number(metrics, RESPONSE_LENGTH), 1)}",
    ]
    for label, names in (("entropy", ENTROPY), ("KL", KL_TO_REFERENCE)):
        value = number(metrics, names)
        if value is not None:
            parts.append(f"{label} {text.number(value)}")
    if progress.step_seconds is not None:
        parts.append(f"{text.seconds(progress.step_seconds)} a step")
    rate = tokens_per_second(metrics)
    if rate is not None:
        parts.append(f"{rate:,.0f} tokens/s")
    if progress.remaining:
        parts.append(f"{text.seconds(progress.remaining)} left")
    score = validation_headline(metrics)
    if score is not None:
        parts.append(f"validation {text.number(score)}")
    return Text("  ".join(parts))
