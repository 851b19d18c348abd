"""The groups' table, fitted to the terminal: nothing is cut, and what has no place is left out and named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from harness.compare.cells import HEADERS, Line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

STYLES = {"better": "green", "worse": "red", "no difference shown": "yellow", "too few seeds": "yellow"}
RIGHT = ("seeds", "value", "best run", "p")
#: What gives way in a narrow terminal, the first at first; the last two stand in the sentences below too.
LEFT_OUT = ("best run", "interval", "seeds", "p", "difference")
GAP = 2  # between columns
LABELS = (24, 16, 10)  # characters of a line of a label that is folded: wider ones are tried first
VERDICT = 13  # of a line of a verdict that is folded


@dataclass(frozen=True)
class Fitted:
    """A table that chooses its columns when it is drawn.

    Args:
        lines: A line a group.
    """

    lines: Sequence[Line]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, and what it left out."""
        longest = max((cell_len(line.cells[0]) for line in self.lines), default=0)
        for least, folded, left_out in _ways():
            columns = [name for name in HEADERS if name not in left_out]
            if self._label_width(columns, folded, options.max_width) >= min(least, longest):
                break
        yield from self._drawn(columns, folded, left_out, options.max_width)

    def _label_width(self, columns: Sequence[str], folded: bool, width: int) -> int:
        """What is left for the labels beside the other columns."""
        others = [self._width(name, folded) for name in columns if name != "group"]
        return width - sum(others) - GAP * len(others)

    def _width(self, name: str, folded: bool) -> int:
        cells = [name, *(_cell(line, name, folded) for line in self.lines)]
        return max(cell_len(part) for cell in cells for part in cell.split("\n"))

    def _drawn(self, columns: Sequence[str], folded: bool, left_out: Sequence[str], width: int) -> RenderResult:
        table = Table(box=None, pad_edge=False, padding=(0, GAP // 2), header_style="bold")
        for name in columns:
            if name == "group":
                table.add_column(name, overflow="fold", max_width=max(self._label_width(columns, folded, width), 1))
            else:
                table.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=True)
        for line in self.lines:
            cells = [Text(_cell(line, name, folded)) for name in columns]
            cells[-1].stylize(STYLES.get(line.decision, "dim" if line.is_baseline else ""))
            table.add_row(*cells)
        yield table
        if left_out:
            yield Text(f"no room for: {', '.join(left_out)} (a wider terminal and --json have all)", style="dim")


def _ways() -> Iterator[tuple[int, bool, tuple[str, ...]]]:
    """From wide to narrow: how wide labels have to be, whether cells are folded, and which columns are left out."""
    for label in LABELS:
        yield label, False, ()
        yield label, False, LEFT_OUT[:1]
        yield from ((label, True, LEFT_OUT[:count]) for count in range(1, len(LEFT_OUT)))
    yield 0, True, LEFT_OUT


def _cell(line: Line, name: str, folded: bool) -> str:
    """A cell; folded, an interval stands below its estimate."""
    cell = line.cells[HEADERS.index(name)]
    if not folded:
        return cell
    return fill(cell, VERDICT) if name == "verdict" else cell.replace(" [", "\n[")
