"""What a registered algorithm may build on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from harness.config.catalogue import catalogue, option_file
from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError


def require_base(where: str, name: str, base: Any, registered: Collection[str] = ()) -> None:
    """Stop where an algorithm builds on nothing.

    Args:
        where: The declaration, for the message.
        name: The algorithm's name.
        base: What it is to build on.
        registered: Algorithms beside those of the tree.

    Raises:
        ConfigurationError: There is no such algorithm, or it is itself.
    """
    if isinstance(base, str) and base != name and (base in registered or option_file("algorithm", base)):
        return
    known = sorted({*catalogue()["algorithm"], *registered} - {name})
    close = did_you_mean(str(base), known)
    remedy = close if close.startswith("Allowed") else f"{close} Allowed: {', '.join(known)}."
    raise ConfigurationError(f"{where}: base={base!r} is no algorithm that it could build on.", remedy)
