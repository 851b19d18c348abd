"""What the manager does around a training, which is faked here: what is saved, and which model is used afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import VERLTrainingManager
from harness.config.compose import compose_config
from harness.errors import ConfigurationError, HarnessError
from harness.launch.command import build_manager
from harness.managers import verl
from harness.managers.trained import LAST_STEP_ALONE
from harness.records.checkpoints import MANIFEST
from harness.records.run_folder import RunFolder

if TYPE_CHECKING:
    from omegaconf import DictConfig

WORDS = ["experiment=quickstart_tiny", "trainer.save_freq=-1"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[DictConfig]:
    """The configurations of runs, which end at once, with a checkpoint where one was to be kept; nothing is checked."""
    monkeypatch.chdir(tmp_path)
    configs: list[DictConfig] = []

    def supervise(run: RunFolder, work: Any, *_: Any) -> None:
        config = configs[-1]
        if config.trainer.save_freq > 0 and not config.trainer.val_only:
            checkpoint = run.checkpoints / "global_step_4"
            checkpoint.mkdir(parents=True)
            (checkpoint / MANIFEST).write_text('{"complete": true, "files": {}}')

    def open_run(config: DictConfig, overrides: Any, **about: Any) -> Any:
        configs.append(config)
        return opened(config, overrides, **about)

    opened = verl.open_run
    monkeypatch.setattr(verl, "open_run", open_run)
    monkeypatch.setattr(verl, "supervise", supervise)
    monkeypatch.setattr(verl, "require_valid", lambda *_: None)
    monkeypatch.setattr(verl, "prepare_all", lambda *_: None)
    return configs


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The checkpoints that are exported."""
    checkpoints: list[Path] = []

    def export(checkpoint: Path, path: Path) -> Path:
        checkpoints.append(checkpoint)
        path.mkdir()
        (path / "config.json").write_text("{}")
        return path

    monkeypatch.setattr("harness.backend.export.export_checkpoint", export)
    return checkpoints


