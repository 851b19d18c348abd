"""The metrics of a run, of which those that are seldom looked at are read when one of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import numpy as np

from harness.compare.columns import Columns
from harness.compare.reading import Unreadable


class RunMetrics(Mapping[str, np.ndarray]):
    """Name → a value a step.

    Args:
        columns: Those that are at hand, and the names of the others.
        rest: Reads the others.
    """

    def __init__(self, columns: Columns, rest: Callable[[], Columns | Unreadable]) -> None:
        columns.values.setflags(write=False)
        self._steps = columns.steps
        self._at_hand = dict(zip(columns.names, columns.values, strict=True))
        self._others = frozenset(columns.others)
        self._names = (*columns.names, *columns.others)
        self._rest = rest

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._others:
            return self._read[name]
        return self._at_hand[name]

    def __contains__(self, name: object) -> bool:
        return name in self._at_hand or name in self._others

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @cached_property
    def _read(self) -> dict[str, np.ndarray]:
        """The others at the steps that are known: the run may have gone on since, or its file may be gone."""
        found, steps = self._rest(), self._steps
        values = np.full((len(self._others), len(steps)), np.nan)
        names = sorted(self._others)
        if not isinstance(found, Unreadable):
            if np.array_equal(steps, found.steps):
                values, names = found.values, list(found.names)
            else:
                _, here, there = np.intersect1d(steps, found.steps, assume_unique=True, return_indices=True)
                known = dict(zip(found.names, found.values, strict=True))
                for row, name in zip(values, names, strict=True):
                    row[here] = known[name][there] if name in known else np.nan
        values.setflags(write=False)
        return dict(zip(names, values, strict=True))
