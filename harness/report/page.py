"""What every page of the harness shares: how a template is filled, and which script may run in it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.terminal import text

HERE = Path(__file__).parent


def environment(*folders: Path) -> Environment:
    """Templates of these folders and of this one (``base.css.j2``), with every value escaped."""
    # Not select_autoescape: it goes by the template's suffix, and .j2 would not be escaped.
    found = Environment(
        loader=FileSystemLoader([*folders, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(number=text.number, signed=text.signed, seconds=text.seconds)
    return found


def scripts(*files: Path) -> str:
    """The page's one script: ``tip.js`` and these files."""
    return "\n".join(file.read_text(encoding="utf-8") for file in (HERE / "tip.js", *files))


def content_hash(script: str) -> str:
    """For a page's content security policy: this script runs, and none that a model wrote."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
