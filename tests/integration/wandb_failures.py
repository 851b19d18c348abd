"""The ways in which the stand-in for W&B's server fails, each at the HTTP boundary."""

from __future__ import annotations

import socket
import struct
from http.server import BaseHTTPRequestHandler

#: A refusal's status; ``full`` and ``large`` are what a server without room for more answers.
STATUSES = {"reject": 401, "forbid": 403, "large": 413, "limit": 429, "error": 500, "full": 507}
#: ``slow`` gives no answer for minutes, ``drop`` ends the connection without one, ``reset`` in the middle of one.
WAYS = (*STATUSES, "malformed", "slow", "drop", "reset")
ABORTING = struct.pack("ii", 1, 0)  # closing sends a reset at once
HALF = b'{"data": {"viewer": '


def fail(handler: BaseHTTPRequestHandler, way: str) -> None:
    """Answer a request that has been read in one of `WAYS`, but ``slow``, or not at all."""
    if way in STATUSES:
        _begin(handler, STATUSES[way], body := b'{"errors": [{"message": "made to fail: %s"}]}' % way.encode())
        handler.wfile.write(body)
    elif way == "malformed":
        _begin(handler, 200, HALF)
        handler.wfile.write(HALF)
    else:
        handler.close_connection = True
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTING)
        if way == "reset":
            _begin(handler, 200, HALF * 100)
            handler.wfile.write(HALF)


def _begin(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
