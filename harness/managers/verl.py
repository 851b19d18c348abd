"""The manager that trains through unmodified verl."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict

from harness.check.find import require_valid
from harness.config.classic import data_files, experiment_from
from harness.config.written import written_keys
from harness.errors import ConfigurationError, Hang, HarnessError
from harness.launch.again import give_up
from harness.launch.record import open_run
from harness.launch.stops import Stops
from harness.launch.supervise import supervise
from harness.launch.watchdog import Settings
from harness.managers.base import RLTrainingManager
from harness.managers.classic import classic_config, is_composed, plain, train_settings
from harness.prepare import prepare_all
from harness.records.checkpoints import checkpoint_at
from harness.records.run_folder import RunFolder
from harness.records.summary import RunSummary


class VERLTrainingManager(RLTrainingManager):
    """Trains, validates and generates with verl's V1 trainer.

    Args:
        config: A composed configuration (`harness.config.compose.compose_config`), or a YAML file or mapping with
            verl's sections; see `harness.managers.classic.classic_config` for this and the next five.
        algorithm_type, reward_function, reward_manager_class, core_algos_module, core_algos_function: Choices, in place
            of those of ``config``.
        overrides: What the user wrote to get a composed configuration, for the record; else overrides that win.
    """

    def __init__(
        self,
        config: DictConfig | Mapping[str, Any] | str | Path,
        algorithm_type: str | None = None,
        reward_function: Any = None,
        reward_manager_class: Any = None,
        core_algos_module: str | None = None,
        core_algos_function: str | None = None,
        overrides: Sequence[str] = (),
    ) -> None:
        made = is_composed(config)
        composed, words = classic_config(
            config,
            algorithm_type,
            reward_function,
            reward_manager_class,
            core_algos_module,
            core_algos_function,
            () if made else overrides,
        )
        super().__init__(composed)
        if not made:
            self.given, self.written = experiment_from(plain(config)), written_keys(plain(config), words)
        self.overrides = list(overrides) if made else words
        self.run: RunFolder | None = None

    def train(self, data_path: str | None = None, output_dir: str | None = None, **settings: Any) -> RunSummary:
        """Train as a new run.

        Args:
            data_path: Folder with ``train.parquet`` and ``validation.parquet`` (or ``test.parquet``); the
                configuration's files if not given.
            output_dir: Folder that run folders are made in; ``output_root`` if not given.
            settings: ``num_epochs``, ``total_steps``, ``batch_size``, ``learning_rate``, ``eval_interval``,
                ``save_interval``, ``seed``, and further values by dotted key.

        Raises:
            ConfigurationError: The configuration cannot be run as written.
            TrainingError: The training did not finish.
        """
        settings = train_settings(settings)
        if data_path is not None:
            settings |= data_files(Path(data_path))
        if output_dir is not None:
            settings["output_root"] = str(output_dir)
        self.update_config(settings)
        require_valid(self.config, self.overrides, self.written)
        self.run, resolved = open_run(self.config, self.overrides, given=self.given, code_of=self.code_of)
        return self._supervise(self.run, resolved)

    def resume(self, run: RunFolder, stops: Stops | None = None) -> RunSummary:
        """Go on with a run in its own folder, from its last checkpoint (from its start where there is none).

        Args:
            run: The run.
            stops: What signals mean to it; by default they end it at once. Who gives them starts it again after a hang.

        Raises:
            Hang: It is to be started again; only with ``stops``.
        """
        require_valid(self.config, self.overrides)
        self.run = run
        return self._supervise(run, self.config, stops)

    def evaluate(self, checkpoint: str | None = None, **settings: Any) -> RunSummary:
        """Validate only, as a run of its own.

        Args:
            checkpoint: A ``global_step_N`` folder or a Hugging Face folder; the configured model if not given.
            settings: Further values by dotted key.
        """
        settings |= {"trainer.val_only": True, "trainer.val_before_train": True}
        if checkpoint is not None and (Path(checkpoint) / "config.json").is_file():
            settings["actor_rollout_ref.model.path"] = str(Path(checkpoint).resolve())
        elif checkpoint is not None:
            settings |= {
                "trainer.resume_mode": "resume_path",
                "trainer.resume_from_path": str(Path(checkpoint).resolve()),
            }
        return self.train(**settings)

    def save(self, path: str | Path) -> Path:
        """Write the last checkpoint's model as a Hugging Face folder that `transformers` loads."""
        from harness.backend.export import export_checkpoint

        return export_checkpoint(self._last_checkpoint(), Path(path))

    def load(self, path: str | Path) -> None:
        """Start from this Hugging Face folder from now on."""
        if not (Path(path) / "config.json").is_file():
            raise ConfigurationError(f"{path} is not a Hugging Face model folder: it has no config.json.")
        with open_dict(self.config):
            self.config.actor_rollout_ref.model.path = str(Path(path).resolve())

    def generate(self, prompts: list[str], **sampling: Any) -> list[str]:
        """The response of the model in ``actor_rollout_ref.model.path`` to each prompt, greedy by default."""
        from harness.backend.export import generate_texts

        prepare_all(self.config)
        return generate_texts(self.config, prompts, sampling)

    def _supervise(self, run: RunFolder, config: DictConfig, stops: Stops | None = None) -> RunSummary:
        def work(poll: Callable[[], None], announce: Callable[[str], None]) -> dict[str, Any]:
            prepare_all(config, announce)
            from harness.backend.train import run_training

            return run_training(config, poll, announce)

        title, steps = f"{config.name} · {run.shown()}", config.trainer.total_training_steps
        most, watchdog = config.cluster.get("requeues") or 0, Settings.of(config.cluster)
        foreground = config.cluster.launcher == "debug"
        given = (run, work, steps, title, stops, watchdog, foreground)
        for _ in range(most if stops is None else 0):
            with contextlib.suppress(Hang):
                return supervise(*given)
        try:
            return supervise(*given)
        except Hang:
            if stops is None:
                give_up(run, most)
            raise

    def _last_checkpoint(self) -> Path:
        step = self.run.last_checkpoint() if self.run else None
        if self.run is None or step is None:
            raise HarnessError(
                "There is no whole checkpoint to save from.", "Train with trainer.save_freq=N, or N = the last step."
            )
        return checkpoint_at(self.run.checkpoints, step)
