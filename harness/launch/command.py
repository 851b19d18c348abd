"""What the training commands do, from words to a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict

from harness.check.find import compose_or_tell_all, require_valid
from harness.components.instantiate import instantiate
from harness.config.classic import experiment_from
from harness.config.compose import compose_config, resolve
from harness.config.words import quoted
from harness.config.written import compose_written, written_keys
from harness.errors import ConfigurationError, HarnessError
from harness.launch.changes import record_changes, recorded_config, resumable_config
from harness.launch.record import as_another_run
from harness.records.checkpoints import checkpoint_at
from harness.records.run_folder import RunFolder
from harness.records.status import read_status


def build_manager(config: DictConfig, overrides: Sequence[str]) -> Any:
    """The manager that ``manager`` names, with its configuration, which alone says what is saved."""
    given = {"config": config, "overrides": overrides, "save_last": False}
    return instantiate(config.manager, "manager", config.trusted_modules, **given)


def run_of(manager: Any) -> str:
    """The folder of the run that a manager has made last.

    Raises:
        HarnessError: It has named none.
    """
    run = getattr(manager, "run", None)
    if run is None:
        name = type(manager).__qualname__
        raise HarnessError(
            f"manager: {name} has come to its end and says of no run that it was this one.",
            "Let it keep the folder that harness.launch.record.open_run makes in self.run.",
        )
    return run.shown()


def train_run(overrides: Sequence[str], file: str | None = None) -> str:
    """Compose, check, train; returns the run's folder.

    Args:
        overrides: Words of the command.
        file: A YAML file with verl's sections, in place of an experiment.
    """
    manager = build_manager(compose_written(overrides, file), overrides)
    manager.given = experiment_from(file) if file else None
    manager.written = written_keys(file, overrides)
    manager.train()
    return run_of(manager)


def launcher_of(overrides: Sequence[str], file: str | None = None) -> str:
    """Where the composition would run: ``local`` or ``slurm``."""
    return str(OmegaConf.select(compose_or_tell_all(overrides, file), "cluster.launcher"))


def dry_run(overrides: Sequence[str], file: str | None = None) -> str:
    """The resolved configuration and the folder a run would get."""
    config = compose_written(overrides, file)
    require_valid(config, overrides, written_keys(file, overrides))
    folder = Path(config.output_root) / config.name
    return f"# would run in {folder}/<run_id>\n{OmegaConf.to_yaml(resolve(config))}"


def resume_run(path: str, overrides: Sequence[str], allow: bool = False) -> str:
    """Go on with a run; returns its folder.

    Args:
        path: The run's folder.
        overrides: Values on top of what is recorded.
        allow: Whether what decides the result may change.

    Raises:
        ConfigurationError: It is not a run, or the overrides would make another experiment of it.
    """
    run = RunFolder.open(path)
    config = resumable_config(run, overrides, allow)
    again = f"harness sweep retry {RunFolder(run.path.parent).shown()} {run.run_id}"
    _require_this_machine(config, run.shown(), f"{again}, or add cluster.launcher=local.")
    _require_no_driver(run)
    require_valid(config, overrides)
    record_changes(run, config, overrides)
    manager = build_manager(config, overrides)
    manager.resume(run)
    return run.shown()


def _require_no_driver(run: RunFolder) -> None:
    """Two processes that write one run would spoil its record."""
    status = read_status(run)
    if status.state == "running":
        raise ConfigurationError(
            f"{run.shown()} is running: process {status.pid} on {status.host} drives it.",
            "Wait for its end, or stop it first with Ctrl-C or kill; what is left of it can be resumed then.",
        )


def _require_this_machine(config: DictConfig, what: str, remedy: str) -> None:
    if OmegaConf.select(config, "cluster.launcher") == "slurm":
        raise ConfigurationError(f"{what} belongs on Slurm (cluster.launcher), and not on this machine.", remedy)


def dry_resume(path: str, overrides: Sequence[str], allow: bool = False) -> str:
    """What `resume_run` would go on with, and from which step."""
    run = RunFolder.open(path)
    config = resumable_config(run, overrides, allow)
    step = run.last_checkpoint()
    where = f"from step {step}" if step else "from its start, as it has no whole checkpoint"
    return f"# would go on with {run.shown()} {where}\n{OmegaConf.to_yaml(config)}"


def evaluate_run(target: str, overrides: Sequence[str]) -> str:
    """Validate a model; returns the new run's folder.

    Args:
        target: A run, whose last checkpoint counts; a ``global_step_N`` folder of one; or a Hugging Face model folder,
            which is validated with what the overrides compose to.
        overrides: Words of the command.

    Raises:
        ConfigurationError: It has nothing to be validated, or is Slurm's.
    """
    path = Path(target)
    remedy = f"In a job of your own, or where there is a GPU: harness evaluate {target} cluster.launcher=local"
    if is_model_folder(path):
        config = compose_config([*overrides, f"actor_rollout_ref.model.path={quoted(str(path.resolve()))}"])
        _require_this_machine(config, target, remedy)
        manager = build_manager(config, overrides)
        manager.evaluate()
        return run_of(manager)
    checkpoint = path if path.name.startswith("global_step_") else None
    run = RunFolder.open(path.parent.parent if checkpoint else path)
    if checkpoint is None:
        step = run.last_checkpoint()
        if step is None:
            raise ConfigurationError(
                f"{run.shown()} has no whole checkpoint.", "Train with trainer.save_freq=N to keep some."
            )
        checkpoint = checkpoint_at(run.checkpoints, step)
    config = recorded_config(run, overrides)
    _require_this_machine(config, run.shown(), remedy)
    as_another_run(config)
    with open_dict(config):
        config.name = f"{config.name}-evaluate"
    manager = build_manager(config, [*_words(run), *overrides])
    manager.evaluate(str(checkpoint))
    return run_of(manager)


def _words(run: RunFolder) -> list[str]:
    return list(yaml.safe_load(run.overrides.read_text()) or []) if run.overrides.is_file() else []


def is_model_folder(path: Path) -> bool:
    """Whether it is a folder that `transformers` loads."""
    return (path / "config.json").is_file()
