"""A ``_target_`` outside the trusted modules is refused wherever it hides, and nothing of it is imported to see that."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from harness.check.find import find_problems
from harness.cli import main
from harness.config.compose import compose_config, resolve
from harness.records.checkpoints import begin, complete

TINY = "experiment=quickstart_tiny"
HOSTILE = "raise SystemExit('hostile_place was imported')\n"


@pytest.fixture(autouse=True)
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a module that ends the process when it is imported."""
    (tmp_path / "hostile_place.py").write_text(HOSTILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("HIDDEN", "hostile_place.f")
    return tmp_path


def told(*words: str) -> list[str]:
    given = [TINY, *words]
    return [problem.message for problem in find_problems(compose_config(given), given) if problem.code == "target"]


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("advantage_fn._target_=hostile_place.f", "advantage_fn._target_"),
        ("+advantage_fn.part={_target_: hostile_place.f}", "advantage_fn.part._target_"),
        ("+advantage_fn.part={a: [[{b: {_target_: hostile_place.f}}]]}", "advantage_fn.part.a[0][0].b._target_"),
        (
            "+reward_fn.reasoning_gym.parts=[1, {_target_: hostile_place.f}]",
            "reward_fn.reasoning_gym.parts[1]._target_",
        ),
        ("policy_loss._target_=${oc.env:HIDDEN}", "policy_loss._target_"),
        ("+policy_loss.inner={_target_: '${oc.env:HIDDEN}'}", "policy_loss.inner._target_"),
        ("manager._target_=hostile_place.f", "manager._target_"),
        ("prepare.model._target_=hostile_place.f", "prepare.model._target_"),
        ("actor_rollout_ref.actor._target_=hostile_place.f", "actor_rollout_ref.actor._target_"),
        ("critic.optim._target_=hostile_place.f", "critic.optim._target_"),
        ("+anything.at.all={_target_: hostile_place.f}", "anything.at.all._target_"),
    ],
)
def test_wherever_it_stands(word: str, key: str) -> None:
    assert f"{key}: hostile_place.f is outside the trusted modules (harness, experiments, verl)." in told(word)
    assert "hostile_place" not in sys.modules


@pytest.mark.parametrize(
    ("target", "home"),
    [
        ("harness.launch.doctor.os.system", "os"),
        ("harness.launch.doctor.subprocess.run", "subprocess"),
        ("harness.launch.doctor.os", "os"),
        ("harness.launch.doctor.Path", "pathlib"),
        ("harness.config.tree.Path", "pathlib"),
        ("verl.utils.import_utils.importlib.import_module", "importlib"),
    ],
)
def test_through_a_trusted_module(target: str, home: str) -> None:
    (message,) = told(f"advantage_fn._target_={target}")
    assert f"defined in {home}, which is not trusted." in message


def test_a_module_that_is_not_there_is_no_way_through() -> None:
    assert told("advantage_fn._target_=harness.config.os.system") == [
        "advantage_fn._target_: there is no module harness.config.os."
    ]


def test_another_kind_of_component_is_refused() -> None:
    (message,) = told("advantage_fn._target_=harness.rewards.exact_match.exact_match")
    assert "does not fit: it must take token_level_rewards" in message
    (message,) = told("reward_manager._target_=harness.advantages.grpo.grpo")
    assert "does not fit: it must be a class with score(sample)" in message


def test_in_a_users_own_file(hostile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (hostile / "conf/experiment").mkdir(parents=True)
    file = hostile / "conf/experiment/mine.yaml"
    file.write_text(
        "# @package _global_\ndefaults: [quickstart_tiny, _self_]\nadvantage_fn: {_target_: hostile_place.f}\n"
    )
    assert main(["check", "experiment=mine"]) == 2
    assert "target, from conf/experiment/mine.yaml:3" in capsys.readouterr().out
    file.write_text("# @package _global_\ndefaults: [quickstart_tiny, _self_]\ntrusted_modules: [hostile_place]\n")
    assert main(["check", "experiment=mine"]) == 2
    assert "trust is given on the command line alone" in capsys.readouterr().out
    assert "hostile_place" not in sys.modules


def test_in_a_classic_file(hostile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = {"policy_loss": {"_target_": "hostile_place.f"}, "data": {"train_files": "a", "val_files": "b"},
            "actor_rollout_ref": {"model": {"path": "nobody/nothing"}}}  # fmt: skip
    (hostile / "run.yaml").write_text(json.dumps(tree))
    assert main(["train", "--config", "run.yaml", "--dry-run"]) == 2
    assert "hostile_place.f is outside the trusted modules" in capsys.readouterr().err
    assert "hostile_place" not in sys.modules


@pytest.mark.parametrize("command", [["train", "--resume", "outputs/a/b"], ["evaluate", "outputs/a/b"]])
def test_in_a_checkpoints_configuration(command: list[str], hostile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = hostile / "outputs/a/b"
    begin(run / "checkpoints/global_step_1")
    complete(run / "checkpoints/global_step_1")
    config = resolve(compose_config([TINY, "run_dir=outputs/a/b", "run_id=b"]))
    config.policy_loss = {"_target_": "hostile_place.f"}
    OmegaConf.save(config, run / "config.yaml")
    assert main(command) == 2
    assert "hostile_place.f is outside the trusted modules" in capsys.readouterr().err
    config.trusted_modules = ["hostile_place"]
    OmegaConf.save(config, run / "config.yaml")
    assert main(command) == 2
    assert "was made with trusted_modules=[hostile_place], which may run any code" in capsys.readouterr().err
    assert "hostile_place" not in sys.modules


def test_a_trusted_one_is_read_and_not_imported(hostile: Path) -> None:
    (hostile / "mine_too.py").write_text(
        "raise SystemExit\ndef f(token_level_rewards, response_mask, scale):\n    pass\n"
        "class Manager:\n    def __init__(self, functions, weight):\n        pass\n    def score(self, sample):\n        pass\n"
    )
    assert told("trusted_modules=[mine_too]", "advantage_fn._target_=mine_too.f", "+advantage_fn.scale=1") == []
    given = [TINY, "trusted_modules=[mine_too]", "reward_manager._target_=mine_too.Manager"]
    (problem,) = find_problems(compose_config(given), given)
    assert problem.message == "reward_manager.weight: mine_too.Manager needs it and nothing gives it."
    assert "mine_too" not in sys.modules
