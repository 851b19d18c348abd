"""The small files of a run: status, provenance, overrides, and its configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from harness.compare.reading import READ_ERRORS, Reader, unreadable
from harness.compare.targets import PLAN, Target
from harness.records.run_folder import RunFolder
from harness.records.status import Status, read_status

#: Lines of ``- key=value`` that no YAML parser reads otherwise than as they stand.
PLAIN_WORDS = re.compile(rb"(?:- [+~]{0,2}[A-Za-z_][\w./@-]*=[\w./@,\[\]+-]*\n)+")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class About:
    """What is known of a run before its numbers are read.

    Attributes:
        target, folder: Where it lies.
        status: What is true of it.
        provenance: What made it; empty in a record without.
        words: Its overrides.
        problems: What could not be read.
    """

    target: Target
    folder: RunFolder
    status: Status
    provenance: Mapping[str, Any]
    words: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """As recorded; a run without one shares it with no other."""
        return str(self.provenance.get("fingerprint") or self.folder.path)

    @property
    def name(self) -> str:
        """The experiment's: of ``outputs/<name>/<run>`` or ``outputs/<name>/<sweep>/<run>``."""
        parent = self.folder.path.absolute().parent
        return parent.parent.name if (parent / PLAN).is_file() else parent.name

    @property
    def seed(self) -> int | None:
        """As recorded, else as the overrides say."""
        given = [word.partition("=")[2] for word in self.words if word.lstrip("+").startswith("seed=")]
        for value in (self.provenance.get("seed"), *reversed(given)):
            if isinstance(value, int) or (isinstance(value, str) and value.lstrip("-").isdigit()):
                return int(value)
        return None


def read_about(target: Target) -> About:
    """Read the small files of a run; those that an old record has not got are empty."""
    folder = RunFolder(target.path)
    problems: list[str] = []
    provenance = _read(folder.provenance, orjson.loads, dict, problems)
    words = _read(folder.overrides, _words, list, problems)
    if not folder.config.exists():
        problems.append(f"{folder.config.name} is missing")
    return About(target, folder, read_status(folder), provenance, tuple(map(str, words)), tuple(problems))


def _words(content: bytes) -> Any:
    """Overrides; where all are plain words, as they mostly are, without a parser: it takes longest of these files."""
    if PLAIN_WORDS.fullmatch(content):
        return content.decode().removeprefix("- ").rstrip("\n").split("\n- ")
    return yaml.load(content, Loader=LOADER)


def _read(file: Path, parse: Callable[[bytes], Any], kind: type, problems: list[str]) -> Any:
    try:
        content = parse(file.read_bytes())
        if not isinstance(content, kind):
            raise TypeError(f"it holds no {kind.__name__}")
    except FileNotFoundError:
        return kind()
    except READ_ERRORS as error:
        problems.append(unreadable(file, error).why)
        return kind()
    return content


def _parse_config(file: Path) -> bytes:
    tree = yaml.load(file.read_bytes(), Loader=LOADER)
    if not isinstance(tree, dict):
        raise TypeError("it is not a configuration")
    return orjson.dumps(tree, default=str, option=orjson.OPT_NON_STR_KEYS)


#: Resolved configurations, as the harness wrote them.
CONFIG: Reader[dict[str, Any]] = Reader("config", _parse_config, orjson.loads)
