"""The folder of one run, ``outputs/<name>/<run_id>/``: where each of its files lies."""

from __future__ import annotations

import re
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import ConfigurationError
from harness.records.checkpoints import last_step, whole_steps
from harness.records.state import Status, now, save_status, this_process

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


class RunFolder:
    """The paths of a run's record. Naming a path does not make the file.

    Args:
        path: The folder of the run.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, root: Path, name: str, run_id: str | None = None) -> RunFolder:
        """Make a new run folder whose ``status.json`` says ``pending`` from its first moment.

        Args:
            root: The folder of all runs, such as ``outputs``.
            name: The experiment's name, one path component.
            run_id: The run's own folder; None makes a fresh one that sorts by time.

        Raises:
            ConfigurationError: The folder exists already, or a name is not a plain path component.
        """
        run_id = run_id or new_run_id()
        target = Path(root) / plain_name("name", name) / plain_name("run_id", run_id)
        # Filled beside its place and then renamed: nobody ever sees a run folder without a status.
        nursery = target.with_name(f".{run_id}.{secrets.token_hex(4)}.tmp")
        try:
            nursery.mkdir(parents=True)
        except OSError as error:
            raise ConfigurationError(
                f"output_root={root}: no run folder can be made there: {error.strerror or error}.",
                "Give a folder that you may write to: output_root=PATH.",
            ) from error
        try:
            pending = Status(run_id=run_id, heartbeat=now(), **this_process())
            save_status(cls(nursery).status, pending)
            if target.exists():
                raise FileExistsError
            nursery.rename(target)
        except OSError as error:
            shutil.rmtree(nursery)
            if not target.exists():
                raise
            raise ConfigurationError(
                f"run_id={run_id}: {target} exists already, and a run is never overwritten",
                f"leave out run_id for a fresh one, or continue that run: harness train --resume {target}",
            ) from error
        return cls(target)

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """The existing run folder at ``path``.

        Raises:
            ConfigurationError: There is no such folder, or it is not a run's.
        """
        folder = cls(path)
        if not folder.path.is_dir():
            raise ConfigurationError(f"{path}: no such run folder", _known_runs(folder.path.parent))
        if not (folder.status.is_file() or folder.config.is_file()):
            raise ConfigurationError(
                f"{path} is not a run folder: it has neither status.json nor config.yaml", _known_runs(folder.path)
            )
        return folder

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @property
    def run_id(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def overrides(self) -> Path:
        """The overrides of the command line."""
        return self.path / "overrides.yaml"

    @property
    def provenance(self) -> Path:
        """What made the run: command, code, versions, host, devices, seed, fingerprint."""
        return self.path / "provenance.json"

    @property
    def code_diff(self) -> Path:
        """The uncommitted changes of the user's code, as a patch."""
        return self.path / "code.diff"

    @property
    def given(self) -> Path:
        """What a file in place of an experiment said (``--config``); not there without one."""
        return self.path / "given.yaml"

    @property
    def status(self) -> Path:
        """The state of the run; read it with `read_status`, which tells a dead run from a running one."""
        return self.path / "status.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a step."""
        return self.path / "metrics.jsonl"

    @property
    def stages(self) -> Path:
        """What the training process was doing when."""
        return self.path / "stages.jsonl"

    @property
    def signs(self) -> Path:
        """Touched while a stage goes on."""
        return self.path / "signs"

    @property
    def stacks(self) -> Path:
        """Folder of ``<time>/``, what each process was doing when a stage hung."""
        return self.path / "stacks"

    @property
    def generations(self) -> Path:
        """Folder of ``<step>.jsonl``, the validation samples."""
        return self.path / "generations"

    @property
    def checkpoints(self) -> Path:
        """Folder of ``global_step_N/``."""
        return self.path / "checkpoints"

    @property
    def log(self) -> Path:
        """All raw output of the run."""
        return self.path / "train.log"

    @property
    def report(self) -> Path:
        """The self-contained HTML report."""
        return self.path / "report.html"

    def checkpoint_steps(self) -> list[int]:
        """The steps that have a whole checkpoint, ascending."""
        return whole_steps(self.checkpoints)

    def last_checkpoint(self) -> int | None:
        """The step whose checkpoint the run goes on from and is evaluated by; None where no checkpoint is whole."""
        return last_step(self.checkpoints)

    def shown(self) -> str:
        """The path as a person types it: relative where it lies under the current folder."""
        absolute, here = self.path.absolute(), Path.cwd()
        return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


def new_run_id(now: datetime | None = None) -> str:
    """A fresh run id such as ``20261122-171655-3f9a1c``: UTC time and six random digits, sortable by time.

    The digits come from the operating system, not from a seed: two runs with one seed need two folders.
    """
    return f"{(now or datetime.now(UTC)):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def plain_name(key: str, value: str) -> str:
    """The value, if it can name a folder on any file system.

    Raises:
        ConfigurationError: It cannot; the message names the key.
    """
    if not _PLAIN_NAME.fullmatch(value):
        raise ConfigurationError(
            f"{key}={value!r} cannot name a folder",
            "use letters, digits and . _ + - only, beginning with a letter or digit",
        )
    return value


def _known_runs(folder: Path) -> str:
    """A remedy that names the run folders in or below ``folder``, the newest first."""
    runs = sorted((path.parent for path in folder.glob("**/status.json")), key=lambda path: path.name, reverse=True)
    if not runs:
        return "name the folder of one run, outputs/<name>/<run_id>"
    return "runs there: " + ", ".join(str(run) for run in runs[:5]) + (", …" if len(runs) > 5 else "")
