"""The values of a group's runs: what is missing among them, and which runs of two groups belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.errors import ConfigurationError

LEAST_PAIRS = 3


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed.

    Args:
        name: What the group is called in a table.
        values: (N,) one number a run, in the metric's unit; NaN where a run has none.
        seeds: (N,) their seeds, or nothing where they are unknown.
        lost: What became of further runs, which are not among the values: ``{"crashed": 2, "still running": 1}``.
        censored: (N,) of times to a threshold: how far a run was followed that has no value since it never got there,
            NaN elsewhere; or nothing.

    Raises:
        ValueError: Shapes differ, or a value is infinite.
    """

    name: str
    values: np.ndarray
    seeds: Sequence[int] = field(default=())
    lost: Mapping[str, int] = field(default_factory=dict)
    censored: Sequence[float] = field(default=())

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=float)
        for further, what in ((self.seeds, "seeds"), (self.censored, "censored times")):
            if values.ndim != 1 or len(further) not in (0, len(values)):
                raise ValueError(
                    f"{self.name}: values {values.shape} and {len(further)} {what}; want (N,) and N or none."
                )
        if np.isinf(values).any():
            raise ValueError(f"{self.name}: an infinite value. Give NaN where a run has no value.")
        object.__setattr__(self, "values", values)

    @property
    def measured(self) -> np.ndarray:
        """Return the values that there are."""
        return self.values[~np.isnan(self.values)]

    @property
    def missing(self) -> int:
        """Return how many runs have no value and are not censored either."""
        return int(np.isnan(self.values).sum()) - int(np.isfinite(self.censored).sum())

    def by_seed(self) -> dict[int, float] | None:
        """Return the measured values by seed; None where seeds are unknown or one stands twice."""
        if len(self.seeds) == 0 or len(set(self.seeds)) < len(self.seeds):
            return None
        return {seed: float(v) for seed, v in zip(self.seeds, self.values, strict=True) if not np.isnan(v)}


@dataclass(frozen=True)
class Sides:
    """Two groups side by side, without missing values; if paired, row i of both has the same seed."""

    a: np.ndarray
    b: np.ndarray
    paired: bool
    notes: tuple[str, ...] = ()


def sides(a: Group, b: Group, paired: bool | None = None) -> Sides:
    """Put two groups side by side.

    Args:
        a: One group.
        b: The other.
        paired: Whether equal seeds belong together. None: they do if at least three are shared and they are all of the
            smaller group, so that pairing loses runs of the larger one at most. Whether pairs help depends on what a
            seed fixes: where equal seeds end no closer than others, they cost power with few runs.

    Returns:
        Their measured values; the notes say what pairing left out.

    Raises:
        ConfigurationError: Pairs are asked for, and seeds are unknown, repeated or not shared.
    """
    of_a, of_b = a.by_seed(), b.by_seed()
    shared = sorted(of_a.keys() & of_b.keys()) if of_a is not None and of_b is not None else []
    if paired and not shared:
        raise ConfigurationError(
            f"{a.name} and {b.name} cannot be paired: seeds are unknown, repeated or not shared.",
            "Compare them unpaired, or run both with the same seeds.",
        )
    enough = len(shared) >= LEAST_PAIRS and len(shared) == min(len(a.measured), len(b.measured))
    if of_a is None or of_b is None or paired is False or not (paired or enough):
        return Sides(a.measured, b.measured, False)
    left = [f"{g.name}: {more} without a partner left out" for g in (a, b) if (more := len(g.measured) - len(shared))]
    return Sides(np.array([of_a[s] for s in shared]), np.array([of_b[s] for s in shared]), True, tuple(left))


def finite(values: np.ndarray, least: int = 1) -> np.ndarray:
    """Check a sample that has to be complete.

    Args:
        values: (N,).
        least: The smallest N.

    Returns:
        The values as floats.

    Raises:
        ValueError: Another shape, too few values, or NaN or infinity among them: whoever calls decides what becomes of
            a run without a value.
    """
    sample = np.asarray(values, dtype=float)
    if sample.ndim != 1 or len(sample) < least:
        raise ValueError(f"A sample of shape {sample.shape}; want one dimension with at least {least} values.")
    if not np.isfinite(sample).all():
        raise ValueError(
            f"{int((~np.isfinite(sample)).sum())} of {len(sample)} values are not finite. Leave them out first."
        )
    return sample
