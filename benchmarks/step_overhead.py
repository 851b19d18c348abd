"""Step time and time to the first step: `harness train` beside bare verl, the same configuration, in turn.

    python benchmarks/step_overhead.py [--experiment quickstart_tiny] [--steps 12] [--rounds 3] [overrides]

Both sides use the same processes' settings, the same generation server and the same reward; bare verl is started as
its users start it, `python -m verl.trainer.main_ppo`, with the CPU platform that the harness registers with it. The
figure to read is the ratio: machines differ, and this one may be busy. Resumable: rounds on record with the same
fingerprint and machine are not run again. Writes benchmarks/results/step_overhead.json after every round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from processes import Deadline, group
from rounds import about, rounds_on_record

from harness.backend.cluster import LOGICAL_CPUS, OBJECT_STORE_BYTES, worker_environment
from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import fingerprint
from harness.config.tree import verl_trainer_configs
from harness.prepare import prepare_all
from harness.records.atomic import write_text
from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "step_overhead.json"
WARM_UP_STEPS = 2  # the first steps compile and allocate
STEP = "timing_s/step"


def verl_overrides(config: Any) -> list[str]:
    """The overrides that give bare verl this configuration."""
    theirs = OmegaConf.to_container(
        OmegaConf.create(yaml.safe_load(verl_trainer_configs()["dp"].read_text())), resolve=True
    )
    ours = OmegaConf.to_container(config, resolve=True)
    words: list[str] = []
    for section, value in theirs.items():
        _collect(ours[section], value, section, words)
    return words


def _collect(ours: Any, theirs: Any, key: str, words: list[str]) -> None:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            if name in theirs:
                _collect(value, theirs[name], f"{key}.{name}", words)
            else:
                words.append(f"+{key}.{name}={_hydra(value)}")
    elif ours != theirs:
        words.append(f"{key}={_hydra(ours)}")


def _hydra(value: Any) -> str:
    """A value in Hydra's grammar, in which JSON's strings and null are valid but its keys must not be quoted."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{_hydra(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_hydra(item) for item in value) + "]"
    return json.dumps(value)


def run_harness(overrides: list[str], folder: Path) -> dict[str, float]:
    """One training through the harness."""
    started = time.time()
    command = [sys.executable, "-m", "harness.cli", "train", *overrides, f"output_root={folder}", "name=run"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (path,) = (folder / "run").iterdir()
    records = {record.step: record for record in read_metrics(RunFolder(path).metrics)}
    return _figures(
        records[1].time - started, [record.metrics[STEP] for step, record in records.items() if step > WARM_UP_STEPS]
    )


def run_verl(overrides: list[str], folder: Path, deadline: Deadline | None = None) -> dict[str, float]:
    """The same training through bare verl.

    Raises:
        RuntimeError: It failed; with the end of its log.
        TimeOver: It was not done by the deadline, and has been ended.
    """
    deadline = deadline or Deadline()
    config = resolve(compose_config([*overrides, f"run_dir={folder}", "run_id=run", "name=run"]))
    words = [
        *verl_overrides(config),
        "trainer.logger=[file]",
        f"reward.custom_reward_function.path={HERE / 'verl_scorer.py'}",
        f"+ray_kwargs.ray_init.num_gpus={config.trainer.n_gpus_per_node}",
        f"ray_kwargs.ray_init.num_cpus={LOGICAL_CPUS + 4}",
        f"+ray_kwargs.ray_init.object_store_memory={OBJECT_STORE_BYTES}",
        "+ray_kwargs.ray_init.include_dashboard=false",
        "+ray_kwargs.ray_init.address=local",
    ]
    log = folder / "metrics.jsonl"
    # the plugin comes through its entry point here, as for any user of verl
    environment = {
        name: value for name, value in worker_environment(config).items() if name != "VERL_USE_EXTERNAL_MODULES"
    }
    reward = {name: value for name, value in config.reward_fn.reasoning_gym.items() if name != "weight"}
    environment |= {
        "VERL_FILE_LOGGER_PATH": str(log),
        "BENCHMARK_REWARD": json.dumps(reward),
        "PYTHONPATH": str(HERE.parent),
    }
    started = time.time()
    command = [sys.executable, "-m", "verl.trainer.main_ppo", *words]
    with (
        (folder / "train.log").open("w") as output,
        group(command, env=os.environ | environment, stdout=output, stderr=output) as process,
    ):
        first_step = None
        while process.poll() is None:
            deadline.require()
            if first_step is None and any(line["step"] == 1 for line in _lines(log)):
                first_step = time.time() - started
            time.sleep(0.02)
    if process.returncode:
        raise RuntimeError(f"bare verl failed:\n{(folder / 'train.log').read_text()[-4000:]}")
    steps = [line["data"][STEP] for line in _lines(log) if line["step"] > WARM_UP_STEPS]
    return _figures(first_step or float("nan"), steps)


def _lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _figures(first_step: float, steps: list[float]) -> dict[str, float]:
    return {"first step": first_step, "step": statistics.median(steps)}


def main() -> None:
    """Run both sides in turn and print the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiment", default="quickstart_tiny")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    arguments, further = parser.parse_known_args()
    steps = arguments.steps
    overrides = [
        f"experiment={arguments.experiment}",
        f"trainer.total_training_steps={steps}",
        "trainer.test_freq=-1",
        *further,
    ]
    config = resolve(compose_config(overrides))
    mark = fingerprint(config)
    rounds = rounds_on_record(_results().get(arguments.experiment, {}), mark)
    if len(rounds) < arguments.rounds:
        prepare_all(config, print)
    for number in range(len(rounds) + 1, arguments.rounds + 1):
        with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
            rounds.append({"harness": run_harness(overrides, Path(ours)), "verl": run_verl(overrides, Path(theirs))})
        print(f"round {number}: {json.dumps(rounds[-1])}", flush=True)
        _keep(arguments.experiment, about(mark) | {"rounds": rounds, "medians": medians(rounds)})
    for figure, sides in medians(rounds).items():
        print(
            f"{figure:<12} harness {sides['harness']:7.2f} s   bare verl {sides['verl']:7.2f} s   "
            f"ratio {sides['ratio']:.2f}"
        )


def medians(rounds: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Of both sides and of their ratio in each round, by figure."""
    table = {}
    for figure in ("step", "first step"):
        sides = {side: statistics.median(each[side][figure] for each in rounds) for side in ("harness", "verl")}
        ratio = statistics.median(each["harness"][figure] / each["verl"][figure] for each in rounds)
        table[figure] = sides | {"ratio": ratio}
    return table


def _results() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def _keep(experiment: str, record: dict[str, Any]) -> None:
    write_text(RESULTS, json.dumps(_results() | {experiment: record}, indent=2) + "\n")


if __name__ == "__main__":
    main()
