"""Signs that a stage goes on although nothing of it is done yet: a file that is touched.

A stage of hours is no hang while its micro-batches pass and its responses come in. Any process of the run may give a
sign; what it costs is a look at the clock.
"""

from __future__ import annotations

import contextlib
import os
import time

from harness.records.run_folder import RunFolder

RUN = "HARNESS_RUN"  # variable: the run's folder
EVERY_SECONDS = 10.0

_last = float("-inf")


def give_sign() -> None:
    """The stage under way goes on. Outside a run, and within ten seconds of the last sign, nothing happens."""
    global _last
    now = time.monotonic()
    if now - _last < EVERY_SECONDS:
        return
    _last = now
    if folder := os.environ.get(RUN):
        with contextlib.suppress(OSError):  # on a full disk the training has its own say
            RunFolder(folder).signs.touch()
