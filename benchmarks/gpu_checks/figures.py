"""What a finished training has reached, and where the time of a step goes."""

from __future__ import annotations

import statistics
from typing import Any

from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder
from harness.records.status import read_status

PARTS_OF_A_STEP = ("gen", "old_log_prob", "adv", "update_actor", "update_weights", "step")


def last_step(run: RunFolder) -> int:
    """The last step on record; -1 before the first validation."""
    return max((record.step for record in read_metrics(run.metrics)), default=-1)


def figures(run: RunFolder, least_rise: float, after: int) -> dict[str, Any]:
    """Held-out accuracy and the medians of the later steps, in seconds, GiB and shares of 1; None for what verl did not say.

    Args:
        run: The run.
        least_rise: Of the accuracy, from the first validation to the last.
        after: The last step that is left out of the medians.

    Raises:
        RuntimeError: The run is not done, was never validated, or learned less than that.
    """
    records = read_metrics(run.metrics)
    accuracy = {
        record.step: statistics.mean(values)
        for record in records
        if (values := [value for name, value in record.metrics.items() if name.startswith("val-core/")])
    }
    state = read_status(run.path).state
    if state != "done" or not accuracy:
        raise RuntimeError(f"the run is {state}, with {len(accuracy)} validations: see {run.log}")
    if (rise := accuracy[max(accuracy)] - accuracy[min(accuracy)]) < least_rise:
        raise RuntimeError(f"accuracy rose by {rise:.2f}, and not by {least_rise:.2f}: see {run.path}")
    late = [record.metrics for record in records if record.step > after]

    def median(name: str) -> float | None:
        values = [metrics[name] for metrics in late if name in metrics]
        return statistics.median(values) if values else None

    return {
        "accuracy": {str(step): value for step, value in accuracy.items()},
        "seconds of a step": {name: median(f"timing_s/{name}") for name in PARTS_OF_A_STEP},
        "tokens a second": median("perf/throughput"),
        "GPU memory, GiB": median("actor/perf/max_memory_allocated_gb"),
        "MFU of the update": median("perf/mfu/actor"),
        "probability, trainer - rollout": median("training/rollout_probs_diff_mean"),
    }