@pytest.fixture
def generating(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that text is generated with."""
    models: list[str] = []

    def generate(config: DictConfig, prompts: list[str], sampling: Any) -> list[str]:
        models.append(config.actor_rollout_ref.model.path)
        return prompts

    monkeypatch.setattr("harness.backend.export.generate_texts", generate)
    return models


def test_the_last_step_is_saved_where_nothing_is_set(
    started: list[DictConfig], exported: list[Path], tmp_path: Path
) -> None:
    manager = VERLTrainingManager({"trainer": {"total_training_steps": 4}})
    manager.train()
    assert started[-1].trainer.save_freq == LAST_STEP_ALONE
    assert manager.save(tmp_path / "saved") == tmp_path / "saved"
    assert exported == [manager.run.checkpoints / "global_step_4"]


def test_what_is_set_stays(started: list[DictConfig], tmp_path: Path) -> None:
    manager = VERLTrainingManager({"trainer": {"save_freq": 3}})
    manager.train()
    assert started[-1].trainer.save_freq == 3
    manager.train(save_interval=-1)
    assert started[-1].trainer.save_freq == -1
    with pytest.raises(HarnessError, match=r"has no whole checkpoint.*\n.*save_interval=N"):
        manager.save(tmp_path / "saved")
    VERLTrainingManager({}, overrides=["trainer.save_freq=-1"]).train()
    assert started[-1].trainer.save_freq == -1
    VERLTrainingManager(compose_config(WORDS), overrides=WORDS).train()
    assert started[-1].trainer.save_freq == -1
    build_manager(compose_config(WORDS), ()).train()  # the command: what its configuration says, no more
    assert started[-1].trainer.save_freq == -1


def test_the_trained_model_is_used_from_then_on(
    started: list[DictConfig], exported: list[Path], generating: list[str]
) -> None:
    manager = VERLTrainingManager(compose_config(WORDS[:1]))
    untrained = manager.config.actor_rollout_ref.model.path
    manager.generate(["a"])
    assert generating == [untrained]
    manager.train()
    checkpoint = manager.run.checkpoints / "global_step_4"
    manager.evaluate()
    assert started[-1].trainer.val_only
    assert started[-1].trainer.resume_from_path == str(checkpoint.resolve())
    manager.generate(["a"])
    manager.generate(["b"])
    assert exported == [checkpoint]  # the folder is made once
    assert generating[1] == generating[2] != untrained
    manager.train()
    assert not started[-1].trainer.val_only  # an evaluation leaves the configuration as it was
    assert started[-1].actor_rollout_ref.model.path == untrained


def test_a_loaded_model_takes_its_place(
    started: list[DictConfig], exported: list[Path], generating: list[str], tmp_path: Path
) -> None:
    manager = VERLTrainingManager(compose_config(WORDS[:1]))
    manager.train()
    other = manager.save(tmp_path / "other")
    manager.load(other)
    manager.generate(["a"])
    manager.evaluate()
    assert generating == [str(other)]
    assert started[-1].actor_rollout_ref.model.path == str(other)
    assert started[-1].trainer.resume_mode == "auto"
    with pytest.raises(HarnessError, match="There is no trained model to save"):
        manager.save(tmp_path / "again")
    manager.train()
    assert started[-1].actor_rollout_ref.model.path == str(other)  # goes on from it
    with pytest.raises(ConfigurationError, match="is no model: neither a Hugging Face folder"):
        manager.load(tmp_path)


def test_a_checkpoint_or_a_run_that_is_loaded_is_gone_on_from(
    started: list[DictConfig], exported: list[Path], generating: list[str], tmp_path: Path
) -> None:
    VERLTrainingManager(compose_config(WORDS[:1])).train()
    (run,) = (tmp_path / "outputs" / "quickstart_tiny").iterdir()
    checkpoint = run / "checkpoints" / "global_step_4"
    for path in (checkpoint, run):
        manager = VERLTrainingManager(compose_config([*WORDS, "trainer.total_training_steps=8"]), overrides=WORDS)
        manager.load(path)
        manager.generate(["a"])
        assert exported[-1] == checkpoint
        manager.save(tmp_path / f"saved-{path.name}")
        manager.evaluate()
        assert started[-1].trainer.val_only
        assert started[-1].trainer.resume_from_path == str(checkpoint)
        manager.train()
        assert (started[-1].trainer.resume_mode, started[-1].trainer.resume_from_path) == (
            "resume_path",
            str(checkpoint),
        )
        assert not started[-1].trainer.val_only
        manager.load(tmp_path / f"saved-{path.name}")  # weights alone: nothing is resumed any more
        manager.train()
        assert (started[-1].trainer.resume_mode, started[-1].trainer.resume_from_path) == ("auto", None)
        assert started[-1].actor_rollout_ref.model.path == str(tmp_path / f"saved-{path.name}")


def test_what_is_no_whole_checkpoint_is_not_loaded(started: list[DictConfig], tmp_path: Path) -> None:
    manager = VERLTrainingManager(compose_config(WORDS), overrides=WORDS)
    manager.train()
    with pytest.raises(HarnessError, match="has no whole checkpoint"):
        manager.load(manager.run.path)
    torn = tmp_path / "global_step_3"
    torn.mkdir()
    (torn / MANIFEST).write_text('{"complete": false}')
    for path, words in ((torn, "is no whole checkpoint"), (tmp_path, r"is no model: .*\n.*manager\.save wrote")):
        with pytest.raises(ConfigurationError, match=words):
            manager.load(path)
    assert manager.config.trainer.resume_mode == "auto"


def test_a_run_id_is_given_once(started: list[DictConfig]) -> None:
    manager = VERLTrainingManager(compose_config([*WORDS, "run_id=first"]))
    manager.train()
    first = manager.run
    manager.train()
    assert (first.run_id, manager.run.run_id == "first") == ("first", False)


def test_a_lost_model_is_not_replaced_by_the_untrained_one(started: list[DictConfig], generating: list[str]) -> None:
    manager = VERLTrainingManager(compose_config(WORDS), overrides=WORDS)
    manager.train()
    with pytest.raises(HarnessError, match="there is no trained model"):
        manager.generate(["a"])
    with pytest.raises(HarnessError, match="there is no trained model"):
        manager.evaluate()
    assert generating == []


def test_every_run_has_a_folder_of_its_own(started: list[DictConfig]) -> None:
    words = [*WORDS[:1], "run_id=first"]
    manager = VERLTrainingManager(compose_config(words), overrides=words)
    manager.train()
    trained = manager.run
    manager.evaluate()
    assert trained.run_id == "first"
    assert manager.run.path != trained.path


def test_a_checkpoint_or_a_folder_is_evaluated(started: list[DictConfig], tmp_path: Path) -> None:
    manager = VERLTrainingManager(compose_config(WORDS))
    manager.evaluate(str(tmp_path / "global_step_7"), **{"data.val_max_samples": 4})
    assert started[-1].trainer.resume_from_path == str(tmp_path / "global_step_7")
    assert started[-1].data.val_max_samples == 4
    (tmp_path / "config.json").write_text("{}")
    manager.evaluate(str(tmp_path))
    assert started[-1].actor_rollout_ref.model.path == str(tmp_path)
