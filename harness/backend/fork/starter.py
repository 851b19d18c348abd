"""What raylet starts in place of Ray's ``setup_worker.py``: it asks the run's server to fork, and lives as long.

A script of the standard library alone, as it stands where a worker takes seconds to import. Where the server is not
there, or will not, it is Ray's own starter.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
from importlib.util import find_spec
from pathlib import Path

SOCKET = "HARNESS_FORK_SERVER"  # variable: the server's socket
YES = b"y"
SIZE_BYTES = 8


def is_own(peer: socket.socket) -> bool:
    """Whether this user's process is at the other end: Ray lets everybody write where the socket lies."""
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return bool(user == os.getuid())


def main() -> None:
    """Let the server fork a worker with this process's arguments, variables, folder and streams; wait for its end."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ.get(SOCKET, ""))
        if not is_own(server):
            raise ConnectionRefusedError
        wish = {"words": sys.argv[1:], "variables": dict(os.environ), "folder": str(Path.cwd())}
        text = json.dumps(wish).encode()
        socket.send_fds(server, [len(text).to_bytes(SIZE_BYTES, "big")], [0, 1, 2])
        server.sendall(text)
        if server.recv(1) == YES:
            with contextlib.suppress(OSError):
                server.recv(1)  # the worker holds the other end
            return
    ray = find_spec("ray")
    assert ray is not None
    assert ray.origin is not None
    own = Path(ray.origin).parent / "_private" / "workers" / "setup_worker.py"
    os.execv(sys.executable, [sys.executable, str(own), *sys.argv[1:]])


if __name__ == "__main__":
    main()
