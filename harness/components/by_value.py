"""Objects that a user's own script hands over and that no other process could import: they travel by value.

Functions and classes of ``__main__``, lambdas and local functions are pickled (cloudpickle) into their node, and so
into the record. Only Python code of the user's can ask for that: a node like this is refused unless ``by_value`` is
among the trusted modules, which YAML cannot add.
"""

from __future__ import annotations

import base64
import sys
import zlib
from typing import Any

from harness.components import files
from harness.errors import ComponentError

TARGET = "harness.components.by_value.decode"
TRUST = "by_value"


def importable(thing: Any) -> str | None:
    """The dotted name under which any process can import this, or None."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not module or not name or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}.{name}" if found is thing else None  # a wrapper or a bound method bears another's name


def node_of(thing: Any, key: str) -> tuple[dict[str, Any], str]:
    """The node that stands for an object: by its name where any process can import it, else by value.

    Args:
        thing: A function or class.
        key: Where the node will stand, for messages.

    Returns:
        The node, and what has to be trusted for it.

    Raises:
        ComponentError: It cannot leave this process.
    """
    name = importable(thing)
    if name is None:
        return {"_target_": TARGET, "code": encode(thing, key)}, TRUST
    module, _, attribute = name.rpartition(".")
    if (file := files.path_of(module)) is not None:  # a file that was loaded by its path is no module elsewhere
        return {"_target_": f"{file}:{attribute}"}, str(file)
    return {"_target_": name}, name.split(".")[0]


def encode(thing: Any, key: str) -> str:
    """The object as text.

    Raises:
        ComponentError: It holds something that cannot leave this process, such as an open file.
    """
    import cloudpickle

    try:
        return base64.b64encode(zlib.compress(cloudpickle.dumps(thing))).decode()
    except Exception as error:
        raise ComponentError(
            f"{key}: {thing!r} cannot be sent to another process: {error}",
            "Put it into a module of its own, and what it holds (files, locks, connections) into the function.",
        ) from error


def decode(code: str) -> Any:
    """Undo `encode`."""
    import cloudpickle

    return cloudpickle.loads(zlib.decompress(base64.b64decode(code)))
