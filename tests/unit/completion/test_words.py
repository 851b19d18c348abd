"""What the TAB key offers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.completion.words import candidates


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("harness tr", ["train "]),
        ("harness nonsense ", []),
        ("harness list alg", ["algorithm "]),
        ("harness list algorithm ", []),
        ("harness completion b", ["bash "]),
        ("harness sweep ", ["cancel ", "logs ", "retry ", "status "]),
        ("harness compare --over s", ["seconds ", "steps "]),
        ("harness compare --a", ["--all-pairs "]),
        ("harness compare --lo", ["--lower "]),
        ("harness train algorithm", ["algorithm.", "algorithm=", "algorithm_steps="]),
        ("harness train algorithm=dp", ["algorithm=dppo "]),
        ("harness train -m algorithm=grpo,dp", ["algorithm=grpo,dppo "]),
        ("harness train -m 'algorithm=grpo,dp", ["algorithm=grpo,dppo "]),
        ("harness check reward_fn=[reasoning_gym,form", ["reward_fn=[reasoning_gym,format_tags"]),
        ("harness train --algorithm dp", ["dppo "]),
        ("harness train tra", ["tracking.", "tracking=", "trainer.", "transfer_queue."]),
        ("harness train +tra", ["+tracking.", "+tracking=", "+trainer.", "+transfer_queue."]),
        ("harness train trainer.save_f", ["trainer.save_freq="]),
        ("harness train trainer.v", ["trainer.v1.", "trainer.val_before_train=", "trainer.val_only=", "trainer.validation_data_dir="]),
        ("harness show actor_rollout_ref.actor.opt", ["actor_rollout_ref.actor.optim."]),
        ("harness train algorithm=gpro trainer.save_f", ["trainer.save_freq="]),
        ("harness train trainer.nonsense.", []),
        ("harness train algorithm=dapo algorithm.filter_groups.max_n", ["algorithm.filter_groups.max_num_gen_batches="]),
    ],
)  # fmt: skip
def test_what_may_stand_there(line: str, expected: list[str]) -> None:
    assert candidates(line) == expected


def test_a_users_own_options_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nname: mine\n")
    monkeypatch.chdir(tmp_path)
    assert candidates("harness train experiment=mi") == ["experiment=mine "]


def test_metrics_are_those_of_the_runs_that_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "outputs" / "mine" / "20260101-000000-abcdef"
    run.mkdir(parents=True)
    (run / "status.json").write_text(json.dumps({"state": "done", "step": 1}))
    (run / "config.yaml").write_text("name: mine\n")
    row = {"step": 1, "time": 1.0, "metrics": {"val-core/task/acc/mean@1": 0.5, "actor/entropy": 1.0}}
    (run / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.chdir(tmp_path)
    assert candidates("harness compare outputs/mine --metric val") == ["val-core/task/acc/mean@1 "]
    assert candidates("harness compare --metric ") == ["actor/entropy ", "val-core/task/acc/mean@1 "]
    monkeypatch.chdir(run)
    assert candidates("harness compare --metric ") == []


def test_the_mean_over_sources_is_offered_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "outputs" / "mine" / "20260101-000000-abcdef"
    run.mkdir(parents=True)
    (run / "status.json").write_text(json.dumps({"state": "done", "step": 1}))
    (run / "config.yaml").write_text("name: mine\n")
    row = {"step": 1, "time": 1.0, "metrics": {"val-core/a/acc/mean@1": 0.5, "val-core/b/acc/mean@1": 0.5}}
    (run / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.chdir(tmp_path)
    names = [f"val-core/{source}/acc/mean@1 " for source in ("*", "a", "b")]
    assert candidates("harness compare --metric val") == names
