"""From the words of a command to a configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from harness.cli import main
from harness.config.classic import classic_words
from harness.config.compose import compose_config, resolve
from harness.errors import ConfigurationError
from harness.launch.changes import recorded_config
from harness.launch.command import dry_resume, evaluate_run, resume_run
from harness.records.checkpoints import begin, complete
from harness.records.run_folder import RunFolder
from harness.records.status import StatusWriter


def test_flags_become_overrides() -> None:
    words = classic_words(
        {"--algorithm": "dr_grpo", "--output_dir": "/scratch/lr=1e-6", "--epochs": "2", "--resume": "x"}
    )
    assert words == ["algorithm=dr_grpo", "output_root='/scratch/lr=1e-6'", "trainer.total_epochs=2"]
    assert classic_words({"--core_algos": "a.py"}) == ["advantage_fn=custom", "advantage_fn.module=a.py"]


def test_a_run_of_slurms_is_not_validated_or_resumed_on_this_machine(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "name", None)
    words = ["experiment=quickstart_tiny", "cluster=slurm", "device=cpu", "rollout=builtin", "cluster.gpus_per_node=0"]
    OmegaConf.save(resolve(compose_config(words)), run.config)
    begin(run.checkpoints / "global_step_4")
    complete(run.checkpoints / "global_step_4")
    for target in (run.path, run.checkpoints / "global_step_4"):
        with pytest.raises(ConfigurationError, match="belongs on Slurm") as caught:
            evaluate_run(str(target), [])
        assert caught.value.remedy.endswith(f"harness evaluate {target} cluster.launcher=local")
    with pytest.raises(ConfigurationError, match="belongs on Slurm") as caught:
        resume_run(str(run.path), [])
    assert caught.value.remedy.endswith(f"{run.run_id}, or add cluster.launcher=local.")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="belongs on Slurm"):
        evaluate_run(str(tmp_path / "model"), words)


def test_a_record_does_not_give_trust(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "name", None)
    config = compose_config(["trusted_modules=[my_parts]"])
    OmegaConf.save(config, run.config)
    with pytest.raises(ConfigurationError, match=r"add trusted_modules=\[my_parts\] to the command"):
        recorded_config(run, [])
    assert recorded_config(run, ["trusted_modules=[my_parts]", "seed=3"]).seed == 3
    assert list(recorded_config(run, ["plugins=[my_parts]"]).trusted_modules) == ["my_parts"]


def test_a_resume_leaves_seed_and_places_as_they_are(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "name", None)
    OmegaConf.save(resolve(compose_config(["experiment=quickstart_tiny", "trainer.logger=[console]"])), run.config)
    for word, key in (("seed=9", "seed"), ("name=other", "name"), ("algorithm.gamma=0.5", "algorithm.gamma")):
        with pytest.raises(ConfigurationError, match=f"{key} would differ"):
            dry_resume(str(run.path), [word])
    assert "would go on with" in dry_resume(str(run.path), ["trainer.save_freq=2"])
    begin(run.checkpoints / "global_step_4")
    complete(run.checkpoints / "global_step_4")
    begin(run.checkpoints / "global_step_6")
    assert "from step 4" in dry_resume(str(run.path), [])
    assert not run.log.exists(), "a dry run runs nothing"


def test_a_torn_checkpoint_is_none_to_evaluate(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "name", None)
    begin(run.checkpoints / "global_step_2")
    with pytest.raises(ConfigurationError, match="has no whole checkpoint"):
        evaluate_run(str(run.path), [])


def test_a_run_that_is_running_is_not_resumed(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "name", None)
    OmegaConf.save(resolve(compose_config(["experiment=quickstart_tiny"])), run.config)
    StatusWriter(run).running(4)
    with pytest.raises(ConfigurationError, match=rf"is running: process {os.getpid()} on .* drives it"):
        resume_run(str(run.path), [])


def test_a_path_with_an_equals_sign_is_a_run_where_it_exists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "lr=1e-6"
    folder.mkdir()
    assert main(["evaluate", str(folder), "seed=2"]) == 2
    assert f"{folder} is not a run folder" in capsys.readouterr().err
