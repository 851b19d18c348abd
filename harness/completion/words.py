"""What may stand where a command line ends.

A candidate that is a whole word ends in a space; one that goes on, such as ``algorithm=``, does not. Where there is
none, the shell offers files.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from harness.completion.shells import SCRIPTS
from harness.config.catalogue import GROUPS, catalogue
from harness.errors import ConfigurationError, HarnessError
from harness.usage import FLAGS

VALUES = {
    "--value": ("final ", "best ", "area ", "at=", "until="),
    "--over": ("steps ", "tokens ", "seconds "),
    "--statistic": ("mean ", "iqm "),
    "--format": ("table ", "json ", "csv ", "md ", "latex "),
}
SWEEP_ACTIONS = ("status", "logs", "cancel", "retry")
OVERRIDDEN = ("train", "check", "show", "rerun", "evaluate")  # commands that take overrides
LAST_OF_SEVERAL = re.compile(r"^(.*[\[,])?")  # reward_fn=[a,b and, with -m, algorithm=a,b


def candidates(line: str) -> list[str]:
    """The words that the last one of a command line may become, in order.

    Args:
        line: The line up to the cursor, with the name of the program.
    """
    *given, current = _split(line)[1:] or [""]
    if not given:
        return _matching(current, _whole((*FLAGS, "help")))
    command, words = given[0], given[1:]
    flags = FLAGS.get(command, {})
    if words and flags.get(words[-1]):
        return _matching(current, _values(words[-1], words))
    if current.startswith("-"):
        return _matching(current, _whole(flags))
    plain = [word for word in words if not word.startswith("-")]
    if command in OVERRIDDEN:
        return _overrides(current, words)
    if command == "sweep":
        return _matching(current, _sweep(plain))
    if command in ("list", "completion"):
        return _matching(current, _whole(GROUPS if command == "list" else SCRIPTS) if not plain else ())
    return []


def _split(line: str) -> list[str]:
    for closing in ("", "'", '"'):  # a quote may still be open
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        return [*words, ""] if line.endswith(" ") and not closing else words
    return line.split()


def _whole(names: Iterable[str]) -> list[str]:
    return [f"{name} " for name in names]


def _matching(current: str, found: Iterable[str]) -> list[str]:
    return sorted(each for each in found if each.startswith(current))


def _values(flag: str, words: Sequence[str]) -> Iterable[str]:
    if flag == "--algorithm":
        return _whole(catalogue()["algorithm"])
    return _metrics(words) if flag == "--metric" else VALUES.get(flag, ())


def _metrics(words: Sequence[str]) -> list[str]:
    """Of the first run that is named; the metrics of runs that are compared are mostly the same."""
    from harness.compare.load import load_runs
    from harness.compare.sources import means
    from harness.compare.targets import find_targets

    named = [word for word in words if not word.startswith("-") and Path(word).exists()]
    try:
        runs = load_runs(find_targets(named or ["outputs"]).runs[:1])
    except HarnessError:
        return []
    return _whole(name for run in runs for name in (*means([run]), *run.metrics))


def _sweep(plain: Sequence[str]) -> list[str]:
    from harness.launch.sweep.folder import SweepFolder

    if not plain:
        return _whole(SWEEP_ACTIONS)
    if len(plain) == 1 or plain[0] == "status":
        return []  # a folder
    try:
        return _whole(run.run_id for run in SweepFolder.open(plain[1]).plan().runs)
    except HarnessError:
        return []


def _overrides(current: str, words: Sequence[str]) -> list[str]:
    key, equals, value = current.partition("=")
    groups = catalogue()
    if equals:
        matched = LAST_OF_SEVERAL.match(value)
        before = (matched and matched[1]) or ""
        options = groups.get(key.lstrip("+~"), {})
        end = "" if before.startswith("[") else " "
        return _matching(current, [f"{key}={before}{option}{end}" for option in options])
    sign = current[: len(current) - len(current.lstrip("+~"))]
    found = [] if "." in current else [f"{group}=" for group in groups]
    return _matching(current, {sign + each for each in (*found, *_keys(key.lstrip("+~"), words))})


def _keys(start: str, words: Sequence[str]) -> list[str]:
    """The configuration's keys one level on: ``trainer.`` where more follow, ``trainer.save_freq=`` where none do."""
    from harness.config.compose import compose_config

    chosen = [word for word in words if "=" in word and not word.startswith("-") and "," not in word]
    try:
        config = compose_config(chosen)
    except ConfigurationError:
        config = compose_config()  # one of them is wrong, and `harness check` will say which
    section = start.rpartition(".")[0]
    node = OmegaConf.select(config, section) if section else config
    if not isinstance(node, DictConfig):
        return []
    before = f"{section}." if section else ""
    return [
        f"{before}{name}{'.' if OmegaConf.is_dict(node._get_node(name)) else '='}"
        for name in node
        if isinstance(name, str) and not name.startswith("_")
    ]
