"""Statistics over groups of rows, the responses to one prompt, without a loop over groups."""

from __future__ import annotations

import numpy as np
import torch


class Groups:
    """Rows by group.

    Args:
        index: (N,), the group of each row as an integer; groups need not be contiguous or of one size.
    """

    def __init__(self, index: np.ndarray | torch.Tensor) -> None:
        labels = torch.as_tensor(np.asarray(index))
        self.of_row = torch.unique(labels, return_inverse=True)[1]
        self.sizes = torch.bincount(self.of_row)

    def sum(self, values_N: torch.Tensor) -> torch.Tensor:
        """(groups,) sums."""
        return torch.zeros(len(self.sizes), dtype=values_N.dtype).index_add_(0, self.of_row, values_N)

    def mean(self, values_N: torch.Tensor) -> torch.Tensor:
        """(groups,) means."""
        return self.sum(values_N) / self.sizes

    def std(self, values_N: torch.Tensor) -> torch.Tensor:
        """(groups,) unbiased standard deviations; 0 in a group of one."""
        centred = values_N - self.spread(self.mean(values_N))
        return (self.sum(centred.square()) / (self.sizes - 1).clamp(min=1)).sqrt()

    def range(self, values_N: torch.Tensor) -> torch.Tensor:
        """(groups,) differences between the largest and the smallest value."""
        empty_G = torch.zeros(len(self.sizes), dtype=values_N.dtype)
        most_G, least_G = (
            empty_G.scatter_reduce(0, self.of_row, values_N, which, include_self=False) for which in ("amax", "amin")
        )
        return most_G - least_G

    def spread(self, values_G: torch.Tensor) -> torch.Tensor:
        """(N,), each row's group's value."""
        return values_G[self.of_row]

    @property
    def alone(self) -> torch.Tensor:
        """(N,), whether a row is the only one of its group."""
        return self.spread(self.sizes) == 1
