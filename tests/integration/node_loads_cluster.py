"""The record of steps in a Ray cluster of two nodes, of which the second goes; prints what it holds, as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ray
from omegaconf import OmegaConf
from ray.cluster_utils import Cluster

from harness.backend.node_loads import NodeLoads, further_nodes
from harness.backend.recorder import Recorder
from harness.records.metrics import read_metrics

CONFIG = {"trainer": {"nnodes": 2}, "ray_kwargs": {"ray_init": {}}}
SECONDS = 60


def main() -> None:
    """Steps until the second node has been heard of, then without it."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, logging_level="ERROR")
    try:
        cluster.wait_for_nodes()
        print(json.dumps(recorded(cluster, second, Path(sys.argv[1]))))
    finally:
        ray.shutdown()
        cluster.shutdown()


def recorded(cluster: Cluster, second: Any, folder: Path) -> dict[str, Any]:
    """What the record and verl's trackers have, and how long a step waited at most."""
    nodes, told, waited = further_nodes(OmegaConf.create(CONFIG)), {}, []
    recorder = Recorder(folder)
    tracking = SimpleNamespace(log=lambda data, step, backend: told.update({step: sorted(data)}))
    log = recorder.wrap(tracking, NodeLoads(nodes)).log

    def step(number: int, data: dict[str, float]) -> list[str]:
        started = time.monotonic()
        log(data, number)
        waited.append(time.monotonic() - started)
        return told[number]

    step(0, {"val-core/x/acc/mean@1": 0.5})
    number, deadline = 1, time.monotonic() + SECONDS
    while len(step(number, {"loss": 1.0})) == 1 and time.monotonic() < deadline:
        number += 1
        time.sleep(0.1)
    heard = number
    cluster.remove_node(second)
    while len(step(number := number + 1, {"loss": 1.0})) > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    alone = step(number + 1, {"loss": 1.0})
    records = {record.step: record for record in read_metrics(recorder.folder.metrics)}
    return {
        "nodes": len(nodes),
        "of one node": further_nodes(OmegaConf.merge(CONFIG, {"trainer": {"nnodes": 1}})),
        "validation": records[0].metrics,
        "heard": records[heard].metrics,
        "told": told[heard],
        "alone": alone,
        "waited_s": max(waited),
    }


if __name__ == "__main__":
    main()
