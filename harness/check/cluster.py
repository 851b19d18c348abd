"""The section ``cluster``: what the launchers read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.problem import Problem
from harness.check.values import lookup
from harness.config.durations import minutes
from harness.errors import ConfigurationError

LAUNCHERS = ("local", "slurm", "debug")
ON_HANG = ("fail", "retry", "warn")
START_MINUTES = 3  # a warning that comes before a run has loaded its model and done a step only makes it start again
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
    yield from _watchdog(tree, cluster)
    if not isinstance(cluster.get("fork_workers", True), bool):
        yield _wrong(tree, "fork_workers", "true or false is needed")
    if launcher == "slurm":
        yield from _slurm(tree, cluster)


def _is_number(value: Any, least: int, whole: bool) -> bool:
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and value >= least


def _wrong(tree: Mapping[str, Any], name: str, what: str, remedy: str = "") -> Problem:
    value = lookup(tree, f"cluster.{name}")
    return Problem("cluster", f"cluster.{name}", f"cluster.{name}={value}: {what}.", remedy, value)


def _watchdog(tree: Mapping[str, Any], cluster: Mapping[str, Any]) -> Iterator[Problem]:
    watchdog = cluster.get("watchdog")
    if watchdog is None:
        return
    if not isinstance(watchdog, Mapping):
        yield _wrong(tree, "watchdog", "a section is needed, or null for no watchdog")
        return
    minutes, factor, on_hang = (watchdog.get(name) for name in ("minutes", "factor", "on_hang"))
    if minutes is not None and (not _is_number(minutes, 0, whole=False) or minutes == 0):
        yield _wrong(tree, "watchdog.minutes", "a number above 0 is needed, or null for no watchdog")
    if not _is_number(factor, 1, whole=False):
        yield _wrong(tree, "watchdog.factor", "a number of 1 or more is needed")
    if on_hang not in ON_HANG:
        yield _wrong(tree, "watchdog.on_hang", f"does not exist; there are {', '.join(ON_HANG)}")
    elif on_hang == "retry" and not cluster.get("requeues"):
        what = "a run that hangs would not be started again, as cluster.requeues is 0"
        yield _wrong(tree, "watchdog.on_hang", what, "Set cluster.requeues to how often it may be.")


def _slurm(tree: Mapping[str, Any], cluster: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _time(tree, cluster)
    for name, example in (("setup", "[module load cuda]"), ("extra", "['--exclude=node7']")):
        if not isinstance(given := cluster.get(name), list) or not all(isinstance(each, str) for each in given):
            yield _wrong(tree, name, f"a list of texts is needed, such as {example}")
        elif name == "extra" and (bad := [each for each in given if not each.startswith("--")]):
            yield _wrong(tree, name, f"{bad[0]!r} is no option of sbatch; they begin with --")
    yield from _nodes(tree, cluster)
    gpus, device = cluster.get("gpus_per_node"), lookup(tree, "trainer.device")
    if gpus == 0 and device != "cpu":
        what = f"with trainer.device={device} no GPU would be asked for"
        yield _wrong(tree, "gpus_per_node", what, "Ask for some, or add device=cpu rollout=builtin.")
    if isinstance(gpus, int) and gpus > 0 and device == "cpu":
        what = "with trainer.device=cpu, GPUs would be booked and not used"
        yield _wrong(tree, "gpus_per_node", what, "Set cluster.gpus_per_node=0.")


def _time(tree: Mapping[str, Any], cluster: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        limit = minutes(cluster.get("time"))
    except ConfigurationError as error:
        yield Problem("cluster", "cluster.time", error.message, error.remedy, cluster.get("time"))
        return
    grace = cluster.get("grace_seconds")
    if isinstance(grace, int) and limit * 60 < grace + START_MINUTES * 60:
        what = f"of {limit} minutes, cluster.grace_seconds={grace} leave less than {START_MINUTES} to train in"
        least = START_MINUTES + -(-grace // 60)
        yield _wrong(tree, "time", what, f"Set cluster.time to {least} or more, or a shorter cluster.grace_seconds.")


def _nodes(tree: Mapping[str, Any], cluster: Mapping[str, Any]) -> Iterator[Problem]:
    """What verl is told of the machines, against what Slurm is asked for."""
    booked, used = cluster.get("nodes"), lookup(tree, "trainer.nnodes")
    if not (_is_number(booked, 1, whole=True) and _is_number(used, 1, whole=True)):
        return  # told elsewhere
    apart = lookup(tree, "trainer.v1.trainer_mode") == "separate_async"
    others = lookup(tree, "actor_rollout_ref.rollout.nnodes")
    others = others if apart and _is_number(others, 0, whole=True) else 0
    if not used <= booked <= used + others:
        what = f"trainer.nnodes={used}: Slurm is asked for cluster.nodes={booked}."
        remedy = "Leave it out: it follows cluster.nodes."
        if apart and used < booked:
            remedy = f"trainer.nnodes and actor_rollout_ref.rollout.nnodes={others} have to make {booked} together."
        yield Problem("cluster", "trainer.nnodes", what, remedy, used)
    gpus, slots = cluster.get("gpus_per_node"), lookup(tree, "trainer.n_gpus_per_node")
    if _is_number(gpus, 1, whole=True) and _is_number(slots, 1, whole=True) and slots > gpus:
        what = f"trainer.n_gpus_per_node={slots}: Slurm is asked for cluster.gpus_per_node={gpus}."
        yield Problem("cluster", "trainer.n_gpus_per_node", what, "Leave it out: it follows that.", slots)
