"""The one process that runs a local sweep: a second one is refused, and it can be seen whether there is any."""

from __future__ import annotations

import contextlib
import fcntl
import json
import socket
from collections.abc import Iterator

from harness.errors import ConfigurationError
from harness.launch.sweep.folder import SweepFolder
from harness.records.process import is_alive
from harness.records.state import this_process

DRIVER = "driver.json"


@contextlib.contextmanager
def driving(sweep: SweepFolder) -> Iterator[None]:
    """Be the sweep's driver for the body; the claim ends with the process, however it ends.

    Raises:
        ConfigurationError: Another process is.
    """
    with (sweep.path / DRIVER).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = _read(sweep)
            raise ConfigurationError(
                f"{sweep.shown()} is being run by process {other.get('pid')} on {other.get('host')}.",
                f"Watch it: harness sweep status {sweep.shown()}",
            ) from error
        file.truncate(0)
        file.write(json.dumps(this_process()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def is_driven(sweep: SweepFolder) -> bool:
    """Whether a process runs it; on another host it is believed to."""
    driver = _read(sweep)
    if driver.get("host") != socket.gethostname():
        return bool(driver)
    return is_alive(int(driver["pid"]), driver.get("pid_started") or "")


def _read(sweep: SweepFolder) -> dict[str, str]:
    try:
        return json.loads((sweep.path / DRIVER).read_text())
    except (OSError, ValueError):
        return {}
