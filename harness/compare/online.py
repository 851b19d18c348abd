"""Runs of W&B's as those of a folder: ``entity/project``, or one group of it.

verl logs its whole configuration and its metrics by training step, so that a run of any verl script can be compared.
The harness's own runs also say, under ``harness``, what made them. What W&B does not hold, such as the samples of
validations, is missing from a run.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.compare.columns import Columns, columns_of
from harness.compare.run_data import RunData, Settings
from harness.compare.targets import WANDB
from harness.errors import ConfigurationError
from harness.records.state import State, Status
from harness.tracking.key import missing_to_client
from harness.tracking.service import end_with_this_process

if TYPE_CHECKING:
    import numpy as np
    from wandb.apis.public import Run

STATES: dict[str, State] = {
    "finished": "done", "running": "running", "pending": "pending", "crashed": "failed", "failed": "failed",
    "killed": "cancelled", "preempting": "preempted", "preempted": "preempted",
}  # fmt: skip
OWN = "harness"  # where the harness puts what made a run
RUNTIME = "_runtime"  # seconds since the run's start; a resumed run goes on from where it was
NONFINITE = frozenset({"NaN", "Infinity", "-Infinity"})
A_PAGE = 50  # with their configurations
AT_ONCE = 8  # histories that are asked for side by side
TIMEOUT_SECONDS = 30


def load_online(place: str, only: Collection[str] | None = None) -> list[RunData]:
    """The runs of a project or group, the oldest first.

    Args:
        place: ``entity/project`` or ``entity/project/group``.
        only: Names of metrics to keep; None keeps all.

    Raises:
        ConfigurationError: It names no project, W&B cannot be reached or has no key for it, or there are no runs.
    """
    entity, project, group = _parts(place)
    runs = _asked(place, lambda api: list(_runs(api, entity, project, group)))
    if not runs:
        raise ConfigurationError(f"{WANDB}{place} holds no run.", f"Look at {WANDB}{entity}/{project} for its groups.")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return _asked(place, lambda _: list(pool.map(partial(_loaded, entity, project, only), runs)))


def _parts(place: str) -> tuple[str, str, str]:
    parts = place.split("/", 2)
    if len(parts) < 2 or not all(parts):
        raise ConfigurationError(
            f"{WANDB}{place} names no project.", f"Write {WANDB}entity/project or {WANDB}entity/project/group."
        )
    return parts[0], parts[1], parts[2] if len(parts) > 2 else ""


def _asked(place: str, question: Callable[[Any], list[Any]]) -> list[Any]:
    """The answer of W&B's.

    Raises:
        ConfigurationError: There is none.
    """
    import wandb  # 0.8 s, and most comparisons do without

    end_with_this_process()
    if why := missing_to_client():  # or the client would ask a person for it
        raise ConfigurationError(f"{WANDB}{place}: {why}.", "Run `wandb login`, or set WANDB_API_KEY.")
    try:
        return question(wandb.Api(timeout=TIMEOUT_SECONDS))
    except (wandb.Error, ValueError, OSError) as error:
        said = str(error).strip().partition("\n")[0].rstrip(".")
        raise ConfigurationError(
            f"{WANDB}{place}: W&B does not give its runs: {said}.",
            "Look at the names, at `wandb login` (or WANDB_API_KEY), and at WANDB_BASE_URL for a server of one's own.",
        ) from error


def _runs(api: Any, entity: str, project: str, group: str) -> Iterator[Run]:
    filters = {"group": group} if group else {}
    yield from api.runs(f"{entity}/{project}", filters=filters, per_page=A_PAGE, lazy=False)


def _loaded(entity: str, project: str, only: Collection[str] | None, run: Run) -> RunData:
    config = dict(run.config)
    about = _about(config, run.commit)
    columns, times = _history(run)
    data = config.get("data")
    seed = config.get("seed", data.get("seed") if isinstance(data, dict) else None)
    started, seen = _moment(run.created_at), _moment(getattr(run, "heartbeat_at", None))
    state = STATES.get(run.state, "failed")
    status = Status(state, step=int(columns.steps[-1]) if len(columns.steps) else 0, started=started, run_id=run.id,
                    ended=None if state in ("running", "pending") else seen, heartbeat=seen)  # fmt: skip
    kept = {name: row for name, row in zip(columns.names, columns.values, strict=True) if only is None or name in only}
    summary = run.summary_metrics.get(RUNTIME) if isinstance(run.summary_metrics, dict) else None
    return RunData(
        where=f"{WANDB}{entity}/{project}/{run.id}",
        run_id=run.id,
        name=run.name or run.id,
        label="",
        seed=int(seed) if isinstance(seed, int | float) else None,
        words=tuple(word for word in _command(about) if "=" in word and not word.startswith("-")),
        provenance=about,
        status=status,
        steps=columns.steps,
        times=times,
        metrics=kept,
        undefined=columns.undefined,
        seconds=float(summary if isinstance(summary, int | float) else times[-1] if len(times) else 0.0),
        settings=Settings(config, str(about.get("fingerprint") or run.id)),
        config_reader=lambda: config,
        problems=() if config else ("W&B has no configuration of it",),
    )


def _about(config: dict[str, Any], commit: str | None) -> dict[str, Any]:
    """What made a run, taken out of its configuration: it decides nothing."""
    own = config.pop(OWN, None)
    if isinstance(own, dict):
        return own
    return {"code": {"commit": commit}} if commit else {}


def _command(about: dict[str, Any]) -> list[str]:
    try:
        return shlex.split(about.get("command") or "")
    except ValueError:
        return []


def _history(run: Run) -> tuple[Columns, np.ndarray]:
    """Its metrics, and the seconds that it had worked at each step."""
    rows = [
        {"step": int(row["_step"]), "time": row.get("_timestamp"), "metrics": dict(_numbers(row))}
        for row in run.scan_history()
        if "_step" in row
    ]
    columns = columns_of(rows)
    place = columns.names.index(RUNTIME) if RUNTIME in columns.names else None
    times = columns.values[place] if place is not None else columns.moments - columns.moments[:1]
    names = [index for index, name in enumerate(columns.names) if name != RUNTIME]
    values = columns.values[names]
    values.setflags(write=False)
    return replace(columns, names=tuple(columns.names[index] for index in names), values=values), times


def _numbers(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Metrics without W&B's own keys and without tables, pictures and texts."""
    for name, value in row.items():
        is_number = isinstance(value, int | float) or (isinstance(value, str) and value in NONFINITE)
        if is_number and (name == RUNTIME or not name.startswith("_")):
            yield name, float(value)


def _moment(text: str | None) -> str | None:
    """W&B's times are in UTC and do not say so."""
    return None if not text else text if text.endswith(("Z", "+00:00")) else f"{text}+00:00"
