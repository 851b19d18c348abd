"""``tracking.json``: how far W&B has been told of a run, and why not further."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from harness.records.atomic import write_json

if TYPE_CHECKING:
    from harness.records.run_folder import RunFolder

FILE = "tracking.json"


@dataclass(frozen=True)
class TrackingState:
    """What is known.

    Attributes:
        id: The run's id in W&B.
        mode: ``online`` where W&B was reached, else ``offline``.
        told_step: The last step that the client has been given; -1 for none.
        uploaded: Whether W&B has all of it, as far as its client says.
        url: The run's page.
        why: Why it is kept here.
        folders: The client's own records, below ``wandb/``, in order; those before the last one are earlier starts.
        left_out: What of the record W&B does not get, and why.
    """

    id: str = ""
    mode: Literal["online", "offline"] = "offline"
    told_step: int = -1
    uploaded: bool = False
    url: str = ""
    why: str = ""
    folders: tuple[str, ...] = ()
    left_out: str = ""


def read_tracking(run: RunFolder) -> TrackingState:
    """The state; an empty one where W&B has not been told anything."""
    try:
        values = json.loads((run.path / FILE).read_bytes())
        return TrackingState(**{**values, "folders": tuple(values.get("folders", ()))})
    except (OSError, ValueError, TypeError):
        return TrackingState()


def write_tracking(run: RunFolder, state: TrackingState) -> None:
    """Replace it."""
    write_json(run.path / FILE, asdict(state))
