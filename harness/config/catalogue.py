"""What can be chosen: every group with its options and the first comment of each option's file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from harness.components.kinds import KINDS
from harness.config.plugins import declared_components
from harness.config.suggest import did_you_mean
from harness.config.tree import config_folders, shipped_folders, verl_trainer_configs
from harness.errors import ConfigurationError

_IN_ORDER = (
    "experiment", "algorithm", "model", "data", "reward_fn", "reward_manager", "advantage_fn", "policy_loss",
    "lora", "rollout", "engine", "device", "machine", "cluster", "tracking", "manager", "sweep",
)  # fmt: skip
GROUPS = (*_IN_ORDER, *(kind.group for kind in KINDS.values() if kind.group not in _IN_ORDER))


def catalogue(plugins: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Group → option → its line of help; a user's own options are marked.

    Args:
        plugins: Modules that register components, beside those in ``experiments/``.
    """
    found: dict[str, dict[str, str]] = {group: {} for group in GROUPS}
    for folder in reversed(config_folders()):
        own = folder not in shipped_folders()
        for path in sorted(folder.glob("*/**/*.yaml")):
            group, option = path.relative_to(folder).parts[0], "/".join(path.relative_to(folder).parts[1:])
            note = " (yours)" if own else ""
            found.setdefault(group, {})[option.removesuffix(".yaml")] = _help(path) + note
    for each in declared_components(plugins, Path.cwd()):
        found[each.kind.group][each.name] = f"{each.help or each.target} (yours, {each.where})"
    return found


def option_file(group: str, name: str) -> Path | None:
    """The file of a group's option, the user's own before the shipped one."""
    files = (folder / group / f"{name}.yaml" for folder in config_folders())
    return next((file for file in files if file.is_file()), None)


def render_catalogue(group: str | None = None, plugins: Sequence[str] = ()) -> str:
    """The catalogue, or one group of it, as text.

    Raises:
        ConfigurationError: There is no such group.
    """
    groups = catalogue(plugins)
    if group is not None and group not in groups:
        raise ConfigurationError(f"harness list {group}: there is no such group.", did_you_mean(group, list(groups)))
    chosen = {group: groups[group]} if group else groups
    width = max(len(option) for options in chosen.values() for option in options or [""]) + 2
    lines = []
    for name, options in chosen.items():
        if options:
            lines += [name, *(f"  {option:<{width}}{text}".rstrip() for option, text in sorted(options.items())), ""]
    if group is None:
        lines += [f"verl's trainer configurations: {', '.join(verl_trainer_configs()) or 'verl is not installed'}", ""]
    return "\n".join(lines)


def _help(path: Path) -> str:
    """The first sentence of the comment at the file's head."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    comment = takewhile(lambda line: line.startswith("#"), (line for line in lines if "@package" not in line))
    text = " ".join(line.lstrip("# ") for line in comment)
    return re.split(r"(?<=[.;])\s(?=\D)", text, maxsplit=1)[0].rstrip(".;")
