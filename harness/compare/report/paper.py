"""The report's figures as files of their own, for papers and slides: as wide as a column, legible there, on white."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from harness.compare.report.curves import band
from harness.compare.report.figures import PALETTE, shown_first, styles
from harness.compare.report.quantities import label
from harness.compare.statistics.intervals import Interval
from harness.compare.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, CURVES_HEIGHT, ROW_HEIGHT = 3.25, 2.0, 0.13  # inches: a column of two; a line of an interval's name
DPI = 300
FORMATS = ("svg", "pdf", "png")
NAMED = 24  # characters of a group's name in a line beside its interval
KEYS = 44  # characters of a line of the legend
#: The page's dash patterns, in widths of the line.
DASHES: tuple[tuple[float, ...] | None, ...] = (
    None, (4.5, 2), (1.25, 2), (5.5, 2, 1.25, 2), (2.5, 1.5), (7, 2, 1.25, 2, 1.25, 2),
)  # fmt: skip
_LOOK: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 7, "axes.titlesize": 7, "axes.labelsize": 7, "legend.fontsize": 7,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6, "axes.grid": True,
    "axes.axisbelow": True, "grid.color": "#e5e5e5", "grid.linewidth": 0.6, "lines.linewidth": 1.2,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "figure.facecolor": "white", "savefig.facecolor": "white",
    "text.parse_math": False, "svg.hashsalt": "harness",  # the same study gives the same file
    "pdf.fonttype": 42,  # conferences refuse Matplotlib's usual type 3
}  # fmt: skip


def static_figures(study: Study, folder: Path) -> list[Path]:
    """Write the curves with their bands and the intervals, each as SVG, PDF and PNG (300 dpi).

    Args:
        study: The comparison.
        folder: Made if need be.

    Returns:
        The files: ``curves.*``, where a curve can be drawn, and ``intervals.*``, where there is a value.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_LOOK):
        drawn = {"curves": _curves(study), "intervals": _intervals(study)}
        return [file for name, figure in drawn.items() if figure for file in _saved(figure, folder / name)]


def _saved(figure: Figure, path: Path) -> list[Path]:
    files = [path.with_suffix(f".{kind}") for kind in FORMATS]
    for file in files:
        undated = {"CreationDate": None} if file.suffix == ".pdf" else {"Date": None} if file.suffix == ".svg" else {}
        figure.savefig(file, dpi=DPI, metadata=undated)
    return files


def _curves(study: Study) -> Figure | None:
    """Means over the runs with their bands; nothing where no curve has two points."""
    axis, looks = study.options.measure.axis, styles(study)
    shown = shown_first(study)
    names = [fill(_short(study.rows[number].group.label, 2 * KEYS), KEYS) for number in shown]
    columns = 2 if max(map(len, names)) <= KEYS // 2 - 3 else 1
    lines = sum(name.count("\n") + 1 for name in names) / columns
    figure = Figure((WIDTH, CURVES_HEIGHT + 0.15 * lines), layout="constrained")
    axes = figure.add_subplot()
    last, banded = 0.0, False
    for number, name in zip(shown, names, strict=True):
        found = band(study.rows[number].group.runs, study.metric, axis)
        colour, dash = PALETTE[looks[number][0]], DASHES[looks[number][1]]
        pattern: str | tuple[float, tuple[float, ...]] = (0, dash) if dash else "-"
        marker = "o" if len(found.x) == 1 else None
        axes.plot(found.x, found.mean, color=colour, linestyle=pattern, label=name, marker=marker, markersize=3)
        sure = found.is_sure
        axes.fill_between(found.x[sure], found.low[sure], found.high[sure], color=colour, alpha=0.16, linewidth=0)
        last, banded = max(last, float(found.x.max(initial=0))), banded or bool(sure.any())
    if last <= 0:
        return None
    axes.set(xlabel=axis, ylabel=label(study.metric), xlim=(0, last))
    _said(figure, "mean of the runs" + (", 95 % t interval at each point" if banded else ""))
    figure.legend(loc="outside lower left", ncols=columns, frameon=False, handlelength=3.2)
    return figure


def _intervals(study: Study) -> Figure | None:
    """A row a group: the interval, its middle, and a dot a run; nothing where no run has a value."""
    if not any(np.isfinite(row.values).any() for row in study.rows):
        return None
    names = [fill(_short(row.group.label, 3 * NAMED), NAMED) for row in study.rows]
    heights = [max(2, name.count("\n") + 2) * ROW_HEIGHT for name in names]
    places = np.cumsum(heights) - np.array(heights) / 2
    figure = Figure((WIDTH, sum(heights) + 0.6), layout="constrained")
    axes = figure.add_subplot()
    for row, (look, _), place in zip(study.rows, styles(study), places.tolist(), strict=True):
        _interval(axes, row.interval, row.values[np.isfinite(row.values)], place, PALETTE[look])
    axes.set_yticks(places, names)
    axes.set(ylim=(sum(heights), 0), xlabel=f"{label(study.metric)}, {study.options.measure}")
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    interval = "" if study.statistic == "median" else " with its 95 % interval"
    _said(figure, f"{study.statistic}{interval}, a dot a run")
    return figure


def _interval(axes: Axes, interval: Interval | None, values: np.ndarray, place: float, colour: str) -> None:
    """The bar, the tick and the dots of one row; a single run has no bar."""
    if interval is not None:
        if np.isfinite(interval.low):
            ends = [interval.low, interval.high]
            axes.plot(ends, [place, place], color=colour, linewidth=4, alpha=0.35, solid_capstyle="butt")
        axes.plot([interval.estimate], [place], "|", color=colour, markersize=9, markeredgewidth=1.6)
    axes.plot(values, np.full(len(values), place), "o", color=colour, markersize=3, markeredgewidth=0, alpha=0.75)


def _said(figure: Figure, text: str) -> None:
    """What is drawn, above it."""
    figure.suptitle(text, x=0.02, ha="left", color="#555b66", fontsize=6.5)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
