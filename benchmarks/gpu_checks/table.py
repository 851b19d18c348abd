"""The table of a check: every part that there is, with what it has shown, or that this is unproven."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tables import table

LONGEST = 200  # characters of a failure's message
Row = tuple[str, str]


def gpu_table(record: Mapping[str, Any]) -> str:
    """In Markdown, a row or more for each part.

    Args:
        record: What `gpu_checks.record` writes.
    """
    rows = [row for part in ROWS for row in _rows(part, record["parts"].get(part))]
    untried = [(name, "unproven: no part of this check") for name in UNTRIED]
    return table(["part", "seen"], [*rows, *untried])


def _rows(part: str, seen: Mapping[str, Any] | None) -> Iterator[Row]:
    title, rows = ROWS[part]
    if seen is None:
        yield title, "unproven: not run"
    elif "failed" in seen:
        yield title, f"failed: {_line(seen['failed'])}"
    elif "not run" in seen or "ended" in seen:
        yield title, f"unproven: {_line(seen.get('not run') or seen['ended'])}"
    else:
        yield from rows(title, seen)


def _doctor(title: str, seen: Mapping[str, Any]) -> Iterator[Row]:
    yield title, ("nothing to mend" if seen["nothing to mend"] else "something to mend") + _note(seen)


def _attention(title: str, seen: Mapping[str, Any]) -> Iterator[Row]:
    errors = f"relative error {seen['error of output']:.4f}, of gradients {seen['largest error of gradients']:.4f}"
    times = ""
    if "packed ms" in seen:
        times = f"{seen['packed ms']:.2f} ms, SDPA with a mask {seen['sdpa with a mask ms']:.2f} ms; "
    yield title, times + errors + _note(seen)


def _learn(title: str, seen: Mapping[str, Any]) -> Iterator[Row]:
    yield title, f"killed after step {seen['killed after step']}" + _note(seen)


def _training(title: str, seen: Mapping[str, Any]) -> Iterator[Row]:
    accuracy = ", ".join(f"{value:.2f} at step {step}" for step, value in seen["accuracy"].items())
    resumed = f"; resumed after step {seen['steps before']}" if "steps before" in seen else ""
    several = f" on {seen['GPUs']} GPUs" if "GPUs" in seen else ""
    ratio = _ratio(seen, "{:.2f} × one GPU's")
    steps = ", ".join(f"{name} {_number(value, '.2f')}" for name, value in seen["seconds of a step"].items())
    memory = _number(seen["GPU memory, GiB"], ".1f", " GiB")
    difference = _number(seen["probability, trainer - rollout"], ".4f")
    yield title, f"held out{several}: {accuracy}{resumed}"
    yield f"{title}: seconds of a step", steps + ratio + _note(seen)
    yield f"{title}: tokens a second, memory", f"{_number(seen['tokens a second'], '.0f')}, {memory}"
    yield f"{title}: MFU of the update", _number(seen["MFU of the update"], ".2%")
    yield f"{title}: probability of a token, trainer − rollout", difference


def _bare(title: str, seen: Mapping[str, Any]) -> Iterator[Row]:
    yield (
        title,
        f"a step {seen['bare verl']['step']:.2f} s{_ratio(seen, 'the harness takes {:.2f} × that')}" + _note(seen),
    )


def _algorithms(title: str, seen: Mapping[str, Any]) -> Iterator[Row]:
    yield title, f"done: {', '.join(seen['done'])}" + _note(seen)


ROWS: dict[str, tuple[str, Callable[[str, Mapping[str, Any]], Iterator[Row]]]] = {
    "doctor": ("`harness doctor`", _doctor),
    "attention": ("packed attention", _attention),
    "learn": ("learn, SIGKILL", _learn),
    "resume": ("resume", _training),
    "several": ("several GPUs", _training),
    "vllm": ("`rollout=vllm`", _training),
    "bare": ("bare verl beside it", _bare),
    "algorithms": ("two steps of every algorithm", _algorithms),
}
UNTRIED = ("Megatron", "several nodes")


def _number(value: float | None, how: str, unit: str = "") -> str:
    return "–" if value is None else f"{value:{how}}{unit}"


def _ratio(seen: Mapping[str, Any], how: str) -> str:
    ratio = seen.get("ratio of a step")
    return "" if ratio is None else f"; {how.format(ratio)}"


def _note(seen: Mapping[str, Any]) -> str:
    return f" ({seen['note']})" if "note" in seen else ""


def _line(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
