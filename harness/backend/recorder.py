"""The training process's side of the record: stages and metrics, written where they happen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.metrics import MetricsWriter
from harness.records.run_folder import RunFolder
from harness.records.stages import StageLog

if TYPE_CHECKING:
    from harness.backend.node_loads import NodeLoads


class Recorder:
    """Writes ``metrics.jsonl`` and ``stages.jsonl`` of a run.

    Args:
        run_dir: The run's folder.
    """

    def __init__(self, run_dir: Path) -> None:
        self.folder = folder = RunFolder(run_dir)
        self.metrics = MetricsWriter(folder.metrics)
        self.stages = StageLog(folder.stages)
        self.current = ""

    def stage(self, name: str, step: int = 0) -> None:
        """Note that the run now does ``name``."""
        if name != self.current or step:
            self.current = name
            self.stages.enter(name, step)

    def resumed(self, step: int, total: int) -> None:
        """Note the step the training starts from."""
        self.stage(f"resuming from step {step} of {total}" if step else "starting from the model's weights", step)

    def wrap(self, tracking: Any, loads: NodeLoads | None = None) -> Any:
        """verl's tracker, called after the metrics have been recorded here, with the load of the run's nodes."""
        return _RecordingTracking(tracking, self.metrics, loads)


class _RecordingTracking:
    """verl's `Tracking` with the run folder in front: what a tracker does can never lose a metric."""

    def __init__(self, tracking: Any, writer: MetricsWriter, loads: NodeLoads | None) -> None:
        self.tracking = tracking
        self.writer = writer
        self.loads = loads

    def log(self, data: Mapping[str, Any], step: int, backend: str | None = None) -> None:
        """Record one step's metrics, then hand them to verl's trackers."""
        if self.loads and not all(name.startswith("val-") for name in data):  # a step, and no mere validation
            data = {**data, **self.loads.latest()}
        self.writer.write(step, {name: value for name, value in data.items() if not isinstance(value, Mapping)})
        self.tracking.log(data=data, step=step, backend=backend)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tracking, name)
