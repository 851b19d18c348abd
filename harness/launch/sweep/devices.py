"""This machine's GPUs, shared out among the runs of a sweep that run at the same time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from harness.config.detect import detect_device, visible_gpus
from harness.errors import ConfigurationError

VISIBLE = "CUDA_VISIBLE_DEVICES"


def shares(cluster: Mapping[str, Any]) -> list[dict[str, str]]:
    """Variables for each of the runs that run at once, which then see disjoint GPUs; nothing on a CPU.

    Args:
        cluster: The sweep's section ``cluster``, resolved.

    Raises:
        ConfigurationError: Together they need more GPUs than there are.
    """
    runs, each = int(cluster.get("at_once") or 1), int(cluster.get("gpus_per_node") or 0)
    if runs == 1 or not each or detect_device() != "cuda":
        return [{} for _ in range(runs)]
    there = _visible()
    if runs * each > len(there):
        fitting = [f"cluster.gpus_per_node={len(there) // runs}"] if len(there) >= runs else []
        fitting += [f"cluster.at_once={len(there) // each}"] if len(there) >= each else []
        raise ConfigurationError(
            f"cluster.at_once={runs} runs of cluster.gpus_per_node={each} need {runs * each} GPUs; this machine has "
            f"{len(there)}.",
            f"Set {' or '.join(fitting)}." if fitting else "",
        )
    return [{VISIBLE: ",".join(there[number * each : (number + 1) * each])} for number in range(runs)]


def _visible() -> list[str]:
    given = os.environ.get(VISIBLE)
    names = [str(number) for number in range(visible_gpus())] if given is None else given.split(",")
    return [name.strip() for name in names if name.strip() not in ("", "-1")]
