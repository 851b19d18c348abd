"""A sweep's table while it goes on: renewed on a terminal, a line where the counts change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live

from harness.launch.sweep.folder import Plan, SweepFolder
from harness.launch.sweep.ledger import read_ledger
from harness.launch.sweep.table import headline, render

EVERY_SECONDS = 2.0
LINES = 30


class LiveTable:
    """Shows a sweep for the time of a ``with`` block.

    Args:
        sweep: The sweep.
        plan: Its plan.
    """

    def __init__(self, sweep: SweepFolder, plan: Plan) -> None:
        self.sweep, self.plan, self.console = sweep, plan, Console()
        self.live = Live(console=self.console, transient=True, auto_refresh=False) if self.console.is_terminal else None
        self.last, self.said = 0.0, ""

    def __enter__(self) -> Callable[[], None]:
        if self.live:
            self.live.start()
        return self.poll

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.live:
            self.live.stop()

    def poll(self) -> None:
        """Look again, not more often than every two seconds."""
        if time.monotonic() - self.last < EVERY_SECONDS:
            return
        self.last = time.monotonic()
        rows = read_ledger(self.sweep, self.plan)
        if self.live:
            self.live.update(render(self.sweep, self.plan, rows, LINES), refresh=True)
        elif (text := headline(self.plan, rows)) != self.said:
            self.said = text
            self.console.print(text)
