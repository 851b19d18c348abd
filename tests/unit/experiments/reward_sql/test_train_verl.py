"""The classic command: its file and flags become what the harness composes."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.reward_sql import train_verl
from harness.check.find import find_problems
from harness.config.classic import read_file

FILE = Path(train_verl.__file__).with_name("grpo_trainer.yaml")


def test_the_file_has_the_classic_sections() -> None:
    tree = read_file(FILE)
    assert list(tree) == ["data", "actor_rollout_ref", "critic", "reward_model", "verifier", "algorithm", "trainer"]
    config, own = train_verl.split(tree)
    assert own == {
        "reward_manager.rm_coef": 1.0,
        "reward_manager.reward_coef": 1.0,
        "advantage_fn.function": "compute_grpo_process_advantage_avg_unique",
    }
    assert config["reward_model"] == {"enable": False}
    assert tree["reward_model"]["rm_coef"] == 1.0  # what was read stays as it was


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (
            [],
            ["reward_fn=[sql_execution]", "model=reward_sql_tiny", "data=reward_sql_generated",
             "reward_fn.sql_execution.databases=${prepare.data.path}/databases"],
        ),
        (
            ["--data_path", "data/my set", "--reward_manager", "sql_process_model"],
            ["reward_fn=[sql_execution]", "reward_manager=sql_process_model", "model=reward_sql_tiny",
             "reward_fn.sql_execution.databases='data/my set/databases'", "reward_manager.rm_coef=0.5",
             "reward_manager.scorer.url='http://there:1/score'"],
        ),
        (
            ["--databases", "bird", "--reward_manager", "sql_process"],  # of data that the overrides name
            ["reward_fn=[sql_execution]", "reward_manager=sql_process", "model=reward_sql_tiny", "data=reward_sql_generated",
             "reward_fn.sql_execution.databases=bird", "reward_manager.rm_coef=0.5"],
        ),
        (
            ["--data_path", "d", "--databases", "bird", "--reward_manager", "per_sample"],
            ["reward_fn=[sql_execution]", "reward_manager=per_sample", "model=reward_sql_tiny",
             "reward_fn.sql_execution.databases=bird"],
        ),
    ],
)  # fmt: skip
def test_flags_become_words(flags: list[str], wanted: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    tree = {"reward_model": {"rm_coef": 0.5, "url": "http://there:1/score"}, "trainer": {}}
    config, own = train_verl.split(tree)
    words = train_verl.words_of(train_verl.parser().parse_args(flags), config, own)
    assert words == wanted
    told = capsys.readouterr().err
    assert ("reward_manager.rm_coef=0.5 of the file has no meaning for --reward_manager per_sample" in told) == (
        "per_sample" in flags
    )
    assert ("reward_manager.rm_coef=0.5 of the file has no meaning for outcome rewards" in told) == (not flags)


@pytest.mark.parametrize(
    ("words", "manager"),
    [
        ([], "sql_process"),  # the file's own advantage is avg_unique
        (["--core_function", "compute_token_wise_advantage"], "sql_process"),
        (["--core_function", "compute_weighted_grpo_advantage"], None),
        (["--algorithm", "rloo"], None),
        (["--algorithm", "rloo", "advantage_fn=sql_average_unique"], "sql_process"),
        (["--core_function", "compute_weighted_grpo_advantage", "--reward_manager", "sql_process"], "sql_process"),
    ],
)
def test_process_rewards_are_for_the_advantages_that_are_made_for_them(words: list[str], manager: str | None) -> None:
    flags, overrides = train_verl.parser().parse_known_args(words)
    config = train_verl.manager_of(flags, overrides).get_config()
    assert str(config.reward_manager.get("_target_")).endswith("SqlProcessRewardManager") is (manager is not None)
    warned = [problem for problem in find_problems(config) if "rewards every token" in problem.message]
    assert [problem.warning for problem in warned] == [True] * ("weighted" in str(words) and manager is not None)


def test_a_model_of_the_files_own_is_kept() -> None:
    tree = {"actor_rollout_ref": {"model": {"path": "Qwen/Qwen2.5-Coder-7B-Instruct"}}}
    assert "model=reward_sql_tiny" not in train_verl.words_of(train_verl.parser().parse_args([]), tree, {})


def test_where_the_databases_of_a_data_set_lie(tmp_path: Path) -> None:
    assert train_verl.databases_in(tmp_path) == tmp_path / "databases"
    (tmp_path / "database").mkdir()  # as in BIRD and Spider
    assert train_verl.databases_in(tmp_path) == tmp_path / "database"


@pytest.mark.parametrize(
    ("flags", "advantage"),
    [
        ([], "experiments.reward_sql.core_algos.compute_grpo_process_advantage_avg_unique"),
        (
            ["--core_function", "compute_token_wise_advantage"],
            "experiments.reward_sql.core_algos.compute_token_wise_advantage",
        ),
        (["--algorithm", "ppo"], "gae"),
        (["--algorithm", "rloo"], "rloo_vectorized"),
        (["--algorithm", "dapo", "--reward_manager", "overlong"], "grpo"),
        (
            ["--algorithm", "ppo", "--core_function", "compute_grpo_process_advantage_avg_unique"],
            "experiments.reward_sql.core_algos.compute_grpo_process_advantage_avg_unique",
        ),
    ],
)
def test_data_and_model_are_made_where_none_are_named(
    flags: list[str], advantage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = train_verl.manager_of(train_verl.parser().parse_args(flags), []).get_config()
    assert [str(problem) for problem in find_problems(config) if not problem.warning] == []
    assert (config.advantage_fn._target_ or config.algorithm.adv_estimator) == advantage
    assert config.reward_fn.sql_execution.databases == f"{config.prepare.data.path}/databases"
    assert config.critic.enable is ("ppo" in flags)
    gives_way = "avg_unique of the file gives way to algorithm=" in capsys.readouterr().err
    assert gives_way is ("--algorithm" in flags and "--core_function" not in flags)


def test_a_mistake_is_told_with_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_verl.main(["--config", str(tmp_path / "no.yaml")]) == 2
    assert "there is no file" in capsys.readouterr().err
    (tmp_path / "run.yaml").write_text("reward_model: {candidate_tokens: [488, 481]}\n")
    assert train_verl.main(["--config", str(tmp_path / "run.yaml")]) == 2
    assert "reward_model.candidate_tokens has no meaning" in capsys.readouterr().err
