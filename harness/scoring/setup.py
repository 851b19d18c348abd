"""What a scoring process is told: which manager and functions to build, and the limits of a sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import ConfigurationError

POLICIES = ("zero", "drop", "stop")
GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Limits:
    """The section ``scoring`` of the configuration.

    Attributes:
        timeout_seconds: Longest time a response may take to be scored.
        batch_timeout_seconds: The same for what a manager of whole batches does itself, between the functions' calls.
        memory_gb: What scoring may allocate beyond what the functions hold when they are loaded.
        processes: Scoring processes of each reward worker (``reward.num_workers``).
        on_error: ``zero``: the response gets ``score``; ``drop``: its whole group is left out of the step; ``stop``:
            the run ends.
        score: The reward of a response that could not be scored.
    """

    timeout_seconds: float = 30.0
    batch_timeout_seconds: float = 600.0
    memory_gb: float = 4.0
    processes: int = 1
    on_error: str = "zero"
    score: float = 0.0

    def __post_init__(self) -> None:
        if self.on_error not in POLICIES:
            raise ConfigurationError(
                f"scoring.on_error={self.on_error!r} is not known.", f"Choose one of {', '.join(POLICIES)}."
            )
        for name in ("timeout_seconds", "batch_timeout_seconds", "memory_gb", "processes", "score"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ConfigurationError(f"scoring.{name}={value}: a finite number is needed.")
            if name != "score" and value <= 0:
                raise ConfigurationError(f"scoring.{name}={value}: more than 0 is needed.")
        if not isinstance(self.processes, int):
            raise ConfigurationError(f"scoring.processes={self.processes}: a whole number is needed.")


@dataclass(frozen=True)
class Setup:
    """Everything a scoring process needs to build its manager.

    Attributes:
        functions: The nodes of ``reward_fn``, each with a ``_target_``.
        manager: The node ``reward_manager``; empty for one sample at a time.
        trusted: Prefixes the user trusts.
        memory_bytes: See `Limits.memory_gb`.
        search_path: Where modules are looked for.
        supplied: Parameters given to managers that name them, beside ``functions``.
        apart: Whether functions are held for a manager in another process, to be called one by one.
        remote: Functions that another process holds, and the parameters of each (None: any); None where this one does.
    """

    functions: Mapping[str, Mapping[str, Any]]
    manager: Mapping[str, Any] = field(default_factory=dict)
    trusted: Sequence[str] = ()
    memory_bytes: int = 4 * GIGABYTE
    search_path: Sequence[str] = ()
    supplied: Mapping[str, Any] = field(default_factory=dict)
    apart: bool = False
    remote: Mapping[str, frozenset[str] | None] | None = None
