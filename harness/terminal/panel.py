"""The live panel of a training: a pure function from progress to what Rich draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.records.quantities import ENTROPY, KL_TO_REFERENCE, RESPONSE_LENGTH, number, tokens_per_second
from harness.terminal import text

if TYPE_CHECKING:
    from rich.spinner import Spinner

    from harness.terminal.progress import Progress

_LABEL, _QUIET, _STRONG = "grey62", "grey50", "bold"


def starting(progress: Progress, spinner: Spinner) -> RenderableType:
    """The line before the first step: the stage and how long it has been going on."""
    spinner.update(text=Text.assemble(f" {progress.stage}  ", (text.seconds(progress.in_stage), _QUIET)))
    return spinner


def training(progress: Progress, title: str) -> RenderableType:
    """The panel from the first step on."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style=_LABEL, no_wrap=True)
    rows.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for label, value in _rows(progress):
        rows.add_row(label, value)
    now = Text.assemble((progress.stage or "training", _QUIET), ("  " + text.seconds(progress.in_stage), _QUIET))
    return Panel(
        Group(_bar(progress), Text(), rows),
        title=Text(title, style=_STRONG),
        title_align="left",
        subtitle=now,
        subtitle_align="right",
        border_style="cyan",
        padding=(0, 1),
    )


def _bar(progress: Progress) -> RenderableType:
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_column(no_wrap=True, justify="right")
    left = "–" if progress.remaining is None else text.seconds(progress.remaining)
    line.add_row(
        Text.assemble(("step ", _LABEL), (progress.position.strip(), _STRONG)),
        ProgressBar(total=progress.total_steps or None, completed=progress.step, complete_style="cyan", pulse=False),
        Text.assemble(text.seconds(progress.elapsed), (" elapsed · ", _LABEL), left, (" left", _LABEL)),
    )
    return line


def _rows(progress: Progress) -> list[tuple[str, Text]]:
    rows = [("reward", _reward(progress))]
    if progress.validation:
        rows.append(("validation", _validation(progress)))
    rows.append(("response", _response(progress)))
    rows.append(("speed", _speed(progress)))
    return rows


def _reward(progress: Progress) -> Text:
    rewards = progress.rewards
    if not rewards:
        return Text("–")
    return Text.assemble(
        (text.number(rewards[-1]), _STRONG),
        ("  ", ""),
        (text.sparkline(rewards), "cyan"),
        (f"  best {text.number(max(rewards))}", _QUIET),
    )


def _validation(progress: Progress) -> Text:
    (first_step, first), (last_step, last) = progress.validation[0], progress.validation[-1]
    if len(progress.validation) == 1:
        return Text.assemble((text.number(last), _STRONG), (f"  at step {last_step}", _QUIET))
    gain = last - first
    return Text.assemble(
        (text.number(last), _STRONG),
        (f"  at step {last_step}, ", _QUIET),
        (text.signed(gain), "green" if gain > 0 else "red" if gain < 0 else ""),
        (f" from {text.number(first)} at step {first_step}", _QUIET),
    )


def _response(progress: Progress) -> Text:
    parts = [f"{_value(progress, RESPONSE_LENGTH, 1)} tokens"]
    if number(progress.latest, ENTROPY) is not None:
        parts.append(f"entropy {_value(progress, ENTROPY)}")
    if number(progress.latest, KL_TO_REFERENCE) is not None:
        parts.append(f"KL {_value(progress, KL_TO_REFERENCE, 4)}")
    return _joined(parts)


def _speed(progress: Progress) -> Text:
    parts = []
    if progress.step_seconds is not None:
        parts.append(f"{text.seconds(progress.step_seconds)} a step")
    rate = tokens_per_second(progress.latest)
    if rate is not None:
        parts.append(f"{rate:,.0f} tokens/s")
    return _joined(parts or ["–"])


def _value(progress: Progress, names: tuple[str, ...], digits: int = 3) -> str:
    return text.number(number(progress.latest, names), digits)


def _joined(parts: list[str]) -> Text:
    return Text(" · ", style=_LABEL).join(Text(part, style="default") for part in parts)
