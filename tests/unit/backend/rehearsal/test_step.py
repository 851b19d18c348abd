"""The rehearsed step has the columns that the training would have, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.backend.rehearsal.outcome import Outcome
from harness.backend.rehearsal.step import rehearse_step, synthetic_batch
from harness.config.compose import compose_config, resolve

ROWS = [{"data_source": "sums", "ability": ability} for ability in ("easy", "hard")]
OWN = """
import torch

def by_ability(token_level_rewards, ability):
    weight = torch.tensor([0.5 + (each == "hard") for each in ability])
    return token_level_rewards * weight[:, None], token_level_rewards
"""


def rehearsed(*words: str, rows: list = ROWS) -> Outcome:
    outcome = Outcome()
    rehearse_step(resolve(compose_config(["experiment=quickstart_tiny", *words])), rows, outcome)
    return outcome


@pytest.mark.parametrize(
    ("words", "there", "absent"),
    [
        (["algorithm=grpo"], {"entropy", "rollout_log_probs"}, {"values", "process_rewards", "ref_log_prob"}),
        (["algorithm=ppo"], {"values"}, {"process_rewards", "ref_log_prob"}),
        (["algorithm=prime"], {"process_rewards"}, {"values"}),
        (["actor_rollout_ref.actor.use_kl_loss=true"], {"ref_log_prob"}, {"values"}),
        (["algorithm.rollout_correction.bypass_mode=true"], {"rollout_log_probs"}, {"entropy"}),
    ],
)
def test_only_the_columns_of_this_training(words: list[str], there: set[str], absent: set[str]) -> None:
    batch = synthetic_batch(resolve(compose_config(["experiment=quickstart_tiny", *words])))
    assert there <= set(batch)
    assert not absent & set(batch)


def test_the_columns_of_the_data_are_there_group_by_group() -> None:
    config = resolve(compose_config(["experiment=quickstart_tiny", "actor_rollout_ref.rollout.n=2"]))
    batch = synthetic_batch(config, ROWS)
    assert batch["ability"].tolist() == ["easy", "easy", "hard", "hard"] * 2
    assert [len(set(batch["ability"][batch["uid"] == uid])) for uid in np.unique(batch["uid"])] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "words",
    [
        ["algorithm=ppo"],
        ["algorithm=prime"],
        ["algorithm=remax"],
        ["algorithm=gdpo", "reward_fn=[exact_match,format_tags]"],
        ["algorithm=gdpo", "reward_fn=[exact_match,format_tags]", "reward_fn.format_tags.weight=-0.5"],
    ],
)
def test_what_a_training_would_do_is_done(words: list[str]) -> None:
    outcome = rehearsed(*words)
    assert outcome.problems == []
    assert "gradient norm over log-probs" in outcome.lines[-1][1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["algorithm=grpo", "advantage_fn=gae"], "gae needs values, which this training does not have"),
        (["algorithm=grpo", "advantage_fn=prime"], "prime needs process_rewards"),
        (["algorithm.adv_estimator=remax"], "reward_baselines"),
        (["algorithm.adv_estimator=gae"], "values"),
        (["algorithm.adv_estimator=optimal_token_baseline"], "sum_pi_squared"),
    ],
)
def test_what_a_training_would_die_of_is_told(words: list[str], message: str) -> None:
    (problem,) = rehearsed(*words).problems
    assert message in problem.message


def test_a_function_may_name_a_column_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    words = ["advantage_fn=custom", "advantage_fn.module=own.py"]
    assert rehearsed(*words).problems == []
    (problem,) = rehearsed(*words, rows=[{"data_source": "sums"}]).problems
    assert "needs ability, which this training does not have" in problem.message
    steps = "+algorithm_steps._target_=harness.backend.steps.AlgorithmSteps"
    for outcome in (rehearsed(*words, rows=[]), rehearsed(*words, steps, rows=[{"data_source": "sums"}])):
        assert outcome.problems == []
        assert "not tried: advantage_fn: by_ability needs ability" in outcome.lines[-1][1]
