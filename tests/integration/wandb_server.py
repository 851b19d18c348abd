"""Stands in for W&B's server at the HTTP boundary: answers what its real client asks, or fails in a chosen way."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "0123456789abcdef0123456789abcdef01234567"
FAILURES = {"error": 500, "reject": 401, "full": 507}


class Server(ThreadingHTTPServer):
    """The server and what it was told.

    Attributes:
        mode: ``ok``, ``slow``, or a key of `FAILURES`; may be changed while it serves.
        runs: Run id → what the client said of it.
        history: Run id → rows of metrics, in the order in which they came.
        asked: The names of the queries.
    """

    daemon_threads = True

    def __init__(self, mode: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mode = mode
        self.runs: dict[str, dict[str, Any]] = {}
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[str] = []

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of a client needs."""
        return {"WANDB_BASE_URL": f"http://127.0.0.1:{self.server_port}", "WANDB_API_KEY": KEY}


@contextmanager
def wandb_server(mode: str = "ok") -> Iterator[Server]:
    """Serve for the time of a ``with`` block."""
    server = Server(mode)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer({})

    def do_PUT(self) -> None:
        self._read()
        self._answer({})

    def do_POST(self) -> None:
        body = self._read()
        if self.server.mode in FAILURES:
            self._answer({"errors": [{"message": f"made to fail: {self.server.mode}"}]}, FAILURES[self.server.mode])
        elif self.server.mode == "slow":
            time.sleep(120)
        elif self.path.startswith("/graphql"):
            self._answer({"data": self._graphql(json.loads(body))})
        elif "file_stream" in self.path:
            self._stream(self.path.split("/")[-2], json.loads(body))
            self._answer({"exitcode": None, "limits": {}})
        else:
            self._answer({})

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _graphql(self, asked: dict[str, Any]) -> dict[str, Any]:
        query, given = asked["query"], asked.get("variables") or {}
        match = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = match[1] if match else ""
        self.server.asked.append(name)
        if "upsertBucket" in query:
            return {"upsertBucket": self._upsert(given)}
        if name == "RunResumeStatus":
            return {"model": {"bucket": self._known(given.get("name") or given.get("runName") or "")}}
        if "viewer" in query:
            return {"viewer": {"id": "1", "entity": "lab", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        if "createRunFiles" in query:
            files = [{"name": each, "uploadUrl": f"{self.server.variables['WANDB_BASE_URL']}/upload/{each}"}
                     for each in given.get("files", [])]  # fmt: skip
            return {"createRunFiles": {"runID": given.get("run"), "uploadHeaders": [], "files": files}}
        if "createArtifact(" in query:  # committed already, so that nothing of it is uploaded
            artifact = {
                "id": "1",
                "digest": "d",
                "state": "COMMITTED",
                "artifactSequence": {"id": "1", "latestArtifact": None},
            }
            return {"createArtifact": {"artifact": artifact}}
        if "serverInfo" in query or "ServerFeatures" in name:
            return {"serverInfo": {"features": [], "cliVersionInfo": None, "latestLocalVersionInfo": None}}
        return {"model": None, "project": None, "artifact": None, "entity": None}

    def _upsert(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given.get("name") or given.get("id") or "run"
        known = name in self.server.runs
        self.server.runs.setdefault(name, {}).update({key: value for key, value in given.items() if value is not None})
        project = {"id": "1", "name": given.get("project") or "p", "entity": {"id": "1", "name": "lab"}}
        bucket = {"id": name, "name": name, "displayName": given.get("displayName") or name, "project": project,
                  "historyLineCount": len(self.server.history.get(name, [])), "sweepName": None, "description": "",
                  "config": "{}"}  # fmt: skip
        return {"bucket": bucket, "inserted": not known}

    def _known(self, name: str) -> dict[str, Any] | None:
        if name not in self.server.runs:
            return None
        rows = self.server.history.get(name, [])
        tail = json.dumps([json.dumps(row) for row in rows[-1:]])
        return {"id": name, "name": name, "displayName": name, "historyLineCount": len(rows), "historyTail": tail,
                "eventsLineCount": 0, "eventsTail": "[]", "logLineCount": 0, "summaryMetrics": "{}", "config": "{}",
                "tags": [], "wandbConfig": '{"t": 1}'}  # fmt: skip

    def _stream(self, run: str, told: dict[str, Any]) -> None:
        for file, part in (told.get("files") or {}).items():
            if file == "wandb-history.jsonl":
                self.server.history.setdefault(run, []).extend(map(json.loads, part["content"]))
        if told.get("complete"):
            self.server.runs.setdefault(run, {})["exitcode"] = told.get("exitcode")
