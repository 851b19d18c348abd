"""The table on terminals of every width: no group and no number is ever cut."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from harness.compare.cells import Line
from harness.compare.fitted import Fitted

LONG = "algorithm=reinforce_plus_plus_baseline actor.optim.lr=1e-05"
LINES = (
    Line(("algorithm=grpo lr=1e-06", "5", "0.456", "[0.435, 0.477]", "0.480", "", "", "baseline"), "", True),
    Line((LONG, "4 of 5", "0.478", "[0.448, 0.507]", "0.502", "+0.022 [-0.005, 0.049]", "0.091", "no difference shown"),
         "no difference shown"),
)  # fmt: skip


def drawn(width: int, lines: Sequence[Line] = LINES) -> list[str]:
    console = Console(file=io.StringIO(), width=width, legacy_windows=False)
    console.print(Fitted(lines))
    return console.file.getvalue().splitlines()


def test_with_room_for_everything_it_is_a_line_a_group() -> None:
    shown = drawn(160)
    assert len(shown) == 3
    assert all(cell in shown[2] for cell in LINES[1].cells)


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (100, "best run"),
        (80, "best run, interval"),
        (60, "best run, interval, seeds, p"),
        (44, "best run, interval, seeds, p, difference"),
    ],
)
def test_what_has_no_room_is_left_out_and_named(width: int, left_out: str) -> None:
    shown = drawn(width)
    assert all(len(line) <= width for line in shown)
    assert "…" not in "".join(shown)
    note = " ".join(line.strip() for line in shown[[line.startswith("no room") for line in shown].index(True) :])
    assert note == f"no room for: {left_out} (a wider terminal and --json have all)"
    end = shown[0].index("seeds") if "seeds" in shown[0] else shown[0].index("value")
    labels = "".join(line[: end - 1] for line in shown[1:])
    assert LONG.replace(" ", "") in labels.replace(" ", "")
    for number in ("0.456", "0.478", "no difference"):
        assert any(number in line for line in shown)


@pytest.mark.parametrize("width", [80, 60])
def test_at_80_and_60_columns_the_difference_and_its_interval_are_whole(width: int) -> None:
    shown = drawn(width)
    assert any("+0.022" in line for line in shown)
    assert any("[-0.005, 0.049]" in line for line in shown)
    assert "algorithm=grpo" in shown[1]


@pytest.mark.parametrize("width", [160, 80, 60, 20, 1])
def test_no_width_is_too_small(width: int) -> None:
    assert drawn(width)
    assert drawn(width, ())


def test_short_labels_leave_room_for_more() -> None:
    lines = [Line(("grpo", *LINES[0].cells[1:]), "", True), Line(("dapo", *LINES[1].cells[1:]))]
    assert "interval" in drawn(80, lines)[0]
