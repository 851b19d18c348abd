"""Parallelism, lengths and steps: each violation with what would fit."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from harness.check.find import find_problems
from harness.config.compose import compose_config

A, R = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
GPU = [
    "experiment=quickstart",
    "model=qwen3_0_6b",
    "device=cuda",
    "rollout=vllm",
    "trainer.n_gpus_per_node=8",
    f"{A}.ppo_mini_batch_size=6",
]


def told(words: list[str]) -> list[tuple[str, str, str]]:
    return [(p.code, p.message, p.remedy) for p in find_problems(compose_config(words), words) if not p.warning]


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        ([*GPU, f"{R}.tensor_model_parallel_size=3"], "parallelism", ["takes 3 GPUs", "one of 1, 2, 4, 8"]),
        ([*GPU, f"{R}.tensor_model_parallel_size=4", f"{R}.data_parallel_size=4"], "parallelism", ["takes 16 GPUs"]),
        (
            [*GPU, f"{A}.ulysses_sequence_parallel_size=5"],
            "parallelism",
            ["ulysses_sequence_parallel_size=5", "takes 5"],
        ),
        ([*GPU, f"{R}.max_model_len=40"], "length", ["max_model_len=40 is less than", "at least 44"]),
        (["experiment=quickstart", "data.train_batch_size=600"], "data", ["more than the 512 prompts", "at most 512"]),
        (
            ["experiment=quickstart", "trainer.total_training_steps=100", "trainer.total_epochs=1"],
            "data",
            ["of 85 steps end after 85", "trainer.total_epochs=2"],
        ),
        (
            ["experiment=quickstart", "algorithm=prime", "trainer.total_training_steps=22", "trainer.total_epochs=1"],
            "data",
            ["of 21 steps end after 21"],
        ),
    ],
)
def test_what_does_not_fit(words: list[str], code: str, parts: list[str]) -> None:
    (found,) = [each for each in told(words) if each[0] == code]
    for part in parts:
        assert part in found[1] + found[2]


def test_workers_that_share_a_model_are_one() -> None:
    # 6 prompts × 8 responses on 8 GPUs, two of which share a sequence: 4 workers of 12
    assert not told([*GPU, f"{A}.ulysses_sequence_parallel_size=2", f"{A}.ppo_micro_batch_size_per_gpu=12"])
    (found,) = told([*GPU, f"{A}.ulysses_sequence_parallel_size=2", f"{A}.ppo_micro_batch_size_per_gpu=9"])[:1]
    assert found[1].endswith("=9 does not divide a worker's 12 responses a mini-batch.")
    assert found[2] == "Use 6 or 12."


def test_the_models_positions_and_the_datas_rows_are_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 40}))
    rows = pyarrow.table({"prompt": ["a"] * 10})
    pyarrow.parquet.write_table(rows, tmp_path / "train.parquet")
    words = ["experiment=quickstart", f"actor_rollout_ref.model.path={tmp_path}", f"data.train_files={tmp_path}/train.parquet",
             "data.train_batch_size=12"]  # fmt: skip
    assert [code for code, _, _ in told(words)] == ["length", "data"]
    assert "more than the 10 prompts" in told(words)[1][1]
    assert "at most 8" in told(words)[0][2]
