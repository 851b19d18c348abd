"""One report, for people and for machines, and an exit code that warnings change on request alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.check.find import find_problems, require_valid
from harness.cli import main
from harness.config.compose import compose_config

WRONG = ["experiment=quickstart_tiny", "trainer.total_epochs=abc", "algorithm.lam=0.9", "+trainer.typo=1"]


def test_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *WRONG, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["wrong"] is True
    assert [(each["code"], each["key"], each["value"], each["warning"]) for each in told["problems"]] == [
        ("wrong-type", "trainer.total_epochs", "abc", False),
        ("unknown-key", "trainer.typo", 1, False),
        ("ignored", "algorithm.lam", 0.9, True),
    ]
    assert {each["origin"] for each in told["problems"]} == {"the command line"}


def test_for_people_errors_first_by_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *WRONG]) == 2
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if not line.startswith("read verl's schema")]
    assert lines[0] == "trainer"
    assert "algorithm (warnings)" in lines
    assert lines[-1] == "2 problems and 1 warning found"
    assert "\x1b" not in out, "no colours in a pipe"


def test_warnings_fail_only_when_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", "experiment=quickstart_tiny", "algorithm.lam=0.9"]
    assert (main(words), main([*words, "--strict"])) == (0, 2)
    assert "1 warning found" in capsys.readouterr().out


@pytest.mark.parametrize(
    "word", ["algorithm=nonsense", "a b", "trainer=3", "~actor_rollout_ref.actor", "plugins=[no_such]"]
)
def test_a_composition_that_fails_is_told_in_the_same_form(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "experiment=quickstart_tiny", word, "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["message"]


def test_a_misspelt_key_in_a_file_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/experiment").mkdir(parents=True)
    file = tmp_path / "conf/experiment/mine.yaml"
    file.write_text("# @package _global_\ndefaults: [quickstart_tiny, _self_]\ntrainer:\n  total_epoch: 3\n")
    assert main(["check", "experiment=mine"]) == 2
    out = capsys.readouterr().out
    assert "trainer.total_epoch: nothing reads such a key under trainer." in out
    assert "Did you mean total_epochs?" in out
    assert "from conf/experiment/mine.yaml:4" in out
    file.write_text("# @package _global_\ntrainer:\n\ttest_freq: 3\n")
    assert main(["check", "experiment=mine"]) == 2
    assert "mine.yaml:3: not valid YAML" in capsys.readouterr().out


def test_without_verl_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("harness.config.search_path.verl_trainer_configs", dict)
    monkeypatch.setattr("harness.check.report.verl_schema", None)
    assert main(["check", "experiment=quickstart_tiny"]) == 2
    assert "verl is not installed in this environment." in capsys.readouterr().out


def test_another_engines_own_keys_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/experiment").mkdir(parents=True)
    words = ["experiment=mine", "device=cuda", "rollout=vllm"]
    (tmp_path / "conf/experiment/mine.yaml").write_text(
        "# @package _global_\ndefaults: [quickstart, {override /engine: megatron}, _self_]\nactor_rollout_ref:\n  actor:\n"
        "    optim: {lr_decay_style: linear, lr_decay_stile: linear}\n    megatron: {tensor_model_parallel_size: 1}\n"
    )
    told = [p.key for p in find_problems(compose_config(words), words) if p.code == "unknown-key"]
    assert told == ["actor_rollout_ref.actor.optim.lr_decay_stile"]


def test_a_training_tells_warnings_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    words = ["experiment=quickstart_tiny", "algorithm.lam=0.9"]
    require_valid(compose_config(words), words)
    assert "algorithm.lam=0.9 does nothing: only GAE has a λ." in caplog.text


BESIDE = ["trainer.nonsense=1", "data.trian_batch_size=8", "actor_rollout_ref.model.path=/nowhere/model"]


def test_what_is_wrong_beside_unknown_keys_is_told_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "experiment=quickstart_tiny", *BESIDE, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)["problems"]
    assert sorted((each["code"], each["key"]) for each in told) == [
        ("composition", "data.trian_batch_size"),
        ("composition", "trainer.nonsense"),
        ("model", "actor_rollout_ref.model.path"),
    ]
    assert {each["origin"] for each in told} == {"the command line"}


def test_a_training_tells_all_of_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "experiment=quickstart_tiny", *BESIDE]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: The configuration has 3 problems:")
    assert ". trainer.nonsense: there is no such key under trainer." in told
    assert "3. actor_rollout_ref.model.path: there is no folder /nowhere/model." in told


def test_nothing_is_said_of_what_another_option_would_make(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "experiment=nonsense", "trainer.nonsense=1", "data.train_files=/no.parquet", "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["message"] == "experiment=nonsense: experiment has no option 'nonsense'."
