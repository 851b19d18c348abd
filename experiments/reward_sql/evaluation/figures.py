"""What k responses to a prompt are good for: at least one right (pass@k), and the one that the step scores choose.

Both are means over every choice of k out of the n responses there are, so that none is favoured by its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb, prod

# how the scores of a response's steps become one: the published names
STRATEGIES: dict[str, Callable[[Sequence[float]], float]] = {
    "average": lambda scores: sum(scores) / len(scores),
    "min": min,
    "product": prod,
    "last_step": lambda scores: scores[-1],
}


def pass_at(right: Sequence[bool], k: int) -> float:
    """The share of choices of k responses that hold a right one (arXiv:2107.03374).

    Args:
        right: Whether each response is right; at least k of them.
        k: How many are chosen.
    """
    wrong = len(right) - sum(right)
    return 1.0 - comb(wrong, k) / comb(len(right), k)


def best_of(right: Sequence[bool], scores: Sequence[float], k: int) -> float:
    """The share of choices of k responses whose best-scored one is right; those of equal score share.

    Args:
        right: Whether each response is right; at least k of them.
        scores: The score of each.
        k: How many are chosen.
    """
    total = 0.0
    for score in set(scores):
        below = sum(other < score for other in scores)
        equal = [is_right for is_right, other in zip(right, scores, strict=True) if other == score]
        choices = comb(below + len(equal), k) - comb(below, k)
        total += choices * sum(equal) / len(equal)
    return total / comb(len(right), k)


def ks(samples: int) -> list[int]:
    """1, 2, 4, … up to the number of responses, and that number."""
    found = [1]
    while found[-1] * 2 <= samples:
        found.append(found[-1] * 2)
    return found if found[-1] == samples else [*found, samples]
