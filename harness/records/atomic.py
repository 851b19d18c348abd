"""Write a file so that a reader sees the old content or the new, never a part of it.

The text goes to a temporary file in the same folder, is flushed to the disk and renamed over the target.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_BYTES = 4096  # what file systems give a file at least


def write_text(path: Path, text: str) -> None:
    """Replace the content of ``path`` by ``text`` in one step.

    Args:
        path: The file; its folder must exist.
        text: The new content, written as UTF-8. A lone surrogate, which a model can produce and UTF-8 cannot hold,
            is written as its escape.

    Raises:
        OSError: The disk is full, or the folder is missing or not writable. The old content is then untouched.
    """
    # Not tempfile: its files are readable by the owner only, and a rename would keep that.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_over(path: Path, text: str) -> None:
    """Replace the content of an existing small file where it lies, for a last word on a full disk.

    It takes no room on the disk beside what the file has; white space fills what it had more. A reader may see a part.

    Raises:
        OSError: There is no room even so; the old content is then untouched.
    """
    content = text.encode("utf-8", "backslashreplace")
    with path.open("r+b", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if -(-len(content) // BLOCK_BYTES) > -(-size // BLOCK_BYTES):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        file.write(content.ljust(size))
        os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value`` as indented JSON.

    Raises:
        ValueError: ``value`` holds NaN or an infinity, which JSON does not know.
    """
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Indented JSON.

    Raises:
        ValueError: ``value`` holds NaN or an infinity, which JSON does not know.
    """
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_yaml(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value`` as YAML, its keys in their own order.

    Args:
        path: The file.
        value: Plain dictionaries, lists and scalars, or an OmegaConf node (its interpolations stay as they are).
    """
    from omegaconf import OmegaConf  # 0.15 s, and the readers of records do without it

    text = OmegaConf.to_yaml(value) if OmegaConf.is_config(value) else yaml.safe_dump(value, sort_keys=False)
    write_text(path, text)


def sync(path: Path) -> None:
    """Make what was written to a file, whoever wrote it, or renamed in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
