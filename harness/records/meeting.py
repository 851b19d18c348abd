"""Where the nodes of a run's allocation meet: a folder on the file system that they share.

The first node drives the run and is the head of its Ray cluster. It writes there how to join; the others read it, serve
until it is closed, and leave a word where they cannot.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.records.atomic import write_json, write_text

VARIABLE = "HARNESS_MEETING"
HEAD, CLOSED, FAILURE = "head.json", "closed", ".failure"


@dataclass(frozen=True)
class Head:
    """How to join a cluster.

    Attributes:
        address: Of its head, ``host:port``.
        token: What Ray's processes show each other; others on the same machines do not have it.
        resources: What each further node offers, by the names of ``ray.init``'s arguments.
        environment: Variables that every process of the run needs.
    """

    address: str
    token: str
    resources: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Meeting:
    """A node's part in a run over several.

    Attributes:
        folder: Of this start of the run and no other; readable by its user alone, as the token is in it.
        nodes: How many meet.
        name: This node's, as Slurm knows it.
        address: This node's, as the others reach it.
    """

    folder: str
    nodes: int
    name: str
    address: str

    @classmethod
    def from_environment(cls) -> Meeting | None:
        """This process's, or None where its run has one node."""
        text = os.environ.get(VARIABLE)
        return cls(**json.loads(text)) if text else None

    def environment(self) -> dict[str, str]:
        """The variable that tells a process and its children of it."""
        return {VARIABLE: json.dumps(asdict(self))}

    def open(self, head: Head) -> None:
        """The cluster's head is up."""
        write_json(Path(self.folder) / HEAD, asdict(head))

    def head(self) -> Head | None:
        """How to join; None before the head is up."""
        try:
            return Head(**json.loads((Path(self.folder) / HEAD).read_text()))
        except FileNotFoundError:
            return None

    def close(self) -> None:
        """The first node is done with the run, or did not begin it."""
        (Path(self.folder) / CLOSED).touch()
        (Path(self.folder) / HEAD).unlink(missing_ok=True)

    def is_closed(self) -> bool:
        """Whether it is."""
        return (Path(self.folder) / CLOSED).exists()

    def fail(self, why: str) -> None:
        """This node cannot serve, or not any more."""
        write_text(Path(self.folder) / f"{self.name}{FAILURE}", why)

    def failures(self) -> list[str]:
        """What nodes have said of that, ``node n2: why``."""
        files = sorted(Path(self.folder).glob(f"*{FAILURE}"))
        return [f"node {file.name.removesuffix(FAILURE)}: {file.read_text()}" for file in files]
