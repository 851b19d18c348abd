"""Advantage functions of the harness beside verl's of the same name, in turn, on one batch.

    python benchmarks/advantages.py [--rows 8192] [--tokens 1024] [--n 8] [--rounds 5]

The figure to read is the ratio of the medians. Both get the same tensors; group ids are what each takes (verl: an array
of objects, ours: integers). Writes benchmarks/results/advantages.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from machine import machine
from verl.trainer.ppo import core_algos

from harness.advantages.gae import gae
from harness.advantages.grpo import grpo
from harness.advantages.opo import opo
from harness.advantages.reinforce_plus_plus import reinforce_plus_plus
from harness.advantages.reinforce_plus_plus_baseline import reinforce_plus_plus_baseline
from harness.advantages.rloo import rloo
from harness.backend.advantages import group_index
from harness.records.atomic import write_text

RESULTS = Path(__file__).resolve().parent / "results" / "advantages.json"
WANTED = {"grpo": 4.0, "rloo": 4.0, "gae": 4.0, "reinforce_plus_plus": 5.0}
TOLERANCE = 2e-4


def batch(rows: int, tokens: int, n: int) -> dict[str, Any]:
    """Ragged responses with a score at the last token and a value at each."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, tokens + 1, (rows,), generator=generator)
    mask = (torch.arange(tokens) < lengths[:, None]).long()
    rewards = torch.zeros(rows, tokens)
    rewards[torch.arange(rows), lengths - 1] = torch.randint(0, 2, (rows,), generator=generator).float()
    values = torch.randn(rows, tokens, generator=generator) * mask
    uid = np.array([f"prompt-{row // n}" for row in range(rows)], dtype=object)
    return {"rewards": rewards, "mask": mask, "values": values, "uid": uid}


def pairs(b: dict[str, Any], gamma: float, lam: float) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Ours and verl's of each name."""
    rewards, mask, values, uid = b["rewards"], b["mask"], b["values"], b["uid"]
    config = SimpleNamespace(gamma=gamma)
    return {
        "grpo": (
            lambda: grpo(rewards, mask, group_index(uid)),
            lambda: core_algos.compute_grpo_outcome_advantage(rewards, mask, uid),
        ),
        "rloo": (
            lambda: rloo(rewards, mask, group_index(uid)),
            lambda: core_algos.compute_rloo_outcome_advantage(rewards, mask, uid),
        ),
        "opo": (
            lambda: opo(rewards, mask, group_index(uid)),
            lambda: core_algos.compute_opo_outcome_advantage(rewards, mask, uid),
        ),
        "gae": (
            lambda: gae(rewards, values, mask, gamma, lam),
            lambda: core_algos.compute_gae_advantage_return(rewards, values, mask, gamma, lam),
        ),
        "reinforce_plus_plus": (
            lambda: reinforce_plus_plus(rewards, mask, gamma),
            lambda: core_algos.compute_reinforce_plus_plus_outcome_advantage(rewards, mask, config),
        ),
        "reinforce_plus_plus_baseline": (
            lambda: reinforce_plus_plus_baseline(rewards, mask, group_index(uid)),
            lambda: core_algos.compute_reinforce_plus_plus_baseline_outcome_advantage(rewards, mask, uid),
        ),
    }


def seconds(function: Callable[[], Any]) -> float:
    """One call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    """Time both sides in turn, check that they agree, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("--rows", 8192), ("--tokens", 1024), ("--n", 8), ("--rounds", 5)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--gamma", type=float, default=0.99)
    parser.add_argument("--lam", type=float, default=0.95)
    a = parser.parse_args()
    b = batch(a.rows, a.tokens, a.n)
    table = {}
    for name, (ours, theirs) in pairs(b, a.gamma, a.lam).items():
        difference = ((ours()[0] - theirs()[0]) * b["mask"]).abs().max().item()
        if difference > TOLERANCE:
            raise SystemExit(f"{name}: advantages differ from verl's by {difference}")
        times = [(seconds(ours), seconds(theirs)) for _ in range(a.rounds)]
        mine, verls = (statistics.median(side) for side in zip(*times, strict=True))
        table[name] = {
            "harness_ms": mine * 1e3,
            "verl_ms": verls * 1e3,
            "faster": verls / mine,
            "largest_difference": difference,
        }
        wanted = f"  (wanted: {WANTED[name]:.0f} ×)" if name in WANTED else ""
        print(
            f"{name:<30} harness {mine * 1e3:8.1f} ms   verl {verls * 1e3:8.1f} ms   {verls / mine:6.1f} × faster{wanted}"
        )
    record = {
        "date": str(date.today()),
        "machine": f"{machine()}, torch {torch.__version__}",
        "command": " ".join(sys.argv),
        "table": table,
    }
    write_text(RESULTS, json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
