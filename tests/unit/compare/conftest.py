"""Run folders as the harness's own writers leave them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from harness.config.fingerprint import fingerprint
from harness.records.atomic import write_yaml
from harness.records.metrics import MetricsWriter
from harness.records.provenance import Provenance
from harness.records.run_folder import RunFolder
from harness.records.status import RunError, StatusWriter
from harness.tracking.state import TrackingState, write_tracking

ESTIMATORS = {"grpo": "grpo", "rloo": "rloo_vectorized", "dapo": "grpo"}
MakeRun = Callable[..., RunFolder]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "compare"


@pytest.fixture(scope="session")
def about() -> Provenance:
    return Provenance()


@pytest.fixture
def make_run(tmp_path: Path, about: Provenance) -> MakeRun:
    """Makes a run of so many steps that ends as ``end`` says; `words` set values of its configuration."""

    def make(
        *words: str,
        seed: int = 1,
        steps: int = 3,
        end: str = "done",
        run_id: str | None = None,
        name: str = "demo",
        metrics: Mapping[int, Mapping[str, Any]] | None = None,
        provenance: Mapping[str, Any] | None = None,
        choices: Mapping[str, Any] | None = None,
    ) -> RunFolder:
        run = RunFolder.create(tmp_path / "outputs", name, run_id)
        config = config_of(words, seed) | {"run_id": run.run_id, "name": name}
        config |= {"tracking": {"choices": choices}} if choices else {}
        write_yaml(run.config, config)
        write_yaml(run.overrides, [*words, f"seed={seed}"])
        kept, about.common = about.common, {**about.common, **(provenance or {})}
        about.write(run, seed=seed, fingerprint=fingerprint(config))
        about.common = kept
        status = StatusWriter(run)
        status.running(steps)
        writer = MetricsWriter(run.metrics)
        for step, values in (metrics or metrics_of(steps)).items():
            writer.write(step, values)
            status.advance(step)
        if end != "running":
            status.failed(RunError("ValueError", "made to fail")) if end == "failed" else getattr(status, end)()
        return run

    return make


@pytest.fixture
def track() -> Callable[..., str]:
    """Records a run as one that W&B has been told of; returns its folder as a word."""

    def make(folder: RunFolder, name: str, project: str = "project", uploaded: bool = True) -> str:
        url = f"https://wandb.ai/team/{project}/runs/{quote(name)}"
        write_tracking(folder, TrackingState(name, "online", 3, uploaded, url))
        return str(folder)

    return make


@pytest.fixture
def sweep(make_run: MakeRun, track: Callable[..., str]) -> list[RunFolder]:
    """Two algorithms by two rates by two seeds, all of them in W&B."""
    made = [
        make_run(f"algorithm={algorithm}", f"actor_rollout_ref.actor.optim.lr={rate}", seed=seed,
                 run_id=f"{algorithm}{rate}{seed}")
        for algorithm in ("grpo", "dapo") for rate in ("1e-6", "1e-5") for seed in (1, 2)
    ]  # fmt: skip
    for folder in made:
        track(folder, folder.run_id)
    return made


@pytest.fixture(name="config_of")
def config_maker() -> Callable[[tuple[str, ...], int], dict[str, Any]]:
    return config_of


def config_of(words: tuple[str, ...], seed: int) -> dict[str, Any]:
    """A small configuration in verl's sections; ``algorithm=dapo`` changes several keys of it."""
    given = dict(word.split("=", 1) for word in words)
    algorithm = given.get("algorithm", "grpo")
    return {
        "seed": seed,
        "output_root": "outputs",
        "data": {
            "seed": seed,
            "train_files": "train.parquet",
            "val_files": given.get("data.val_files", "test.parquet"),
        },
        "actor_rollout_ref": {
            "actor": {
                "optim": {"lr": float(given.get("actor_rollout_ref.actor.optim.lr", 1e-6))},
                "clip_ratio_high": 0.28 if algorithm == "dapo" else 0.2,
                "loss_agg_mode": "token-mean" if algorithm == "dapo" else "seq-mean",
            }
        },
        "algorithm": {"adv_estimator": ESTIMATORS[algorithm]},
        "trainer": {"device": given.get("device", "cuda"), "nnodes": 2, "n_gpus_per_node": 4, "save_freq": 5},
    }


def metrics_of(steps: int) -> dict[int, dict[str, float]]:
    """A validation before training and after the last step."""
    validated = {0: {"val-core/sums/acc/mean@1": 0.1}}
    trained = {step: {"critic/score/mean": step / 10, "perf/total_num_tokens": 100} for step in range(1, steps + 1)}
    last = {steps: {**trained.get(steps, {}), "val-core/sums/acc/mean@1": 0.5}}
    return validated | trained | last
