"""`harness check --deep`: what is right passes with what was seen, and each thing that is wrong is told with its key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from runs import Finished, script_result, untrained_model

from harness.data.parquet import make_row

TINY = ["experiment=quickstart_tiny"]
MINE = """
import torch

def nothing(input_text: str, response_text: str) -> float:
    return 0.0

def broken(input_text: str, response_text: str) -> float:
    raise ZeroDivisionError("no such luck")

def half_a_batch(samples):
    return samples[:1]

class Batches:
    def __init__(self, functions):
        pass
    def score_batch(self, samples):
        return samples[:1]

class Classic:
    def __init__(self, tokenizer, num_examine, config, compute_score=None):
        self.tokenizer, self.compute_score = tokenizer, compute_score
    def __call__(self, data):
        rewards = torch.zeros_like(data.batch["responses"], dtype=torch.float32)
        for row in range(len(data)):
            length = int(data[row].batch["response_mask"].sum())
            text = self.tokenizer.decode(data[row].batch["responses"][:length], skip_special_tokens=True)
            rewards[row, length - 1] = self.compute_score(solution_str=text)
        return rewards

def infinite(token_level_rewards, response_mask):
    return token_level_rewards / 0.0, token_level_rewards

def no_gradient(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, rollout_is_weights):
    return (log_prob * 0.0).sum(), {}

def crash(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, rollout_is_weights):
    raise KeyError("ratio")
