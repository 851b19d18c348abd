"""One training by TRL's GRPOTrainer, in TRL's own environment; started by peers.py.

    python benchmarks/trl_grpo.py SETTINGS.json

Prints one JSON line: seconds of each step and seconds from the start of the process to the end of the first one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import pairwise
from pathlib import Path

STARTED = time.time()


def main() -> None:
    """Train as the settings say."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    sys.path.insert(0, settings["project"])
    import torch
    from datasets import load_dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from harness.rewards.reasoning_gym import reasoning_gym

    torch.set_num_threads(len(os.sched_getaffinity(0)))

    def reward(completions: list, reward_model: list, extra_info: list, **_: object) -> list[float]:
        return [
            reasoning_gym(
                "", chat[0]["content"], ground_truth=row["ground_truth"], extra_info=info, **settings["reward"]
            )["score"]
            for chat, row, info in zip(completions, reward_model, extra_info, strict=True)
        ]

    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            ends.append(time.time())

    rows = settings["prompts"] * settings["n"]
    arguments = GRPOConfig(
        output_dir=settings["output"],
        per_device_train_batch_size=rows,
        num_generations=settings["n"],
        max_completion_length=settings["max_response_length"],
        learning_rate=settings["lr"],
        temperature=1.0,
        beta=0.0,
        max_steps=settings["steps"],
        bf16=settings["bf16"],
        use_cpu=True,
        gradient_checkpointing=False,
        save_strategy="no",
        logging_steps=1,
        report_to=[],
        seed=1,
    )
    trainer = GRPOTrainer(
        model=settings["model"],
        reward_funcs=reward,
        args=arguments,
        train_dataset=load_dataset("parquet", data_files=settings["data"], split="train"),
        callbacks=[Clock()],
    )
    trainer.train()
    steps = [end - begin for begin, end in pairwise(ends)]
    print(json.dumps({"first step": ends[0] - STARTED, "steps": steps}))


if __name__ == "__main__":
    main()
