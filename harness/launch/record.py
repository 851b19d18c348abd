"""Opens the record of a run before anything of it runs: folder, configuration, overrides, provenance."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from harness.config.compose import resolve
from harness.config.fingerprint import fingerprint
from harness.errors import Interrupted, disk_full
from harness.records.atomic import write_text, write_yaml
from harness.records.provenance import Provenance
from harness.records.run_folder import RunFolder
from harness.records.status import RunError, StatusWriter


def open_run(
    config: DictConfig,
    overrides: Sequence[str] = (),
    command: Sequence[str] | None = None,
    given: Mapping[str, Any] | None = None,
    code_of: RunFolder | None = None,
) -> tuple[RunFolder, DictConfig]:
    """Make the run's folder and write what is known before the start.

    Args:
        config: The composed configuration; ``run_id`` and ``run_dir`` are filled in, in a copy: another run may follow.
        overrides: What the user wrote, kept in ``overrides.yaml``.
        command: The words of the command; those of this process by default.
        given: What a file in place of an experiment says, kept in ``given.yaml``.
        code_of: A run whose recorded code this process runs; by default it is what git says of the current folder.

    Returns:
        The folder and the resolved configuration, as recorded in ``config.yaml``.

    Raises:
        Interrupted: By Ctrl-C, before the record was whole.
        DiskFull: There is no room for it.
    """
    folder = RunFolder.create(Path(config.output_root), config.name, config.run_id)
    status = StatusWriter(folder)
    status.pending()
    try:
        return folder, _written(folder, config, overrides, command, given, code_of)
    except KeyboardInterrupt as error:
        with contextlib.suppress(OSError):
            status.cancelled()
        raise Interrupted(f"{folder.shown()} was stopped before it began.") from error
    except OSError as error:
        if (full := disk_full(error, folder)) is None:
            raise
        with contextlib.suppress(OSError):
            status.failed(RunError(type(full).__name__, full.message, full.remedy))
        raise full from error


def _written(
    folder: RunFolder,
    config: DictConfig,
    overrides: Sequence[str],
    command: Sequence[str] | None,
    given: Mapping[str, Any] | None,
    code_of: RunFolder | None,
) -> DictConfig:
    """The resolved configuration, now that it and all that is known before the start have been recorded."""
    config = deepcopy(config)
    with open_dict(config):
        config.run_id = folder.run_id
        config.run_dir = str(folder.path.resolve())
    resolved = resolve(config)
    write_text(folder.config, OmegaConf.to_yaml(resolved))
    write_text(folder.overrides, OmegaConf.to_yaml(OmegaConf.create(list(overrides))))
    if given is not None:
        write_yaml(folder.given, dict(given))
    Provenance(code_of=code_of).write(folder, seed=resolved.seed, fingerprint=fingerprint(resolved), command=command)
    return resolved


def as_another_run(config: DictConfig) -> None:
    """Make a recorded configuration one for a run beside the recorded one: id and places follow the run again."""
    with open_dict(config):
        config.run_id = config.run_dir = None
        # left as they are, what the other run has generated would be written over
        config.trainer.experiment_name = "${run_id}"
        config.trainer.default_local_dir = "${run_dir}/checkpoints"
        config.trainer.validation_data_dir = "${run_dir}/generations"
