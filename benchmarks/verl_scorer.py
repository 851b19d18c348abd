"""The configured reward function in verl's own signature, for the bare-verl side of the benchmarks."""

import json
import os

from harness.components.instantiate import instantiate

function = instantiate(json.loads(os.environ["BENCHMARK_REWARD"]), "reward_fn")


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    """Score one response."""
    return function("", solution_str, ground_truth=ground_truth, extra_info=extra_info)
