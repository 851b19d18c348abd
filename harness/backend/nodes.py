"""The nodes of a run's Ray cluster, seen from its head: how the others join, and whether all are still there."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import ray

from harness.errors import NodeLost, TrainingError
from harness.records.meeting import Head, Meeting

JOIN_SECONDS = 300.0  # Ray is up in ten; a node whose file system is cold takes minutes to load Python
LOOK_EVERY_SECONDS = 5.0
ANSWER_SECONDS = 5.0
RESOURCES = ("num_cpus", "num_gpus", "object_store_memory")


class Nodes:
    """All nodes of the cluster that this process is the head of.

    Args:
        meeting: Where the others are told of it; None for a cluster of one node, of which nothing has to be watched.
    """

    def __init__(self, meeting: Meeting | None = None) -> None:
        self.meeting = meeting
        self._looked = 0.0

    def settings(self) -> dict[str, str]:
        """For ``ray.init``: this node as the others know it."""
        return {"_node_ip_address": self.meeting.address, "_node_name": self.meeting.name} if self.meeting else {}

    def invite(self, resources: dict[str, Any], environment: dict[str, str]) -> None:
        """Tell the other nodes how to join.

        Args:
            resources: What each of them offers.
            environment: Variables of their processes.
        """
        if self.meeting:
            address, token = ray.get_runtime_context().gcs_address, os.environ["RAY_AUTH_TOKEN"]
            offered = {name: resources[name] for name in RESOURCES if name in resources}
            self.meeting.open(Head(address, token, offered, environment))

    def dismiss(self) -> None:
        """The other nodes may go."""
        if self.meeting:
            self.meeting.close()

    def wait(self, poll: Callable[[], None]) -> None:
        """Until all have joined.

        Args:
            poll: Called several times a second.

        Raises:
            TrainingError: One cannot, or does not in five minutes.
        """
        deadline = time.monotonic() + JOIN_SECONDS
        while self.meeting and len(alive := _alive()) < self.meeting.nodes:
            poll()
            if failures := self.meeting.failures():
                raise TrainingError(f"Ray cannot start: {'; '.join(failures)}.", "See the job's log.", "starting Ray")
            if time.monotonic() > deadline:
                there = ", ".join(_name(node) for node in alive)
                raise TrainingError(
                    f"Ray cannot start: of {self.meeting.nodes} nodes only {there} joined in {JOIN_SECONDS:.0f} s.",
                    f"The others have to reach {self.meeting.address} on any port; see the job's log.",
                    "starting Ray",
                )
            time.sleep(0.2)
        if self.meeting:
            names = sorted(f"{_name(node)} ({node['NodeManagerAddress']})" for node in _alive())
            sys.stderr.write(f"harness: Ray runs on {', '.join(names)}\n")

    def check(self) -> None:
        """Look whether all are there. Cheap enough for every turn of a poll loop.

        Raises:
            NodeLost: One is not.
        """
        if self.meeting and time.monotonic() - self._looked > LOOK_EVERY_SECONDS:
            self._looked = time.monotonic()
            self._require([node for node in ray.nodes() if not node["Alive"]])

    def explain(self, error: Exception) -> None:
        """Whether an error of the training comes from a node that is gone: Ray itself takes a minute to notice.

        Raises:
            NodeLost: It does.
        """
        if self.meeting:
            self._require([node for node in ray.nodes() if not (node["Alive"] and _answers(node))], error)

    def _require(self, gone: list[dict[str, Any]], error: Exception | None = None) -> None:
        said = self.meeting.failures() if self.meeting else []
        if gone or said:
            lost = [f"node {_name(node)} was lost" for node in gone]
            raise NodeLost("; ".join(said or lost), "Go on from the last checkpoint on other nodes.") from error


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _name(node: dict[str, Any]) -> str:
    return str(node["NodeName"])


def _answers(node: dict[str, Any]) -> bool:
    """Whether its raylet takes connections."""
    try:
        with socket.create_connection((node["NodeManagerAddress"], node["NodeManagerPort"]), ANSWER_SECONDS):
            return True
    except OSError:
        return False
