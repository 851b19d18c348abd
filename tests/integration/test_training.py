"""Real trainings through verl on the CPU: the record, the algorithms, the engine's options, the trainer modes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from runs import Finished
from safetensors.torch import load_file

from harness.backend.export import export_checkpoint
from harness.records.generations import read_generations
from harness.records.stages import read_stages

Train = Callable[..., Finished]
FILE = "model.safetensors"
TIMING = ("timing", "perf/", "mfu")


@pytest.fixture(scope="module")
def grpo(train: Train) -> Finished:
    """One GRPO training that several tests look at."""
    return train()


def values(finished: Finished) -> list[tuple[int, dict]]:
    """What must not depend on the clock."""
    return [
        (
            record.step,
            {name: value for name, value in record.metrics.items() if not any(mark in name for mark in TIMING)},
        )
        for record in finished.records
    ]


def test_the_record_is_complete(grpo: Finished) -> None:
    run = grpo.run
    for path in (
        run.config,
        run.overrides,
        run.provenance,
        run.code_diff,
        run.metrics,
        run.stages,
        run.log,
        run.report,
    ):
        assert path.is_file(), path
    assert grpo.out.strip().splitlines()[-1].startswith("run: outputs/quickstart_tiny/")
    status = grpo.status
    assert (status.state, status.step, status.total_steps) == ("done", 2, 2)
    provenance = json.loads(run.provenance.read_text())
    assert provenance["versions"]["verl"] == "0.9.1"
    assert provenance["seed"] == 1
    assert len(provenance["fingerprint"]) == 16
    assert provenance["threads"]["each_process"] >= 1
    assert yaml.safe_load(run.config.read_text())["run_dir"] == str(run.path.resolve())
    assert "experiment=quickstart_tiny" in yaml.safe_load(run.overrides.read_text())


def test_metrics_and_generations(grpo: Finished) -> None:
    assert [record.step for record in grpo.records] == [0, 1, 2]
    # a step whose groups all agree has no gradient, and this one is small
    assert max(record.metrics["actor/grad_norm"] for record in grpo.records[1:]) > 0
    for record in grpo.records[1:]:
        assert 0 <= record.metrics["critic/score/mean"] <= 1
        # the trainer's log-probs of the sampled tokens agree with the generation server's
        assert record.metrics["training/rollout_probs_diff_max"] < 1e-4
    for step in (0, 2):
        samples = read_generations(grpo.run.generations, step)
        assert [sample.index for sample in samples] == sorted(sample.index for sample in samples)
        accuracy = sum(sample.extra["acc"] for sample in samples) / len(samples)
        name = next(name for name in grpo.records[step].metrics if name.startswith("val-core") and "/acc/mean@" in name)
        assert accuracy == pytest.approx(grpo.records[step].metrics[name])
        assert {f"val-core/{sample.source}/acc" for sample in samples} == {name.rpartition("/")[0]}


def test_start_up_stages_have_names(grpo: Finished) -> None:
    stages = [entry.stage for entry in read_stages(grpo.run.stages)]
    assert stages[:3] == ["importing verl", "loading the tokenizer", "reading the data"]
    assert "updating the actor" in stages


def test_the_terminal_shows_a_line_a_step_and_none_of_verls(grpo: Finished) -> None:
    assert "step 2/2" in grpo.out
    assert "TaskRunner pid" not in grpo.out + grpo.err
    assert "TaskRunner pid" in grpo.log()


def test_the_same_seed_gives_the_same_numbers_bit_for_bit(train: Train, grpo: Finished) -> None:
    assert values(train()) == values(grpo)


def test_another_seed_gives_other_numbers(train: Train, grpo: Finished) -> None:
    assert values(train("seed=2")) != values(grpo)


def test_ppo_trains_a_critic(train: Train) -> None:
    metrics = train("algorithm=ppo").records[-1].metrics
    assert metrics["critic/grad_norm"] > 0
    assert metrics["critic/vf_loss"] >= 0


def test_reference_policy_and_lora(train: Train, tmp_path: Path) -> None:
    finished = train(
        "actor_rollout_ref.actor.use_kl_loss=true",
        "lora=all_linear",
        "actor_rollout_ref.model.lora_rank=4",
        "trainer.save_freq=2",
    )
    first, last = (record.metrics for record in finished.records[1:])
    # adapters begin as nothing, so the policy equals its reference before the first update, and not after it
    assert first["actor/kl_loss"] == pytest.approx(0, abs=1e-6)
    assert last["actor/kl_loss"] > first["actor/kl_loss"]
    saved = export_checkpoint(finished.run.checkpoints / "global_step_2", tmp_path / "saved")
    name = "model.layers.0.self_attn.q_proj"
    base = load_file(Path(yaml.safe_load(finished.run.config.read_text())["actor_rollout_ref"]["model"]["path"]) / FILE)
    adapter = load_file(saved / "lora_adapter" / "adapter_model.safetensors")
    told = json.loads((saved / "lora_adapter" / "adapter_config.json").read_text())
    up, down = (adapter[f"base_model.model.{name}.lora_{part}.weight"].float() for part in "BA")
    untrained = base[f"{name}.weight"].bfloat16()  # verl's merger writes that whatever it was trained in
    merged, trained = load_file(saved / FILE)[f"{name}.weight"], untrained + told["lora_alpha"] / told["r"] * up @ down
    torch.testing.assert_close(merged, trained.bfloat16(), rtol=2**-7, atol=0)
    assert (merged != untrained).float().mean() > 0.1


def test_two_workers_with_a_reference_give_the_same_numbers_again(train: Train) -> None:
    words = ("trainer.n_gpus_per_node=2", "algorithm.use_kl_in_reward=true")
    finished = train(*words)
    assert finished.records[-1].metrics["actor/grad_norm"] > 0
    assert finished.log().count("LlamaForCausalLM contains") >= 1
    assert values(train(*words)) == values(finished)


def test_validation_only(train: Train, grpo: Finished) -> None:
    finished = train("trainer.val_only=true")
    assert [record.step for record in finished.records] == [0]
    assert values(finished)[0] == values(grpo)[0]
    assert finished.status.state == "done"


def test_evaluating_a_run_is_a_run_of_its_own(train: Train, harness: Train) -> None:
    trained = train("trainer.save_freq=2", "trainer.val_before_train=false")
    before = {path: path.read_bytes() for path in trained.run.generations.iterdir()}
    evaluated = harness("evaluate", str(trained.run.path), folder=trained.folder)
    assert evaluated.code == 0, evaluated.err
    name = next(name for name in trained.records[-1].metrics if name.startswith("val-core"))
    assert evaluated.records[-1].metrics[name] == trained.records[-1].metrics[name]
    assert {path: path.read_bytes() for path in trained.run.generations.iterdir()} == before


@pytest.mark.parametrize("mode", ["colocate_async", "separate_async"])
def test_asynchronous_modes(train: Train, mode: str) -> None:
    overrides = [f"trainer.v1.trainer_mode={mode}"]
    if mode == "separate_async":
        overrides += [
            "trainer.v1.separate_async.parameter_sync_step=2",
            "actor_rollout_ref.actor.ppo_mini_batch_size=4",
        ]
    finished = train(*overrides)
    assert finished.status.step == 2
    # what a step is trained on depends on timing here, and one whose groups all agree has no gradient
    assert max(record.metrics.get("actor/grad_norm", 0) for record in finished.records) > 0


def test_own_components_by_override(train: Train, tmp_path: Path) -> None:
    (tmp_path / "my_parts.py").write_text(OWN)
    finished = train(
        "+reward_fn.length._target_=my_parts.LengthReward",
        "+reward_fn.length.target=3",
        "+reward_fn.length.weight=0.5",
        "advantage_fn._target_=my_parts.my_advantage",
        "policy_loss._target_=my_parts.my_loss",
        "trusted_modules=[my_parts]",
        folder=tmp_path,
    )
    metrics = finished.records[-1].metrics
    assert metrics["actor/my_loss_was_here"] == 1.0
    assert metrics["critic/advantages/max"] == pytest.approx(7.0)
    assert "reward_fn/length" in read_generations(finished.run.generations, 2)[0].extra


OWN = """
import torch


class LengthReward:
    def __init__(self, target: int) -> None:
        self.target = target

    def __call__(self, input_text, response_text, **kwargs):
        return float(len(response_text) <= self.target)


def my_advantage(token_level_rewards, eos_mask, index, epsilon=1e-6):
    return 7.0 * torch.ones_like(token_level_rewards), token_level_rewards


def my_loss(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode="token-mean", config=None, rollout_is_weights=None):
    loss = -(torch.exp(log_prob - old_log_prob.detach()) * advantages * response_mask).sum() / response_mask.sum()
    return loss, {"actor/my_loss_was_here": 1.0}
"""