"""
TRUST = "trusted_modules=[mine]"


def rows(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> str:
    """A data file whose every row has been changed."""
    made = []
    for number in range(16):
        messages = [{"role": "user", "content": f"{number} + 1 = ?"}]
        row = make_row(source="sums", messages=messages, ability="sums", ground_truth=str(number + 1), index=number,
                       split="train")  # fmt: skip
        change(row)
        made.append(row)
    path = folder / f"{name}.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(made), path)
    return str(path)


def as_json_lines(parquet: str) -> str:
    path = Path(parquet).with_suffix(".jsonl")
    rows = pyarrow.parquet.read_table(parquet).to_pylist()
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


def own_data(file: str, *words: str) -> list[str]:
    return [*TINY, f"data.train_files={file}", f"data.val_files={file}", "data.max_prompt_length=64",
            "data.max_response_length=8", "reward_fn=exact_match", *words]  # fmt: skip


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "mine.py").write_text(MINE)
    model = untrained_model(folder / "no_template", 64)
    shard = folder / "torn"
    shard.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (shard / name).write_text((model / name).read_text())
    (shard / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    good = rows(folder, "good", lambda row: None)
    text = rows(folder, "text", lambda row: row.update(prompt="3 + 4 = ?"))
    nameless = rows(folder, "nameless", lambda row: (row.pop("prompt"), row.pop("data_source")))
    truthless = rows(folder, "truthless", lambda row: (row.pop("reward_model"), row.pop("data_source")))
    template = "actor_rollout_ref.model.custom_chat_template='{% for m in messages %}{{ m.content }}{% endfor %}'"
    cases = {
        "fine": TINY,
        "ppo": [*TINY, "algorithm=ppo"],
        "prime": [*TINY, "algorithm=prime"],
        "verl's estimator": [*TINY, "algorithm=rloo", "advantage_fn=verl", "algorithm.adv_estimator=rloo"],
        "verl's manager": [*TINY, "reward_manager=verl", "reward.reward_manager.name=dapo"],
        "classic manager": own_data(
            good, TRUST, "reward_manager=custom", "reward_manager.module=mine", "reward_manager.function=Classic"
        ),
        "own data": own_data(good),
        "no template": own_data(good, f"actor_rollout_ref.model.path={model}"),
        "given template": own_data(good, f"actor_rollout_ref.model.path={model}", template),
        "no weights": own_data(good, f"actor_rollout_ref.model.path={shard}", template),
        "hub name": own_data(good, "actor_rollout_ref.model.path=nobody/nothing"),
        "prompts as text": own_data(text),
        "no prompts": own_data(nameless),
        "no prompts in JSON": own_data(as_json_lines(nameless)),
        "no truth": own_data(truthless),
        "long prompts": own_data(good, "data.max_prompt_length=9"),
        "all too long": own_data(good, "data.max_prompt_length=3", "data.filter_overlong_prompts=true"),
        "unknown source": own_data(good, "reward_fn=verl"),
        "reward says nothing": own_data(
            good, TRUST, "reward_fn=custom", "reward_fn.custom.module=mine", "reward_fn.custom.function=nothing"
        ),
        "reward fails": own_data(
            good, TRUST, "reward_fn=custom", "reward_fn.custom.module=mine", "reward_fn.custom.function=broken"
        ),
        "manager fails": own_data(
            good, TRUST, "reward_manager=custom", "reward_manager.module=mine", "reward_manager.function=Batches"
        ),
        "infinite advantages": own_data(
            good, TRUST, "advantage_fn=custom", "advantage_fn.module=mine", "advantage_fn.function=infinite"
        ),
        "no gradient": own_data(
            good, TRUST, "policy_loss=custom", "policy_loss.module=mine", "policy_loss.function=no_gradient"
        ),
        "loss fails": own_data(
            good, TRUST, "policy_loss=custom", "policy_loss.module=mine", "policy_loss.function=crash"
        ),
        "no such metric": own_data(
            good,
            TRUST,
            "algorithm=dapo",
            "algorithm.filter_groups.metric=nonsense",
            "reward_fn=custom",
            "reward_fn.custom.module=mine",
            "reward_fn.custom.function=nothing",
        ),
        "problems before": own_data(good, "actor_rollout_ref.actor.optim.lr=fast"),
        "checkpoints": own_data(good, "trainer.save_freq=1", "output_root=/proc/nowhere"),
    }
    (folder / "cases.json").write_text(json.dumps(cases))
    return script_result("deep_cases.py", str(folder / "cases.json"), folder=folder)


def seen(report: dict[str, Any], part: str) -> str:
    return "\n".join(each["text"] for each in report["seen"] if each["part"] == part)


@pytest.mark.parametrize("case", ["fine", "ppo", "prime", "verl's estimator", "verl's manager", "classic manager",
                                  "own data"])  # fmt: skip
def test_what_is_right_passes(reports: dict[str, dict[str, Any]], case: str) -> None:
    report = reports[case]
    assert report["problems"] == []
    assert "tokens" in seen(report, "model")
    assert "over the limit" in seen(report, "data")
    assert seen(report, "reward").startswith("1 for ")
    assert "gradient norm over log-probs" in seen(report, "step")


def test_what_was_seen_is_shown(reports: dict[str, dict[str, Any]]) -> None:
    report = reports["own data"]
    assert "16 rows, prompts of " in seen(report, "data")
    lines = seen(report, "reward").splitlines()
    assert lines[0] == "1 for '1'"
    assert "0 for 'I do not'" in lines  # cut at the response limit, as it would be in the training
    assert lines[-1] == "  of the prompt '0 + 1 = ?', ground truth '1'"


@pytest.mark.parametrize(
    ("case", "key", "message"),
    [
        ("no template", "actor_rollout_ref.model.path", "the tokenizer has no chat template"),
        ("no weights", "actor_rollout_ref.model.path", "1 of 1 files of weights are not there, the first "),
        ("hub name", "actor_rollout_ref.model.path", "=nobody/nothing: cannot be loaded: "),
        ("prompts as text", "data.train_files", "row 0's 'prompt' is '3 + 4 = ?', not a list of messages."),
        ("no prompts", "data.train_files", "nameless.parquet has no column prompt (data.prompt_key)."),
        ("no prompts in JSON", "data.train_files", "there is no column 'prompt' (data.prompt_key); there are ability"),
        ("all too long", "data.max_prompt_length", "100.0% of the prompts of data.train_files are longer and are left"),
        ("unknown source", "reward_fn", "a response could not be scored: NotImplementedError"),
        ("reward fails", "reward_fn", "a response could not be scored: ZeroDivisionError"),
        ("manager fails", "reward_manager", "1 results came back for 6 responses."),
        ("infinite advantages", "advantage_fn", "infinite returned advantages with NaN or infinite values."),
        ("loss fails", "policy_loss", "KeyError on a synthetic batch: 'ratio'"),
        ("no such metric", "algorithm.filter_groups.metric", "a scored response has no such number beside its reward"),
        ("problems before", "actor_rollout_ref.actor.optim.lr", "a number is needed"),
        ("checkpoints", "trainer.save_freq", "trainer.save_freq=1: checkpoints take "),
    ],
)
def test_what_is_wrong_is_told(reports: dict[str, dict[str, Any]], case: str, key: str, message: str) -> None:
    report = reports[case]
    assert report["wrong"]
    told = [problem["message"] for problem in report["problems"] if problem["key"] == key]
    assert any(message in text for text in told), report["problems"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no truth", "data.train_files: there is no reward_model.ground_truth; reward functions get nothing for it."),
        ("long prompts", "of the prompts of data.train_files are longer and lose their beginning."),
        ("reward says nothing", "and no form of the right answer scores more."),
        ("no gradient", "the gradient of a batch with mixed rewards is zero: nothing is learnt."),
    ],
)
def test_what_may_be_meant_is_a_warning(reports: dict[str, dict[str, Any]], case: str, message: str) -> None:
    report = reports[case]
    assert not report["wrong"], report["problems"]
    assert any(message in problem["message"] for problem in report["problems"])


def test_nothing_is_tried_before_the_rest_is_mended(reports: dict[str, dict[str, Any]]) -> None:
    assert reports["problems before"]["seen"] == [{"part": "deep", "text": "not tried: mend the problems first"}]


def test_the_command(harness: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    finished = harness("check", "--deep", *TINY, "tracking=wandb")
    assert finished.code == 0
    assert "tracking.mode=online: this machine has no key for W&B, so the run is kept in its folder." in finished.out
    assert finished.err.strip() == ""
