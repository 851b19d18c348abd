"""Reward-SQL through verl: a model that writes chains, each step executed and scored, and the classic command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf
from runs import Finished, environment
from sql_shop import make_shop

from harness.records.generations import read_generations

ROOT = Path(__file__).resolve().parents[2]
SHORT = (
    "data.train_batch_size=8",
    "data.max_prompt_length=16",
    "data.max_response_length=40",
    "actor_rollout_ref.rollout.n=4",
    "actor_rollout_ref.actor.ppo_mini_batch_size=8",
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=32",
    "trainer.total_training_steps=2",
    "trainer.test_freq=2",
    "trainer.val_before_train=false",
    "trainer.save_freq=-1",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("shop"))


def words_for(experiment: str, shop: Path) -> list[str]:
    """An experiment's two steps on the shop."""
    return [
        f"experiment=reward_sql/{experiment}",
        "data=files",
        "model=hf",
        f"data.train_files={shop}/train.parquet",
        f"data.val_files={shop}/validation.parquet",
        f"reward_fn.sql_execution.databases={shop}/databases",
        f"actor_rollout_ref.model.path={shop}/model",
        *SHORT,
    ]


def test_process_rewards_reach_the_policy(shop: Path, harness: Callable[..., Finished]) -> None:
    finished = harness("train", *words_for("process", shop), "trainer.save_freq=2", folder=shop)
    assert finished.code == 0, finished.err
    assert len(finished.records) == 2
    for record in finished.records:
        metrics = record.metrics
        assert 0 < metrics["process/score"] < 1
        assert metrics["process/least"] <= metrics["process/score"]
        assert metrics["scoring/failed_sum"] == 0
        assert metrics["actor/grad_norm"] > 0
        # r_t is at most 2 on each of at most 40 tokens, and more than EX on the last one alone
        assert 1 < metrics["critic/score/mean"] <= 80
    rows = read_generations(finished.run.generations, 2)
    assert len(rows) == 4
    assert all("reward_by_token" not in row.extra for row in rows)
    assert {row.score for row in rows} <= {0.0, 1.0}  # validation reports the outcome
    assert all(row.extra["process/steps"] >= 1 for row in rows)

    script = ROOT / "experiments/reward_sql/evaluate.py"
    evaluated = subprocess.run(
        [sys.executable, str(script), str(finished.run.path), "--samples", "2", "--out", str(shop / "evaluation")],
        cwd=shop, env=environment(), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert evaluated.returncode == 0, evaluated.stdout + evaluated.stderr
    figures = json.loads((shop / "evaluation/evaluation.json").read_text())
    assert figures["greedy"]["all"]["prompts"] == 4
    assert figures["greedy"]["all"]["runs"] > 0
    assert [row["k"] for row in figures["sampled"]["all"]] == [1, 2]
    assert "best of k" in (shop / "evaluation/evaluation.html").read_text()


@pytest.mark.parametrize("experiment", ["prime", "dr_grpo", "ppo"])
def test_other_algorithms_train_on_outcomes(experiment: str, shop: Path, harness: Callable[..., Finished]) -> None:
    finished = harness("train", *words_for(experiment, shop), folder=shop)
    assert finished.code == 0, finished.err
    assert len(finished.records) == 2
    for record in finished.records:
        assert record.metrics["scoring/failed_sum"] == 0
        assert 0 < record.metrics["critic/score/mean"] <= 1.2  # execution match, and a tenth each for validity and form
    assert max(record.metrics["actor/grad_norm"] for record in finished.records) > 0
    if experiment == "ppo":
        assert finished.records[-1].metrics["critic/grad_norm"] > 0


def test_bad_data_is_told_before_the_classic_command_trains(shop: Path, tmp_path: Path) -> None:
    for split in ("train", "validation"):
        rows = pq.read_table(shop / f"{split}.parquet").to_pylist()
        rows[2]["reward_model"]["ground_truth"] = "SELECT nowhere FROM t"
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{split}.parquet")
    finished = subprocess.run(
        [sys.executable, str(ROOT / "experiments/reward_sql/train_verl.py"), "--data_path", str(tmp_path), "--databases",
         str(shop / "databases"), f"actor_rollout_ref.model.path={shop}/model", *SHORT],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert "2 of 20 rows of the data cannot be trained on" in finished.stderr
    assert "train.parquet[2] (shop): schema: no such column: nowhere" in finished.stderr


def test_the_classic_command(shop: Path) -> None:
    flags = {
        "--config": ROOT / "experiments/reward_sql/grpo_trainer.yaml",
        "--algorithm": "grpo",
        "--data_path": shop,
        "--output_dir": "classic",
        "--core_algos": "experiments.reward_sql.core_algos",
        "--core_function": "compute_weighted_grpo_advantage",
        "--reward_manager": "sql_process",
        "--epochs": 1,
    }
    words = [str(word) for flag in flags.items() for word in flag]
    script = ROOT / "experiments/reward_sql/train_verl.py"
    finished = subprocess.run(
        [sys.executable, str(script), *words, f"actor_rollout_ref.model.path={shop}/model", *SHORT],
        cwd=shop,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    run = shop / finished.stdout.strip().splitlines()[-1].removeprefix("run: ")
    config = OmegaConf.load(run / "config.yaml")
    assert config.advantage_fn._target_ == "experiments.reward_sql.core_algos.compute_weighted_grpo_advantage"
    assert config.actor_rollout_ref.actor.use_kl_loss is True  # as the file says
    assert config.reward_fn.sql_execution.databases == f"{shop}/databases"
    assert Finished(0, finished.stdout, "", shop).records[-1].metrics["actor/grad_norm"] > 0
