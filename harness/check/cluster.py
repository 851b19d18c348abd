"""The section ``cluster``: what the launchers read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.problem import Problem
from harness.check.values import lookup
from harness.config.durations import minutes
from harness.errors import ConfigurationError

LAUNCHERS = ("local", "slurm", "debug")
_LEAST = {"nodes": 1, "gpus_per_node": 0, "cpus_per_node": 1, "memory_gb": 0, "gpu_memory_gb": 0, "at_once": 1,
          "grace_seconds": 1, "requeues": 0}  # fmt: skip
_TEXT = ("partition", "account", "qos", "gpu", "gpu_type", "constraint")


def cluster_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Values that no launcher could use."""
    cluster = lookup(tree, "cluster")
    if not isinstance(cluster, Mapping):
        message = f"cluster={cluster}: a section is needed."
        yield Problem("cluster", "cluster", message, "Choose cluster=local, cluster=slurm or cluster=debug.")
        return
    if (launcher := cluster.get("launcher")) not in LAUNCHERS:
        yield _wrong(tree, "launcher", f"does not exist; there are {', '.join(LAUNCHERS)}")
    for name, least in _LEAST.items():
        if (value := cluster.get(name)) is not None and not _is_number(value, least, whole=not name.endswith("_gb")):
            yield _wrong(tree, name, f"a number of {least} or more is needed")
    for name in _TEXT:
        if not isinstance(cluster.get(name), str | None):
            yield _wrong(tree, name, "a text is needed")
    if launcher == "slurm":
        yield from _slurm(tree, cluster)


def _is_number(value: Any, least: int, whole: bool) -> bool:
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and value >= least


def _wrong(tree: Mapping[str, Any], name: str, what: str, remedy: str = "") -> Problem:
    value = lookup(tree, f"cluster.{name}")
    return Problem("cluster", f"cluster.{name}", f"cluster.{name}={value}: {what}.", remedy, value)


def _slurm(tree: Mapping[str, Any], cluster: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        minutes(cluster.get("time"))
    except ConfigurationError as error:
        yield Problem("cluster", "cluster.time", error.message, error.remedy, cluster.get("time"))
    for name, example in (("setup", "[module load cuda]"), ("extra", "['--exclude=node7']")):
        if not isinstance(given := cluster.get(name), list) or not all(isinstance(each, str) for each in given):
            yield _wrong(tree, name, f"a list of texts is needed, such as {example}")
        elif name == "extra" and (bad := [each for each in given if not each.startswith("--")]):
            yield _wrong(tree, name, f"{bad[0]!r} is no option of sbatch; they begin with --")
    if isinstance(nodes := cluster.get("nodes"), int) and nodes > 1:
        yield _wrong(tree, "nodes", "a run over several nodes cannot be started yet", "Use 1, with more GPUs in it.")
    gpus, device = cluster.get("gpus_per_node"), lookup(tree, "trainer.device")
    if gpus == 0 and device != "cpu":
        what = f"with trainer.device={device} no GPU would be asked for"
        yield _wrong(tree, "gpus_per_node", what, "Ask for some, or add device=cpu rollout=builtin.")
    if isinstance(gpus, int) and gpus > 0 and device == "cpu":
        what = "with trainer.device=cpu, GPUs would be booked and not used"
        yield _wrong(tree, "gpus_per_node", what, "Set cluster.gpus_per_node=0.")
