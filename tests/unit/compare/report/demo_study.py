"""Studies of real run folders without a training: groups whose curves, ends and generations are made by a seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from harness.compare.study import Options, Study, compare
from harness.config.fingerprint import fingerprint
from harness.records.atomic import write_yaml
from harness.records.generations import Generation, write_generations
from harness.records.provenance import Provenance
from harness.records.run_folder import RunFolder
from harness.records.state import save_status
from harness.records.status import RunError, StatusWriter

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
SOURCES = ("gsm8k", "math")
BEGAN, ENDED = "2026-01-01T00:00:00.000+00:00", "2026-01-01T02:00:00.000+00:00"
STAGES = {"gen": 2.6, "old_log_prob": 0.8, "update_actor": 2.9}


@dataclass(frozen=True)
class Point:
    """A group to make.

    Attributes:
        words: What it is given beside its seed.
        skill: Where its accuracy goes to.
        noise: The spread of that over seeds.
        failed: Seeds that fail half way.
    """

    words: tuple[str, ...]
    skill: float
    noise: float = 0.012
    failed: tuple[int, ...] = ()


@dataclass
class Maker:
    """Makes runs below a folder."""

    root: Path
    steps: int = 60
    prompts: int = 80
    hostile: bool = True
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def study(self, points: Sequence[Point], seeds: Sequence[int], options: Options | None = None) -> Study:
        """The study of all points with all seeds."""
        self.runs(points, seeds)
        return compare([str(self.root)], options)

    def runs(self, points: Sequence[Point], seeds: Sequence[int]) -> list[RunFolder]:
        """Their folders."""
        about = Provenance(exclude=(str(self.root),))
        about.common = {**about.common, **self.provenance}
        pairs = [(point, seed) for point in points for seed in seeds]
        return [self._run(point, seed, about, f"{number:04d}") for number, (point, seed) in enumerate(pairs)]

    def _run(self, point: Point, seed: int, about: Provenance, run_id: str) -> RunFolder:
        rng = np.random.default_rng([seed, *"|".join(point.words).encode()])
        run = RunFolder.create(self.root, "demo", run_id)
        config = _config(point.words, seed)
        write_yaml(run.config, config)
        write_yaml(run.overrides, [*point.words, f"seed={seed}"])
        about.write(
            run, seed=seed, fingerprint=fingerprint(config), command=["harness", "train", *point.words, f"seed={seed}"]
        )
        failed = seed in point.failed
        steps = self.steps // 2 if failed else self.steps
        skill = point.skill + rng.normal(0, point.noise)
        self._history(run, skill, steps, rng)
        status = StatusWriter(run)
        status.running(total_steps=self.steps)
        status.advance(steps)
        status.failed(RunError("ValueError", "made to fail")) if failed else status.done()
        save_status(run.status, replace(status.status, started=BEGAN, ended=ENDED))
        return run

    def _history(self, run: RunFolder, skill: float, steps: int, rng: np.random.Generator) -> None:
        lines = []
        pace = rng.uniform(0.9, 1.1)
        every = max(self.steps // 6, 1)
        for step in range(steps + 1):
            progress = 1 - np.exp(-3 * step / self.steps)
            metrics = _step(step, progress, skill, pace, rng) if step else {}
            if step % every == 0:
                metrics |= _validation(progress, skill, rng)
                if self.prompts:
                    self._generations(run, step, skill * (0.4 + 0.6 * progress), rng)
            lines.append(json.dumps({"step": step, "time": 1767225600 + 8 * pace * step, "metrics": metrics}))
        run.metrics.write_text("\n".join(lines) + "\n")

    def _generations(self, run: RunFolder, step: int, skill: float, rng: np.random.Generator) -> None:
        found = []
        for index in range(self.prompts):
            right = float(rng.uniform() < np.clip(skill + 0.3 * np.sin(index), 0, 1))
            words = f"Let us add the numbers: {index} + {index + 7} = {2 * index + 7 + (0 if right else 1)}.\n"
            text = words * (30 if index % 7 == 3 else 2) + (HOSTILE if self.hostile else "")
            prompt = f"system\nAnswer with the number alone.\nuser\nWhat is {index} + {index + 7}?\nassistant\n"
            found.append(Generation(index, prompt, text, str(2 * index + 7), right, step, extra={"acc": right}))
        write_generations(run.generations, step, found)


def grid(rates: Sequence[str], algorithms: Sequence[str], coefficients: Sequence[str]) -> list[Point]:
    """The points of a sweep over three keys."""
    made = []
    for number, (algorithm, rate, coefficient) in enumerate(product(algorithms, rates, coefficients)):
        said = (f"algorithm={algorithm}", f"actor_rollout_ref.actor.optim.lr={rate}")
        kl = f"actor_rollout_ref.actor.kl_loss_coef={coefficient}"
        made.append(Point((*said, kl), 0.35 + 0.3 * np.sin(number) ** 2))
    return made


def _step(step: int, progress: float, skill: float, pace: float, rng: np.random.Generator) -> dict[str, float]:
    timing = {f"timing_s/{name}": float(value * pace + rng.normal(0, 0.1)) for name, value in STAGES.items()}
    return {
        "critic/score/mean": float(0.1 + skill * progress + rng.normal(0, 0.04)),
        "critic/rewards/mean": float(0.1 + skill * progress + rng.normal(0, 0.04)),
        "reward_fn/format": float(np.clip(progress + rng.normal(0, 0.02), 0, 1)),
        "reward_fn/answer": float(skill * progress + rng.normal(0, 0.03)),
        "response_length/mean": float(180 - 60 * progress + rng.normal(0, 4)),
        "response_length/clip_ratio": float(abs(rng.normal(0.02, 0.01))),
        "actor/entropy": float(0.9 * np.exp(-1.4 * progress) + 0.1 + rng.normal(0, 0.01)),
        "actor/kl_loss": float(0.02 * progress + abs(rng.normal(0, 0.001))),
        "actor/ppo_kl": float(rng.normal(0, 1e-4)),
        "actor/grad_norm": float(0.8 + abs(rng.normal(0, 0.25))),
        "actor/pg_loss": float(rng.normal(0, 0.02)),
        "perf/total_num_tokens": 64 * (240 - 60 * progress),
        "perf/throughput": float(900 / pace),
        "timing_s/step": sum(timing.values()),
        **timing,
    }


def _validation(progress: float, skill: float, rng: np.random.Generator) -> dict[str, float]:
    level = skill * (0.4 + 0.6 * progress)
    return {
        f"val-core/{source}/acc/mean@1": float(np.clip(level * (1 - 0.2 * place) + rng.normal(0, 0.008), 0, 1))
        for place, source in enumerate(SOURCES)
    }


def _config(words: tuple[str, ...], seed: int) -> dict[str, Any]:
    given = dict(word.split("=", 1) for word in words)
    actor = {
        "optim": {"lr": float(given.get("actor_rollout_ref.actor.optim.lr", 1e-6))},
        "kl_loss_coef": float(given.get("actor_rollout_ref.actor.kl_loss_coef", 1e-3)),
    }
    return {
        "seed": seed,
        "data": {"seed": seed, "train_files": "train.parquet", "val_files": "test.parquet"},
        "actor_rollout_ref": {"actor": actor},
        "algorithm": {"adv_estimator": given.get("algorithm", "grpo")},
        "trainer": {"device": "cuda", "nnodes": 1, "n_gpus_per_node": 4},
    }
