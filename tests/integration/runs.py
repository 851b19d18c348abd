"""Trainings for the integration tests: the real command in a process of its own, as a user would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.records.metrics import MetricsTail, StepRecord, read_metrics
from harness.records.run_folder import RunFolder
from harness.records.status import Status, read_status

SHORT = (
    "experiment=quickstart_tiny",
    "trainer.total_training_steps=2",
    "trainer.test_freq=2",
    "data.train_batch_size=8",
    "actor_rollout_ref.rollout.n=4",
    "actor_rollout_ref.actor.ppo_mini_batch_size=8",
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=16",
    "data.val_max_samples=16",
)
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 300.0


@dataclass
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def run(self) -> RunFolder:
        """The run named by the last line of standard output, or else the only one there is."""
        last = self.out.strip().splitlines()[-1] if self.out.strip() else ""
        if last.startswith("run: "):
            return RunFolder.open(self.folder / last.removeprefix("run: "))
        (only,) = self.folder.glob("outputs/*/*")
        return RunFolder.open(only)

    @property
    def status(self) -> Status:
        """What is true of the run."""
        return read_status(self.run)

    @property
    def records(self) -> list[StepRecord]:
        """Its metrics."""
        return read_metrics(self.run.metrics)

    def log(self) -> str:
        """Its log."""
        return self.run.log.read_text()


def command(*arguments: str) -> list[str]:
    """The words of a harness command run by this interpreter."""
    return [sys.executable, "-m", "harness.cli", *arguments]


def environment(root: Path = ROOT) -> dict[str, str]:
    """This process's environment with the checkout importable from any folder."""
    return os.environ | {"PYTHONPATH": str(root), "COLUMNS": "120"}


def start(folder: Path, *overrides: str) -> tuple[subprocess.Popen, RunFolder]:
    """A training under way, with its run folder."""
    process = subprocess.Popen(
        command("train", *SHORT, *overrides),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a terminal sends its signals to all of a group
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = list(folder.glob("outputs/*/[!.]*/status.json"))  # not one that is still being made
        if found:
            return process, RunFolder(found[0].parent)
        time.sleep(0.1)
    raise AssertionError(process.communicate()[1].decode())


def wait_for_step(process: subprocess.Popen, run: RunFolder, step: int, also: Path | None = None) -> None:
    """Wait until a step (and a file) has been recorded."""
    tail, reached = MetricsTail(run.metrics), -1
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        reached = max([reached, *(record.step for record in tail.poll())])
        if reached >= step and (also is None or also.exists()):
            return
        time.sleep(0.1)
    raise AssertionError(f"step {step} was not reached: {run.log.read_text()[-3000:]}")


def script_result(name: str, *arguments: Path | str, folder: Path | None = None) -> Any:
    """What a script beside this file prints last, as JSON; it runs as verl's only worker process on a CPU."""
    worker = {
        "VERL_PLATFORM": "cpu",
        "VERL_USE_EXTERNAL_MODULES": "harness.backend.plugin",
        "CUDA_VISIBLE_DEVICES": "",
        **{"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"},
    }
    result = subprocess.run(
        [sys.executable, Path(__file__).with_name(name), *arguments],
        env=environment() | worker,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return json.loads(result.stdout.strip().splitlines()[-1])


def wait_for(what: Callable[[], Any], seconds: float = 900) -> Any:
    """Until it is true; Slurm tells nobody, so it is asked."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.5)
    raise AssertionError("it did not come about in time")


def untrained_model(folder: Path, vocabulary: int) -> Path:
    """A small Llama with random weights and a tokenizer, saved there."""
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]"))
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", eos_token="[UNK]").save_pretrained(folder)
    return folder
