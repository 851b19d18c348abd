"""The fingerprint: what decides the result and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import deciding, fingerprint

GIVEN = ["actor_rollout_ref.model.path=m", "data.train_files=a.parquet", "data.val_files=b.parquet"]


def of(*overrides: str) -> str:
    return fingerprint(resolve(compose_config([*GIVEN, *overrides])))


@pytest.mark.parametrize(
    "override",
    [
        "seed=9",
        "name=other",
        "output_root=/elsewhere",
        "trainer.save_freq=3",
        "tracking=wandb",
        "run_id=x",
        "ray_kwargs.ray_init.num_cpus=7",
        "cluster=debug",
        "sweep.metric=reward/mean",
    ],
)
def test_same_experiment(override: str) -> None:
    assert of(override) == of()


@pytest.mark.parametrize(
    "override",
    [
        "actor_rollout_ref.actor.optim.lr=1e-3",
        "algorithm=ppo",
        "data.train_files=c.parquet",
        "data.train_batch_size=8",
        "trainer.n_gpus_per_node=2",
    ],
)
def test_another_experiment(override: str) -> None:
    assert of(override) != of()


def test_a_made_model_differs_by_seed_and_the_experiment_does_not() -> None:
    one, other = (resolve(compose_config(["experiment=quickstart_tiny", f"seed={seed}"])) for seed in (1, 2))
    assert one.prepare.model.path != other.prepare.model.path
    assert fingerprint(one) == fingerprint(other)
    bigger = resolve(compose_config(["experiment=quickstart_tiny", "prepare.model.mastery=0.9"]))
    assert fingerprint(bigger) != fingerprint(one)
    tasks = resolve(compose_config(["experiment=quickstart_tiny", "prepare.data.seed=5"]))
    assert fingerprint(tasks) != fingerprint(one)


def test_where_the_cache_lies_decides_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = ["experiment=quickstart_tiny"]
    monkeypatch.setenv("HARNESS_CACHE", "/another/machine/cache")
    elsewhere = OmegaConf.to_container(resolve(compose_config(words)))
    assert elsewhere["data"]["train_files"].startswith("/another/machine/cache/data/")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    here = resolve(compose_config(words))
    assert deciding(elsewhere) == deciding(here)
    assert deciding(here)["data"]["train_files"] == "data/reasoning_gym/train.parquet"
    mine = resolve(compose_config([*words, "data.train_files=/another/machine/mine.parquet"]))
    assert deciding(mine)["data"]["train_files"] == "/another/machine/mine.parquet"
