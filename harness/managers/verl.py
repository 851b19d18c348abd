"""The manager that trains through unmodified verl."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.check.data_files import require_data
from harness.check.find import require_valid
from harness.config.classic import data_files, experiment_from
from harness.config.written import written_keys
from harness.data.look import look_at_data
from harness.errors import Hang, HarnessError
from harness.launch.again import give_up
from harness.launch.record import as_another_run, open_run
from harness.launch.stops import Stops
from harness.launch.supervise import supervise
from harness.launch.watchdog import Settings
from harness.managers.base import RLTrainingManager, change
from harness.managers.classic import classic_config, is_composed, plain, train_settings
from harness.managers.trained import LAST_STEP_ALONE, TrainedModel, checkpoint_in
from harness.prepare import prepare_all
from harness.records.run_folder import RunFolder
from harness.records.summary import RunSummary

if TYPE_CHECKING:
    from omegaconf import DictConfig

MODEL = "actor_rollout_ref.model.path"
SAVE_FREQ = "trainer.save_freq"
RESUME_MODE, RESUME_FROM = "trainer.resume_mode", "trainer.resume_from_path"
_RESUMING_NOTHING = {RESUME_MODE: "auto", RESUME_FROM: None}  # every run has a folder of its own


class VERLTrainingManager(RLTrainingManager):
    """Trains, validates and generates with verl's V1 trainer.

    Args:
        config: A composed configuration (`harness.config.compose.compose_config`), or a YAML file or mapping with
            verl's sections; see `harness.managers.classic.classic_config` for this and the next five.
        algorithm_type, reward_function, reward_manager_class, core_algos_module, core_algos_function: Choices, in place
            of those of ``config``.
        overrides: What the user wrote to get a composed configuration, for the record; else overrides that win.
        save_last: Whether a training keeps its last step where nobody has set ``trainer.save_freq``, for `save`,
            `evaluate` and `generate`; verl itself keeps none.
    """

    def __init__(
        self,
        config: DictConfig | Mapping[str, Any] | str | Path,
        algorithm_type: str | None = None,
        reward_function: Any = None,
        reward_manager_class: Any = None,
        core_algos_module: str | Path | None = None,
        core_algos_function: str | None = None,
        overrides: Sequence[str] = (),
        save_last: bool = True,
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
        self.save_last = save_last
        self.run = None
        self.trained: TrainedModel | None = None  # by the last training, unless another model was loaded since

    def train(self, data_path: str | None = None, output_dir: str | None = None, **settings: Any) -> RunSummary:
        """Train as a new run, from the model in ``actor_rollout_ref.model.path`` or from what was loaded (`load`).

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
        changes = _changes(data_path, output_dir, settings)
        self.update_config(changes)
        config = deepcopy(self.config)
        if self.run is not None and config.run_id == self.run.run_id:
            as_another_run(config)
        if self.save_last and config.trainer.save_freq <= 0 and not self._asked_for(SAVE_FREQ, changes):
            change(config, {SAVE_FREQ: LAST_STEP_ALONE})
        return self._start(config)

    def resume(self, run: RunFolder, stops: Stops | None = None) -> RunSummary:
        """Go on with a run in its own folder, from its last checkpoint (from its start where there is none).

        Args:
            run: The run.
            stops: What signals mean to it; by default they end it at once. Who gives them starts it again after a hang.

        Raises:
            Hang: It is to be started again; only with ``stops``.
        """
        require_valid(self.config, self.overrides)
        return self._supervise(run, self.config, stops)

    def evaluate(
        self,
        checkpoint: str | None = None,
        data_path: str | None = None,
        output_dir: str | None = None,
        **settings: Any,
    ) -> RunSummary:
        """Validate only, as a run of its own; the configuration stays as it is.

        Args:
            checkpoint: A ``global_step_N`` folder or a Hugging Face folder; if not given, the model trained last, and
                before a training the configured one.
            data_path: As for `train`.
            output_dir: As for `train`.
            settings: As for `train`.

        Raises:
            HarnessError: The last training has kept no model.
        """
        config = deepcopy(self.config)
        if self.run is not None or config.run_dir is not None:
            as_another_run(config)
        chosen = Path(checkpoint) if checkpoint is not None else None
        if checkpoint is None and self.trained is not None:
            chosen = self.trained.checkpoint
        changes: dict[str, Any] = {"trainer.val_only": True, "trainer.val_before_train": True}
        if chosen is not None and (chosen / "config.json").is_file():
            changes |= {MODEL: str(chosen.resolve()), **_RESUMING_NOTHING}
        elif chosen is not None:
            changes |= _resuming(chosen)
        change(config, {**changes, **_changes(data_path, output_dir, settings)})
        return self._start(config)

    def save(self, path: str | Path) -> Path:
        """Write the model trained last as a Hugging Face folder that `transformers` loads.

        Raises:
            HarnessError: There is none, or ``path`` is in use.
        """
        if self.trained is None:
            raise HarnessError(f"There is no trained model to save: {MODEL} is as it was.", "Train first.")
        return self.trained.export(Path(path))

    def load(self, path: str | Path) -> None:
        """Use this model from now on: every training goes on from it, and it is what is evaluated and generates.

        Args:
            path: A Hugging Face folder, such as `save` writes: trainings begin with its weights, at step 0. Or a
                checkpoint (``global_step_N``), or a run, whose last one counts: trainings go on from it, with its
                optimiser, its place in the data and its step, which counts in ``total_steps``.

        Raises:
            ConfigurationError: It is none of these, or the checkpoint is not whole.
        """
        if (Path(path) / "config.json").is_file():
            change(self.config, {MODEL: str(Path(path).resolve()), **_RESUMING_NOTHING})
            self.trained = None
        else:
            self.trained = TrainedModel(checkpoint_in(Path(path)))
            change(self.config, _resuming(self.trained.checkpoint))

    def generate(self, prompts: list[str], **sampling: Any) -> list[str]:
        """The response to each prompt, greedy by default, of the model trained last, or else of the configured one.

        Raises:
            HarnessError: The last training has kept no model.
        """
        from harness.backend.export import generate_texts

        config = deepcopy(self.config)
        if self.trained is not None:
            change(config, {MODEL: str(self.trained.folder)})
        else:
            prepare_all(config)
        return generate_texts(config, prompts, sampling)

    def _asked_for(self, key: str, changes: Mapping[str, Any]) -> bool:
        """Whether the user has given this key a value, be it the default."""
        return key in {*self.written, *changes, *(word.lstrip("+").partition("=")[0] for word in self.overrides)}

    def _start(self, config: DictConfig) -> RunSummary:
        require_valid(config, self.overrides, self.written)
        return self._supervise(*open_run(config, self.overrides, given=self.given, code_of=self.code_of))

    def _supervise(self, run: RunFolder, config: DictConfig, stops: Stops | None = None) -> RunSummary:
        self.run = run
        if not config.trainer.val_only:
            self.trained = TrainedModel(run)

        def work(poll: Callable[[], None], announce: Callable[[str], None]) -> dict[str, Any]:
            prepare_all(config, announce)
            require_data(config)
            look_at_data(config, announce)
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


def _resuming(checkpoint: Path) -> dict[str, Any]:
    return {RESUME_MODE: "resume_path", RESUME_FROM: str(checkpoint.resolve())}


def _changes(data_path: str | None, output_dir: str | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `train` and `evaluate` by their dotted keys."""
    changes = train_settings(settings)
    if data_path is not None:
        changes |= data_files(Path(data_path))
    if output_dir is not None:
        changes["output_root"] = str(output_dir)
    return changes
