"""Whether W&B's client has a key for its server, asked as the client asks: ``python -m harness.tracking.key``."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys


def missing_key() -> str:
    """Why W&B's client would have no key here, and would ask a person for one.

    A process of its own is asked, as the client keeps what it has read of the environment and of its files.

    Returns:
        The reason, a clause; empty where there is a key.
    """
    asked = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=False)
    if asked.returncode:
        said = asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"]
        return f"W&B's client does not start: {said[-1]}"
    return asked.stdout.strip()


def missing_to_client() -> str:
    """The same of the client in this process.

    It looks in the environment, in the netrc file for the host of its server, and in its settings; its server is
    ``WANDB_BASE_URL``, or what its settings say. Nothing is asked of the server.
    """
    import wandb
    from wandb.sdk import wandb_setup
    from wandb.sdk.lib import urls, wbauth

    try:
        with contextlib.redirect_stderr(io.StringIO()):  # it tells which of its files it has read
            server = os.environ.get("WANDB_BASE_URL") or wandb_setup.singleton().settings.base_url
            found = wbauth.authenticate_session(host=server, source="harness", prompt=False, update_session=False)
    except wandb.Error as error:
        return " ".join(str(error).split()).rstrip(".")
    except ValueError as error:  # such as an address that is none
        return f"W&B's client refuses its settings: {' '.join(str(error).split())[:200]}"
    where = "" if server.rstrip("/") == urls.DEFAULT_BASE_URL else f" at {server}"
    return "" if found else f"this machine has no key for W&B{where}"


if __name__ == "__main__":
    sys.stdout.write(missing_to_client())
