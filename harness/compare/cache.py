"""A bounded cache of what was read from files, under the user's cache folder: a run's own may be read-only.

An entry belongs to a file and holds its size, time and inode: a file that has changed is read again, and its entry
replaced. Entries are renamed into place, so that several commands can share the cache, and carry a checksum: a
damaged one counts as missing. Where the cache cannot be written, everything is read each time.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from harness.config.cache_folder import cache_root

FORMAT = b"harness-compare-3"  # another number where what is kept changes
MOST_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Stamp:
    """The state of a file; equal stamps mean that it has not changed."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, file: Path) -> Stamp:
        """The present state.

        Raises:
            OSError: There is no such file.
        """
        now = file.stat()
        return cls(now.st_size, now.st_mtime_ns, now.st_ino)

    def head(self, content: memoryview | bytes) -> bytes:
        """What stands before an entry's content."""
        about = f"{self.size} {self.mtime_ns} {self.inode} {len(content)} {zlib.crc32(content)}"
        return FORMAT + b" " + about.encode() + b"\n"


class Cache:
    """Entries by kind and file.

    Args:
        folder: Where they lie; made when the first is written.
        most_bytes: The entries that were used longest ago are removed above this size.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder or cache_root() / "compare"
        self.most_bytes = most_bytes

    def read(self, kind: str, file: Path, stamp: Stamp) -> memoryview | None:
        """The entry of a file as it was at ``stamp``; None where there is none that is whole."""
        try:
            with open(self._place(kind, file), "rb") as entry:  # noqa: PTH123, likewise
                whole = entry.read()
                with contextlib.suppress(OSError):  # not ours to change, but ours to read
                    os.utime(entry.fileno())
        except OSError:
            return None
        end = whole.find(b"\n") + 1 if whole.startswith(FORMAT) else 0
        content = memoryview(whole)[end:]  # no copy: an entry may be large
        return content if end and stamp.head(content) == whole[:end] else None

    def write(self, kind: str, file: Path, stamp: Stamp, content: bytes) -> bool:
        """Keep an entry; False where the cache cannot be written."""
        place = Path(self._place(kind, file))
        temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(stamp.head(content) + content)
            temporary.replace(place)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            return False
        return True

    def shrink(self) -> None:
        """Remove the entries that were used longest ago until the rest fits."""
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            known = [(now.st_mtime_ns, now.st_size, entry.path) for entry in entries if (now := _stat(entry))]
            excess = sum(size for _, size, _ in known) - self.most_bytes
            for _, size, path in sorted(known):
                if excess <= 0:
                    return
                Path(path).unlink(missing_ok=True)
                excess -= size

    def _place(self, kind: str, file: Path) -> str:
        name = sha256(os.fsencode(os.path.abspath(file))).hexdigest()[:24]  # noqa: PTH100, a thousand times a command
        return f"{self.folder}/{kind}-{name}"


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    """None for an entry that another command has just removed."""
    try:
        return entry.stat()
    except FileNotFoundError:
        return None
