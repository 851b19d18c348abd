"""A run that goes on with other values, or begins again: what may change, and what the record says of it.

A run is resumed with values on top of what is recorded (groups have been composed). What decides its result changes
only where that is asked for, and stays readable in ``provenance.json``; its places never change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from omegaconf import DictConfig, OmegaConf

from harness.config.fingerprint import PLACES, fingerprint, identity
from harness.config.plugins import list_in
from harness.errors import ConfigurationError
from harness.launch.difference import differing
from harness.records.atomic import write_json, write_text
from harness.records.provenance import read_provenance
from harness.records.run_folder import RunFolder

ALLOW = "--allow-changes"
KEPT = frozenset(
    {"config.yaml", "overrides.yaml", "given.yaml", "provenance.json", "code.diff", "driver.json", "earlier"}
)
TRUST = ("trusted_modules=", "plugins=")  # such a word repeats what is recorded


def recorded_config(run: RunFolder, overrides: Sequence[str]) -> DictConfig:
    """A run's configuration with overrides on its values.

    Raises:
        ConfigurationError: A word is no value of it, or its trust is not given again.
    """
    config = OmegaConf.load(run.config)
    require_trust(run, config.get("trusted_modules") or [], overrides)
    for override in overrides:
        if override.startswith(TRUST):
            continue
        key, separator, value = override.lstrip("+").partition("=")
        if not separator or (
            OmegaConf.select(config, key) is None and not override.startswith("+") and not _has(config, key)
        ):
            raise ConfigurationError(f"{override}: {key} is not a key of {run.shown()}'s configuration.")
        given = OmegaConf.create(f"value: {value}").value
        if OmegaConf.is_config(OmegaConf.select(config, key)) and not OmegaConf.is_config(given):
            raise ConfigurationError(
                f"{override}: {key} is a section of {run.shown()}'s configuration, which was composed when it began.",
                "Give values of it, or start a new run.",
            )
        OmegaConf.update(config, key, given)
    return config


def resumable_config(run: RunFolder, overrides: Sequence[str], allow: bool = False) -> DictConfig:
    """The configuration that a run goes on with.

    Args:
        run: The run.
        overrides: Values on top of what is recorded.
        allow: Whether what decides the result may change.

    Raises:
        ConfigurationError: The overrides would make another experiment of it.
    """
    config = recorded_config(run, overrides)
    changed = _changed(run, config)
    fixed = [key for key in changed if key in PLACES]
    if fixed or (changed and not allow):
        remedy = "Leave them out, or start a new run."
        if not fixed:
            remedy = f"Leave them out, start a new run, or add {ALLOW}, which its record will tell."
        raise ConfigurationError(
            f"{', '.join(fixed or changed)} would differ from what {run.shown()} was trained with.", remedy
        )
    return config


def record_changes(run: RunFolder, config: DictConfig, overrides: Sequence[str]) -> None:
    """Make the record say what the run goes on with, and since which step."""
    said = [word for word in overrides if not word.startswith(TRUST)]
    if not said:
        return
    change = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "from_step": run.last_checkpoint() or 0,
        "overrides": said,
        "changed": {key: list(values) for key, values in _changed(run, config).items()},
    }
    provenance = read_provenance(run)
    provenance |= {"changes": [*provenance.get("changes", []), change]}
    provenance |= {"fingerprint": fingerprint(config), "seed": config.get("seed")}
    write_json(run.provenance, provenance)
    write_text(run.config, OmegaConf.to_yaml(config))


def set_aside(run: RunFolder) -> None:
    """Move what a run has reached to ``earlier/N``, so that it begins again; nothing is lost."""
    reached = [path for path in sorted(run.path.iterdir()) if path.name not in KEPT]
    if not reached:
        return
    number = 1 + sum(1 for _ in run.path.glob("earlier/*"))
    place = run.path / "earlier" / str(number)
    place.mkdir(parents=True)
    for path in reached:
        path.rename(place / path.name)


def require_trust(
    run: RunFolder, modules: Iterable[str], overrides: Sequence[str], alike: Callable[[str], str] = str
) -> None:
    """A record is a file like any other: what it trusts is trusted once more by the command, or not at all.

    Args:
        run: The run.
        modules: What its configuration trusts.
        overrides: Of the command.
        alike: Gives equal names to what is one module.

    Raises:
        ConfigurationError: The command does not say so.
    """
    given = [*list_in("trusted_modules", overrides), *list_in("plugins", overrides)]
    given += [value for key, _, value in (word.partition("=") for word in overrides) if key.endswith(".module")]
    known = {alike(module) for module in given}
    if missing := [module for module in modules if alike(module) not in known]:
        raise ConfigurationError(
            f"{run.shown()} was made with trusted_modules=[{','.join(missing)}], which may run any code.",
            f"If you trust them, add trusted_modules=[{','.join(missing)}] to the command.",
        )


def _changed(run: RunFolder, config: DictConfig) -> dict[str, tuple[Any, Any]]:
    rows: Iterable[tuple[str, Any, Any]] = differing(identity(OmegaConf.load(run.config)), identity(config))
    return {key: (before, after) for key, before, after in rows}


def _has(config: DictConfig, key: str) -> bool:
    parent, _, leaf = key.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    return isinstance(node, DictConfig) and leaf in node
