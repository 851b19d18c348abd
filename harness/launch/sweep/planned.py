"""Composes and checks points that share what has to be composed; the work of one process of several."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from harness.check.find import find_problems
from harness.config.compose import resolved_tree
from harness.config.fingerprint import fingerprint
from harness.config.origins import Origins
from harness.config.variants import Variants, values_in
from harness.errors import ConfigurationError
from harness.launch.sweep.points import Point

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class Planned:
    """A point and what became of it.

    Attributes:
        point: The point.
        run_id: Its folder in the sweep.
        problems: Why it cannot run.
        seed, fingerprint: What makes it the same experiment as another.
        packed: Its resolved configuration as YAML, compressed: thousands of them are kept at once.
    """

    point: Point
    run_id: str
    problems: tuple[str, ...] = ()
    seed: int = 0
    fingerprint: str = ""
    packed: bytes = field(default=b"", repr=False)

    @property
    def record(self) -> str:
        """The resolved configuration as YAML."""
        return zlib.decompress(self.packed).decode()


def plan_alike(points: Sequence[Planned], sweep: Path) -> list[Planned]:
    """Compose once, then check and resolve each.

    Args:
        points: Points that have the same `harness.config.variants.frame`, not planned yet.
        sweep: The folder that will hold their runs.
    """
    shared: Variants | None = None
    done = []
    for each in points:
        try:
            shared = shared or Variants(each.point.words, each.point.differs)
            done.append(_plan(shared, each, sweep))
        except ConfigurationError as error:
            done.append(replace(each, problems=(str(error),)))
    return done


def _plan(variants: Variants, each: Planned, sweep: Path) -> Planned:
    with variants.at(each.point.words, each.point.differs) as (config, origins):
        return plan_composed(config, origins, each, sweep)


def plan_composed(config: DictConfig, origins: Origins, each: Planned, sweep: Path) -> Planned:
    """Check and resolve what a point composes to, at its place in the sweep's folder.

    Raises:
        ConfigurationError: It does not resolve.
    """
    place = {"run_id": each.run_id, "run_dir": str(sweep / each.run_id)}
    with values_in(config, place):
        tree = resolved_tree(config)
        found = find_problems(config, each.point.words, origins, tree)
    if problems := tuple(str(problem) for problem in found if not problem.warning):
        return replace(each, problems=problems)
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(tree, Dumper=dumper, sort_keys=False, width=1000, allow_unicode=True)
    return replace(each, seed=int(tree["seed"]), fingerprint=fingerprint(tree), packed=zlib.compress(text.encode()))
