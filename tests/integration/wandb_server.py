"""Stands in for W&B's server at the HTTP boundary: answers what its real client asks, or fails in a chosen way."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

from wandb_failures import fail

KEY = "0123456789abcdef0123456789abcdef01234567"
#: What the client asks for: who it is, what the server can, whether the run is there, the run itself, its metrics, where
#: its files go, the files, and the same of artifacts.
KINDS = ("login", "features", "resume", "run", "stream", "files", "upload", "artifact")
OF_A_QUERY = {
    "Viewer": "login",
    "OrganizationCoreWeaveOrganizationID": "features",
    "ServerFeaturesQuery": "features",
    "RunResumeStatus": "resume",
    "UpsertBucket": "run",
    "CreateRunFiles": "files",
}
SLOW_SECONDS = 120.0


class Server(ThreadingHTTPServer):
    """The server and what it was told.

    Attributes:
        mode: ``ok`` or one of `wandb_failures.WAYS`; may be changed while it serves.
        kinds: Which of `KINDS` fail so; the rest is answered.
        failed: Kind → requests that were made to fail.
        runs: Run id → what the client said of it.
        history: Run id → rows of metrics, in the order in which they came.
        files: Run id → name → content of what was uploaded.
        artifacts: Name → content.
        asked: The names of the queries.
    """

    daemon_threads = True

    def __init__(self, mode: str, kinds: Collection[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mode, self.kinds = mode, kinds
        self.failed: Counter[str] = Counter()
        self.runs: dict[str, dict[str, Any]] = {}
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.artifacts: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of a client needs."""
        return {"WANDB_BASE_URL": self.address, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet: a client that was killed, or given up, is a part of the tests."""


@contextmanager
def wandb_server(mode: str = "ok", kinds: Collection[str] = (*KINDS, "other")) -> Iterator[Server]:
    """Serve for the time of a ``with`` block."""
    server = Server(mode, kinds)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
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
        content = self._read()
        place, _, rest = unquote(self.path).lstrip("/").partition("/")
        if self._fails(place):
            return
        if place == "artifact":
            self.server.artifacts[rest] = content
        else:
            run, _, name = rest.partition("/")
            self.server.files.setdefault(run, {})[name] = content
        self._answer({})

    def do_POST(self) -> None:
        asked = json.loads(self._read() or b"{}")
        if self.path.startswith("/graphql"):
            match = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
            name = match[1] if match else ""
            self.server.asked.append(name)
            if not self._fails(OF_A_QUERY.get(name, "artifact" if "Artifact" in name else "other")):
                self._answer({"data": self._graphql(name, asked.get("variables") or {})})
        elif "file_stream" in self.path:
            if not self._fails("stream"):
                self._stream(self.path.split("/")[-2], asked)
                self._answer({"exitcode": None, "limits": {}})
        else:
            self._answer({})

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _fails(self, kind: str) -> bool:
        """Fail a request of this kind, where it is to fail; nothing of it is kept then."""
        if self.server.mode == "ok" or kind not in self.server.kinds:
            return False
        self.server.failed[kind] += 1
        if self.server.mode == "slow":
            self.close_connection = True
            self.server.closing.wait(SLOW_SECONDS)
        else:
            fail(self, self.server.mode)
        return True

    def _answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _graphql(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        if name == "UpsertBucket":
            return {"upsertBucket": self._upsert(given)}
        if name == "RunResumeStatus":
            return {"model": {"bucket": self._known(given.get("name") or "")}}
        if name == "Viewer":
            return {"viewer": {"id": "1", "entity": "lab", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        if name == "CreateRunFiles":
            files = [{"name": each, "uploadUrl": self._place("upload", given["run"], each)} for each in given["files"]]
            return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}
        if "Artifact" in name:
            return self._artifact(name, given)
        if name == "ServerFeaturesQuery":
            return {"serverInfo": {"features": []}}
        return {"model": None, "project": None, "entity": None}

    def _place(self, *parts: str) -> str:
        return "/".join([self.server.address, *map(quote, parts)])

    def _artifact(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        if name == "CreateArtifact":
            artifact = {"id": "1", "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
            return {"createArtifact": {"artifact": artifact}}
        if name in ("CreateArtifactManifest", "UpdateArtifactManifest"):
            file = {"id": "1", "uploadUrl": self._place("artifact", "manifest.json"), "uploadHeaders": []}
            return {f"{name[0].lower()}{name[1:]}": {"artifactManifest": {"id": "1", "file": file}}}
        if name == "CreateArtifactFiles":
            nodes = [
                {"storagePath": each["name"], "uploadUrl": self._place("artifact", each["name"]), "uploadHeaders": [],
                 "uploadMultipartUrls": None, "artifact": {"id": "1"}}
                for each in given["input"]["artifactFiles"]
            ]  # fmt: skip
            return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}
        if name == "CommitArtifact":
            return {"commitArtifact": {"artifact": {"id": "1", "digest": "d"}}}
        return {"project": None}  # of what type artifacts of that name are

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
                rows, first = self.server.history.setdefault(run, []), int(part["offset"])
                rows[first : first + len(part["content"])] = [*map(json.loads, part["content"])]
        if told.get("complete"):
            self.server.runs.setdefault(run, {})["exitcode"] = told.get("exitcode")
