"""Where a key's value comes from: the command line, or a file and line of the composed tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import yaml

from harness.config.catalogue import GROUPS
from harness.config.compose import composed_files
from harness.config.tree import config_folders, shipped_folders

COMMAND_LINE = "the command line"


@dataclass(frozen=True)
class Origins:
    """The files and words that a configuration was composed of.

    Args:
        overrides: The words.
        project: The user's folder.
        written: What a file given in place of an experiment asks for (`harness.config.written.written_keys`).
    """

    overrides: tuple[str, ...]
    project: Path
    written: Mapping[str, str] = field(default_factory=dict)

    def of(self, key: str) -> str:
        """Where the value of a dotted key comes from; empty where nothing gives it."""
        for word in reversed(self.overrides):
            name = word.lstrip("+~").partition("=")[0]
            if not is_group(name) and (key == name or key.startswith(f"{name}.")):
                return COMMAND_LINE
        if key in self.written:
            return self.written[key]
        for file, package in reversed(self._files):
            if line := self._lines[file].get(_within(key, package)):
                return f"{_shown(file, self.project)}:{line}"
        return ""

    def given(self) -> dict[str, str]:
        """The keys that the user set, on the command line and in files of their own, and where."""
        own = [folder for folder in config_folders(self.project) if folder not in shipped_folders()]
        found: dict[str, str] = {}
        for file, package in self._files:
            if any(file.is_relative_to(folder) for folder in own):
                prefix = f"{package}." if package else ""
                shown = _shown(file, self.project)
                found |= {f"{prefix}{key}": f"{shown}:{line}" for key, line in self._lines[file].items()}
        found |= self.written
        for word in self.overrides:
            name, separator, _ = word.lstrip("+").partition("=")
            if separator and not is_group(name):
                found[name] = COMMAND_LINE
        return found

    def with_words(self, overrides: tuple[str, ...]) -> Origins:
        """The same files with other words, which choose the same ones."""
        other = replace(self, overrides=overrides)
        other.__dict__.update(_files=self._files, _lines=self._lines)  # where cached_property keeps them
        return other

    @cached_property
    def _files(self) -> list[tuple[Path, str]]:
        return composed_files(self.overrides, self.project)

    @cached_property
    def _lines(self) -> dict[Path, dict[str, int]]:
        return {file: key_lines(file) for file in dict.fromkeys(file for file, _ in self._files)}


def is_group(name: str) -> bool:
    """Whether a word chooses an option of a group and gives no key a value."""
    return name in GROUPS or "/" in name or "@" in name


def _shown(file: Path, project: Path) -> str:
    for root in (project, *(folder.parent for folder in shipped_folders())):
        if file.is_relative_to(root):
            return str(file.relative_to(root))
    return str(file)


def _within(key: str, package: str) -> str:
    if not package or key == package:
        return key if not package else ""
    return key.removeprefix(f"{package}.") if key.startswith(f"{package}.") else ""


def key_lines(file: Path) -> dict[str, int]:
    """Every dotted key of a YAML file with its line."""
    root = yaml.compose(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    found: dict[str, int] = {}
    waiting: list[tuple[str, yaml.Node | None]] = [("", root)]
    while waiting:
        prefix, node = waiting.pop()
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            name = f"{prefix}{key.value}"
            found[name] = key.start_mark.line + 1
            waiting.append((f"{name}.", value))
    return {key: line for key, line in found.items() if key != "defaults"}
