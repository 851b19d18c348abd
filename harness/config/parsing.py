"""OmegaConf reads a file, and an interpolation's text, anew whenever it is asked: most of what composing takes."""

from __future__ import annotations

import io
import os
import pickle
from functools import lru_cache
from typing import IO, Any

from omegaconf import DictConfig, ListConfig, OmegaConf, base, grammar_parser

KEPT = 8192  # texts; a configuration has some 150
_load = OmegaConf.load
_files: dict[tuple[Any, ...], bytes] = {}


def remember_parsed() -> None:
    """Keep the trees of texts that have been parsed, and of files that have not changed since.

    Two patches of OmegaConf 2.3: composing and checking a quick start resolves the same texts a dozen times, and a
    sweep, a search and the tests compose the same files again and again.
    """
    if base.parse is grammar_parser.parse:
        base.parse = lru_cache(KEPT)(grammar_parser.parse)  # a tree is read and never changed
        OmegaConf.load = staticmethod(_remembered)


def _remembered(file_: str | os.PathLike[str] | IO[Any]) -> DictConfig | ListConfig:
    """A file's tree, a new one each time, as Hydra changes it; made from kept bytes in a tenth of the time."""
    if not isinstance(file_, io.TextIOWrapper) or file_.tell():
        return _load(file_)
    stat = os.fstat(file_.fileno())
    key = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if key not in _files:
        _files[key] = pickle.dumps(_load(file_))
    return pickle.loads(_files[key])
