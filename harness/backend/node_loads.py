"""The load of a run's further nodes among its metrics: ``system/node-1/cpu_percent``.

W&B's client measures the node of the run's driver, the head of the run's Ray cluster. On each other node an actor
measures; a step takes what has arrived since the one before and waits for nothing.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psutil
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

if TYPE_CHECKING:
    from omegaconf import DictConfig

PREFIX = "system"
HEAD = "node:__internal_head__"  # a resource by which Ray marks the head


class NodeLoads:
    """Asks each of some nodes for its load, again and again.

    Args:
        nodes: Ray's ids of the nodes, ``node-1`` first.
    """

    def __init__(self, nodes: Sequence[str]) -> None:
        self._samplers: dict[str, Any] = {}
        self._asked: dict[Any, str] = {}
        for number, node in enumerate(nodes, start=1):
            where = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
            actor = ray.remote(LoadSampler).options(num_cpus=0, scheduling_strategy=where).remote()
            self._samplers[f"node-{number}"] = actor
            self._ask(f"node-{number}")

    def latest(self) -> dict[str, float]:
        """What the nodes have said since the last time, by metric; a node that is busy, or gone, says nothing."""
        found: dict[str, float] = {}
        if not self._asked:
            return found
        arrived, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        for answer in arrived:
            node = self._asked.pop(answer)
            with contextlib.suppress(ray.exceptions.RayError):  # whoever watches the nodes says that it is gone
                found |= {f"{PREFIX}/{node}/{name}": value for name, value in ray.get(answer).items()}
                self._ask(node)
        return found

    def _ask(self, node: str) -> None:
        self._asked[self._samplers[node].sample.remote()] = node


def further_nodes(config: DictConfig) -> list[str]:
    """Ray's ids of the run's nodes beside the head, by name; none in a cluster that others may use too."""
    if config.trainer.nnodes < 2 or config.ray_kwargs.ray_init.get("address"):
        return []
    nodes = [node for node in ray.nodes() if node["Alive"] and HEAD not in node["Resources"]]
    nodes.sort(key=lambda node: (node["NodeName"], node["NodeID"]))
    shown = ", ".join(f"{PREFIX}/node-{number} is {node['NodeName']}" for number, node in enumerate(nodes, start=1))
    sys.stderr.write(f"harness: {shown}\n")
    return [node["NodeID"] for node in nodes]


class LoadSampler:
    """Measures the node that it runs on."""

    def __init__(self) -> None:
        psutil.cpu_percent()  # the first call has nothing to compare with

    def sample(self) -> dict[str, float]:
        """Percent of all cores since the last time, percent of the memory, and of each GPU the same as of now."""
        return {"cpu_percent": psutil.cpu_percent(), "memory_percent": psutil.virtual_memory().percent, **_gpus()}


def _gpus() -> dict[str, float]:
    """The load of NVIDIA's GPUs, where there are any and pynvml, which vLLM brings."""
    try:
        import pynvml
    except ImportError:
        return {}
    found: dict[str, float] = {}
    try:
        pynvml.nvmlInit()
        for number in range(pynvml.nvmlDeviceGetCount()):
            device = pynvml.nvmlDeviceGetHandleByIndex(number)
            memory = pynvml.nvmlDeviceGetMemoryInfo(device)
            found[f"gpu-{number}/percent"] = float(pynvml.nvmlDeviceGetUtilizationRates(device).gpu)
            found[f"gpu-{number}/memory_percent"] = 100 * memory.used / memory.total
    except pynvml.NVMLError:
        return {}
    return found
