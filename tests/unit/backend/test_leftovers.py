"""What a run started is ended with it, and what was there before is left alone, with all that it starts."""

from __future__ import annotations

import subprocess
import sys

import psutil

from harness.backend.leftovers import processes_ended

PARENT = """
import subprocess, sys
sys.stdin.readline()
child = subprocess.Popen(["sleep", "600"])
print(child.pid, flush=True)
sys.stdin.readline()
child.kill()
child.wait()
"""


def test_only_what_was_started_in_the_body_is_ended() -> None:
    before = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        with processes_ended(patience=0.1) as note:
            own = subprocess.Popen(["sleep", "600"])
            before.stdin.write("\n")
            before.stdin.flush()
            others = int(before.stdout.readline())
            note()
        assert not psutil.pid_exists(own.pid)
        assert psutil.pid_exists(others)
    finally:
        before.communicate("\n", timeout=10)
