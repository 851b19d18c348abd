"""The configured reward function in verl's own signature, for the bare-verl side of the benchmarks."""

import json
import os
from typing import Any

from harness.components.instantiate import instantiate

function = instantiate(json.loads(os.environ["BENCHMARK_REWARD"]), "reward_fn")


def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: dict[str, Any] | None = None, **_: Any
) -> Any:
    """Score one response."""
    return function("", solution_str, ground_truth=ground_truth, extra_info=extra_info)
