"""A row of the data through the real reward manager: right answers in the usual forms, and a wrong one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from omegaconf import OmegaConf, open_dict

from harness.backend.rehearsal.data import prompt_tokens
from harness.backend.rehearsal.outcome import Outcome, one_line
from harness.backend.reward_setup import batch_scoring_service
from harness.backend.rewards import HarnessRewardManager, install_reward_bridge, sample_for_a_batch
from harness.backend.trajectories import reward_batch
from harness.check.rewards import METRIC
from harness.errors import HarnessError

if TYPE_CHECKING:
    from omegaconf import DictConfig

# how a right answer may be written; which of them counts is the reward function's choice
FORMS = ("{}", "The answer is {}.", "\\boxed{{{}}}", "#### {}", "<think>…</think><answer>{}</answer>")
WRONG = "I do not know."
SHOWN = 60


def rehearse_reward(config: DictConfig, tokenizer: Any, rows: Sequence[Mapping[str, Any]], outcome: Outcome) -> None:
    """Score one row's right answer in several forms beside a wrong one.

    Args:
        config: The resolved configuration.
        tokenizer: The model's.
        rows: Of the training data; the first one is taken.
        outcome: Takes what is seen.
    """
    if config.reward.reward_model.enable:
        outcome.say("reward", "a reward model is used, which needs its servers; not tried")
        return
    truth = (rows[0].get("reward_model") or {}).get("ground_truth")
    texts = [form.format(truth) for form in FORMS] if truth is not None else []
    try:
        results = asyncio.run(_scored(config, tokenizer, rows[0], [*texts, WRONG]))
    except HarnessError as error:
        outcome.wrong("reward", error.message.partition(":")[0], error.message, error.remedy)
        return
    except Exception as error:  # noqa: BLE001  a reward manager's own code
        outcome.wrong("reward", "reward_manager", f"reward_manager: {type(error).__name__}: {one_line(error)}")
        return
    for score, text, _ in results:
        outcome.say("reward", f"{score:g} for {_short(text)}")
    _look_for_the_metric(config, results[0][2], outcome)
    scores = [score for score, _, _ in results]
    outcome.say("reward", f"  of the prompt {_short(rows[0][config.data.prompt_key][-1]['content'])}, "
                f"ground truth {_short(truth)}")  # fmt: skip
    if texts and max(scores[:-1]) <= scores[-1]:
        outcome.warn(
            "reward", "reward_fn",
            f"reward_fn: {_short(WRONG)} scores {scores[-1]:g}, and no form of the right answer scores more.",
            "Look at the scores above: the function may read answers in a form of its own, or columns that differ.",
        )  # fmt: skip


def _look_for_the_metric(config: DictConfig, notes: Mapping[str, Any], outcome: Outcome) -> None:
    """Dynamic sampling compares a number of the reward manager's notes, or the reward itself."""
    groups = config.algorithm.get("filter_groups") or {}
    metric = groups.get("metric")
    if groups.get("enable") and metric != "reward" and metric not in notes:
        outcome.wrong(
            "reward", METRIC,
            f"{METRIC}={metric}: a scored response has no such number beside its reward.",
            f"It has: {', '.join(sorted(notes)) or 'none'}; or choose reward.",
        )  # fmt: skip


async def _scored(
    config: DictConfig, tokenizer: Any, row: Mapping[str, Any], texts: Sequence[str]
) -> list[tuple[float, str, Mapping[str, Any]]]:
    """Each text's score, the text as the reward manager got it (encoded and decoded), and what it noted."""
    copy = OmegaConf.create(OmegaConf.to_container(config))
    with open_dict(copy):
        copy.scoring.on_error = "stop"
    install_reward_bridge(copy)
    row = {**row, "raw_prompt": row[config.data.prompt_key], "uid": "0"}
    limit = config.data.max_response_length
    ids = [tokenizer.encode(text, add_special_tokens=False)[:limit] for text in texts]
    decoded = [tokenizer.decode(response, skip_special_tokens=True) for response in ids]
    service = batch_scoring_service(copy)
    if service is not None:
        tokens = prompt_tokens(row["raw_prompt"], config, tokenizer)
        samples = [sample_for_a_batch(row, text, tokens, own) for text, own in zip(decoded, ids, strict=True)]
        try:
            results = service.score_batch(samples)
            return [(result.score, text, result.extra) for result, text in zip(results, decoded, strict=True)]
        finally:
            service.close()
    manager = HarnessRewardManager(copy, tokenizer, None)
    prompt = torch.tensor(tokenizer.encode("…", add_special_tokens=False) or [0])
    objects = {**row, "__num_turns__": 2, "tool_extra_fields": {}}
    data = reward_batch([({"prompts": prompt, "responses": torch.tensor(own)}, objects, len(own)) for own in ids])
    try:
        answers = [await manager.run_single(data[number : number + 1]) for number in range(len(decoded))]
        return [
            (float(answer["reward_score"]), text, answer["reward_extra_info"])
            for answer, text in zip(answers, decoded, strict=True)
        ]
    finally:
        if hasattr(manager, "service"):
            manager.service.close()


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
