"""The process in which queries run: requests come in at standard input, results go out at standard output.

Both ways a message is its length in four bytes and then JSON. Nothing of it is pickled: a process that has run hostile
SQL is not believed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import time
from collections import OrderedDict
from typing import Any, BinaryIO

from experiments.reward_sql.execution.sandbox import Sandbox, confine, explain

OPEN_DATABASES = 16
SECONDS_BETWEEN_LOOKS = 0.5


def main() -> None:
    """Serve until standard input ends or the parent is gone; ``Limits`` as JSON is the only argument."""
    limits = json.loads(sys.argv[1])
    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    confine(limits["memory_mb"], limits["bytes"])
    sandboxes: OrderedDict[str, Sandbox] = OrderedDict()
    requests, results = sys.stdin.buffer, sys.stdout.buffer
    _send(results, b"{}")  # ready
    while header := requests.read(4):
        request = json.loads(requests.read(int.from_bytes(header, "big")))
        _send(results, _answer(sandboxes, request["path"], request["sql"], limits))


def _send(results: BinaryIO, body: bytes) -> None:
    results.write(len(body).to_bytes(4, "big") + body)
    results.flush()


def _end_with(parent: int) -> None:
    """End this process when its parent has ended, also in the middle of a query: SQLite runs without Python's lock."""
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os._exit(1)


def _answer(sandboxes: OrderedDict[str, Sandbox], path: str, sql: str, limits: dict[str, Any]) -> bytes:
    started = time.monotonic()
    try:
        found = _sandbox(sandboxes, path, limits).run(sql)
    except (sqlite3.Error, MemoryError) as error:  # in opening it
        found = {"kind": "crashed", "error": explain(error, "")[1]}
    found["seconds"] = time.monotonic() - started
    try:
        return json.dumps(found, default=_hexadecimal).encode()
    except MemoryError:
        return json.dumps({"kind": "limit", "error": "the memory is used up", "seconds": found["seconds"]}).encode()


def _sandbox(sandboxes: OrderedDict[str, Sandbox], path: str, limits: dict[str, Any]) -> Sandbox:
    if path not in sandboxes:
        if len(sandboxes) == OPEN_DATABASES:
            sandboxes.popitem(last=False)[1].close()
        sandboxes[path] = Sandbox(path, limits)
    sandboxes.move_to_end(path)
    return sandboxes[path]


def _hexadecimal(value: bytes) -> dict[str, str]:
    return {"hex": value.hex()}
