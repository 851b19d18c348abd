"""The quick starts' reward in verl's own signature, for the bare-verl side of the benchmarks."""

from harness.rewards.reasoning_gym import score_answer


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    """Score one response; see `harness.rewards.reasoning_gym`."""
    return score_answer("", solution_str, data_source=data_source, ground_truth=ground_truth, extra_info=extra_info)
