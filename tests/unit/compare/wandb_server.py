"""A server that answers what wandb's real client asks of W&B's: to list runs, read their histories and save reports."""

import gzip
import json
import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "a" * 40


@dataclass
class StoredRun:
    """A run as W&B stores it; rows are by step, numbers that JSON has not got are texts."""

    id: str
    config: dict[str, Any]
    rows: Sequence[dict[str, Any]]
    state: str = "finished"
    group: str = ""
    commit: str | None = None

    def node(self) -> dict[str, Any]:
        last = max((row["_step"] for row in self.rows), default=-1)
        config = {key: {"value": value} for key, value in self.config.items()}
        return {
            "projectId": 1, "id": self.id, "tags": [], "name": self.id, "displayName": f"run {self.id}",
            "sweepName": None, "state": self.state, "config": json.dumps(config), "group": self.group or None,
            "jobType": None, "commit": self.commit, "readOnly": False, "createdAt": "2026-01-01T00:00:00",
            "heartbeatAt": "2026-01-01T01:00:00", "description": None, "notes": None, "systemMetrics": "{}",
            "summaryMetrics": json.dumps({"_runtime": 77.5}), "historyLineCount": len(self.rows),
            "user": {"name": "u", "username": "u"}, "historyKeys": {"lastStep": last, "keys": {}},
        }  # fmt: skip


class Refused(Exception):
    """W&B's way to say no: an answer of errors."""


@dataclass
class Store:
    """What the server has: runs of ``team/project``, and the reports that were saved, as they arrived."""

    runs: list[StoredRun]
    asked: list[str] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, query: str, variables: dict[str, Any]) -> Any:
        self.asked.append((re.search(r"(?:query|mutation) (\w+)", query) or ["", ""])[1])
        if "upsertView" in query:
            return self._save(variables)
        if "GetProjects" in query:
            return {"models": {"edges": [{"node": _project(), "cursor": "1"}], "pageInfo": _LAST_PAGE}}
        if "viewer" in query:
            return {
                "viewer": {
                    "id": "1",
                    "entity": "team",
                    "username": "u",
                    "email": "e",
                    "flags": "{}",
                    "teams": {"edges": []},
                }
            }
        if "ProjectInternalId" in query:
            named = (variables["entityName"], variables["projectName"]) == ("team", "project")
            return {"project": {"id": "UHJvamVjdA==", "internalId": "UHJvamVjdEludA=="} if named else None}
        if variables.get("project") != "project":
            return {"project": None}
        if "query Runs" in query:
            return {"project": self._page(json.loads(variables["filters"]), variables["cursor"], 2)}
        run = next(
            run
            for run in self.runs
            if run.id in (variables.get("name"), variables.get("run"), variables.get("runName"))
        )
        if "HistoryPage" in query:
            span = range(variables["minStep"], variables["maxStep"])
            return {"project": {"run": {"history": [json.dumps(row) for row in run.rows if row["_step"] in span]}}}
        if "parquetHistory" in query:
            live = [{"_step": row["_step"]} for row in run.rows]
            return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": live}}}}
        return {"project": {"run": run.node()}}

    def _save(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.reports.append(asked)
        view = {"id": f"VmlldzoK{len(self.reports)}==", "project": {"id": "1", "name": asked["projectName"],
                "entityName": asked["entityName"]}, "updatedAt": "2026-01-01T00:00:00"}  # fmt: skip
        given = {name: asked[name] for name in ("type", "name", "displayName", "description", "spec")}
        return {"upsertView": {"view": {**given, **view}, "inserted": True}}

    def _page(self, filters: dict[str, Any], cursor: str | None, size: int) -> dict[str, Any]:
        found = [run for run in self.runs if run.group == filters.get("group", run.group)]
        start = int(cursor or 0)
        edges = [
            {"node": run.node(), "cursor": str(start + n + 1)} for n, run in enumerate(found[start : start + size])
        ]
        page = {"endCursor": str(start + size), "hasNextPage": start + size < len(found)}
        return {
            "internalId": "1",
            "runCount": len(found),
            "readOnly": False,
            "runs": {"edges": edges, "pageInfo": page},
        }


_LAST_PAGE = {"endCursor": None, "hasNextPage": False}


def _project() -> dict[str, Any]:
    return {"id": "1", "name": "project", "entityName": "team", "createdAt": "2026-01-01T00:00:00",
            "isBenchmark": False, "internalId": "1", "user": None}  # fmt: skip


@contextmanager
def serving(store: Store) -> Iterator[str]:
    """Serve a store; yields the address for ``WANDB_BASE_URL``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.path != "/graphql":  # the client's own telemetry
                self._send(404, {})
                return
            asked = json.loads(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            try:
                self._send(200, {"data": store.answer(asked["query"], asked.get("variables") or {})})
            except Refused as error:
                self._send(200, {"data": None, "errors": [{"message": str(error)}]})

        def do_GET(self) -> None:
            self._send(404, {})

        def _send(self, status: int, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def stored(value: float) -> float | str:
    """A number as W&B gives it back."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
