"""A training with verl's vLLM rollout on a CPU: the server has the trainer's weights, and does as it is told."""

from __future__ import annotations

import json

import pytest
import torch
from asking_agent import BLOCK, PROMPT, WARM
from omegaconf import OmegaConf
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from watched import KILLED_AT, STEPS, Training

from harness.records.generations import read_generations
from harness.records.metrics import read_metrics

ALL_STEPS = range(STEPS + 1)


@pytest.fixture(scope="module")
def policies(training: Training) -> list[PreTrainedModel]:
    """The trainer's model after each step, the untrained one first."""
    config = OmegaConf.load(training.run.config)
    saved = [training.run.checkpoints / f"global_step_{step}/actor/huggingface" for step in ALL_STEPS[1:]]
    folders = [config.actor_rollout_ref.model.path, *saved]
    return [AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval() for folder in folders]


@pytest.fixture(scope="module")
def answers(training: Training) -> list[dict]:
    """What the server answered with the weights after each step; where it was asked again, after the resumption."""
    lines = [json.loads(line) for line in (training.run.path / "answers.jsonl").read_text().splitlines()]
    by_step = {line["step"]: line for line in lines}
    return [by_step[step] for step in ALL_STEPS]


@torch.no_grad()
def greedy(policy: PreTrainedModel, prompt: list[int], longest: int, end: int | None = None) -> list[int]:
    ids = list(prompt)
    while len(ids) < len(prompt) + longest and ids[-1] != end:
        ids.append(int(policy(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


@torch.no_grad()
def warm_log_probs(policy: PreTrainedModel, tokens: list[int]) -> torch.Tensor:
    ids = torch.tensor([PROMPT + tokens])
    logits = policy(ids).logits[0, len(PROMPT) - 1 : -1]
    return (logits / WARM).log_softmax(-1).gather(-1, ids[0, len(PROMPT) :, None])[:, 0]


def test_validation_writes_what_the_trainers_model_would(training: Training, policies: list[PreTrainedModel]) -> None:
    config = OmegaConf.load(training.run.config)
    tokenizer = AutoTokenizer.from_pretrained(config.actor_rollout_ref.model.path)
    longest, end = config.data.max_response_length, tokenizer.eos_token_id
    written = []
    for step, policy in zip(ALL_STEPS, policies, strict=True):
        samples = read_generations(training.run.generations, step)
        chats = [[{"role": "user", "content": sample.input}] for sample in samples]
        prompts = tokenizer.apply_chat_template(chats, add_generation_prompt=True, return_dict=False)
        expected = [greedy(policy, prompt, longest, end) for prompt in prompts]
        written.append([sample.output for sample in samples])
        assert written[-1] == tokenizer.batch_decode(expected, skip_special_tokens=True), f"step {step}"
    assert written[0] != written[-1]


def test_every_update_reaches_the_server(policies: list[PreTrainedModel], answers: list[dict]) -> None:
    for step, (policy, answer) in enumerate(zip(policies, answers, strict=True)):
        assert answer["greedy"]["tokens"] == greedy(policy, PROMPT, 6)
        tokens, served = answer["warm"]["tokens"], torch.tensor(answer["warm"]["log_probs"])
        torch.testing.assert_close(served, warm_log_probs(policy, tokens), atol=1e-4, rtol=1e-4)
        if step:  # with the weights of the step before it would not be so
            assert (served - warm_log_probs(policies[step - 1], tokens)).abs().max() > 1e-2


def test_an_update_empties_the_prefix_cache(answers: list[dict]) -> None:
    for answer in answers:
        assert answer["greedy"]["cached"] == 0
        assert answer["greedy again"]["cached"] == 2 * BLOCK
        assert answer["greedy again"]["tokens"] == answer["greedy"]["tokens"]


def test_sampling_parameters_are_honoured(answers: list[dict]) -> None:
    for answer in answers:
        tokens = {name: each["tokens"] for name, each in answer.items() if name != "step"}
        best = tokens["greedy"]
        assert tokens["top_k of 1"] == tokens["small top_p"] == best
        assert tokens["two tokens"] == best[:2]
        assert tokens["third stops"] == best[: best.index(best[2]) + 1]
        assert tokens["warm"] == tokens["warm again"]  # the seed
        assert tokens["warm"] != best


def test_log_probs_agree_with_the_trainers(training: Training) -> None:
    """In training they are computed at its temperature, which a server that ignored it would miss by far."""
    for record in read_metrics(training.run.metrics)[1:]:
        metrics = record.metrics
        assert metrics["training/rollout_probs_diff_max"] < 1e-4
        assert metrics["training/rollout_actor_probs_pearson_corr"] > 0.9999
        assert abs(metrics["rollout_corr/kl"]) < 1e-5
        assert metrics["rollout_corr/log_ppl_abs_diff"] < 1e-4
        assert metrics["response_length/max"] <= 6


def test_it_is_resumed_where_it_was(training: Training) -> None:
    assert training.resumed.code == 0, training.resumed.err + training.run.log.read_text()[-3000:]
    assert training.resumed.status.state == "done"
    assert f"resuming from step {KILLED_AT} of {STEPS}" in training.run.stages.read_text()
    assert [record.step for record in read_metrics(training.run.metrics)] == list(ALL_STEPS)


@pytest.mark.parametrize("end", ["killed", "done"])
def test_nothing_is_left_of_it(training: Training, end: str) -> None:
    titles = training.titles[end]
    assert any("EngineCore" in title for title in titles), titles  # without it, nothing could have been left
    assert training.left[end] == []
