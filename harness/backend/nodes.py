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
SILENT_SECONDS = 30.0  # a node that does not answer for so long is gone
RESOURCES = ("num_cpus", "num_gpus", "object_store_memory")


class Nodes:
    """All nodes of the cluster that this process is the head of.

    Args:
        meeting: Where the others are told of it; None for a cluster of one node, of which nothing has to be watched.
    """

    def __init__(self, meeting: Meeting | None = None) -> None:
        self.meeting = meeting
        self._others: dict[str, tuple[str, int]] = {}  # name → where its raylet listens
        self._answered: dict[str, float] = {}
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
                there = ", ".join(str(node["NodeName"]) for node in alive)
                raise TrainingError(
                    f"Ray cannot start: of {self.meeting.nodes} nodes only {there} joined in {JOIN_SECONDS:.0f} s.",
                    f"The others have to reach {self.meeting.address} on any port; see the job's log.",
                    "starting Ray",
                )
            time.sleep(0.2)
        if self.meeting:
            self._remember(self.meeting.name)

    def _remember(self, own: str) -> None:
        places = {node["NodeName"]: (node["NodeManagerAddress"], node["NodeManagerPort"]) for node in _alive()}
        shown = ", ".join(f"{name} ({address})" for name, (address, _) in sorted(places.items()))
        sys.stderr.write(f"harness: Ray runs on {shown}\n")
        self._others = {name: place for name, place in places.items() if name != own}
        self._answered = dict.fromkeys(self._others, time.monotonic())

    def check(self) -> None:
        """Look whether all are there. Cheap enough for every turn of a poll loop.

        Asks the nodes and not Ray, which takes a minute to notice and, where its head has ended, to answer at all.

        Raises:
            NodeLost: One is not.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY_SECONDS:
            return
        self._looked = now
        answers = {name: answers_at(*place, seconds=1.0) for name, place in self._others.items()}
        self._answered |= {name: now for name, answer in answers.items() if answer}
        silent = [name for name in answers if now - self._answered[name] > SILENT_SECONDS]
        self._require([name for name, answer in answers.items() if answer is False or name in silent])

    def explain(self, error: Exception) -> None:
        """Whether an error of the training comes from a node that is gone.

        Raises:
            NodeLost: It does.
        """
        self._require([name for name, place in self._others.items() if not answers_at(*place, seconds=5.0)], error)

    def _require(self, lost: list[str], error: Exception | None = None) -> None:
        said = self.meeting.failures() if self.meeting else []
        if lost or said:
            what = "; ".join(said or [f"node {name} was lost" for name in lost])
            raise NodeLost(what, "Go on from the last checkpoint on other nodes.") from error


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def answers_at(host: str, port: int, seconds: float) -> bool | None:
    """Whether something takes connections there; None where nothing says that it does not, such as a lost packet."""
    try:
        with socket.create_connection((host, port), seconds):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return None
