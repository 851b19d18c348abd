"""Combinations of algorithm, reward manager and sampling that cannot work or would learn nothing."""

from __future__ import annotations

from collections.abc import Iterator

from omegaconf import DictConfig, OmegaConf

from harness.check.problem import Problem
from harness.check.twins import named_by
from harness.components.kinds import LOSS_WEIGHTS, parameters_of
from harness.errors import ConfigurationError
from harness.scoring.build import takes_whole_batches
from harness.scoring.setup import Limits

# estimators that compare a response with the others to its prompt
GROUP_ESTIMATORS = frozenset(
    {"gdpo", "gpg", "grpo", "grpo_passk", "grpo_vectorized", "opo", "reinforce_plus_plus_baseline", "rloo",
     "rloo_vectorized"}
)  # fmt: skip
GROUP_FUNCTIONS = frozenset(
    f"harness.advantages.{name}.{name}"
    for name in ("gdpo", "gpg", "grpo", "grpo_passk", "max_rl", "opo", "prime", "reinforce_plus_plus_baseline", "rloo")
)


def algorithm_problems(config: DictConfig) -> Iterator[Problem]:
    """Every such combination."""
    yield from _groups_of_one(config)
    yield from _whole_batches(config)
    yield from _greedy_baseline(config)
    yield from _weights_without_use(config)
    yield from _off_policy(config)
    yield from _rewards_that_grow(config)
    try:
        Limits(**OmegaConf.to_container(config.scoring, resolve=True))
    except (ConfigurationError, TypeError) as error:
        message = error.message if isinstance(error, ConfigurationError) else f"scoring: {error}."
        yield Problem("scoring", message.partition("=")[0].partition(":")[0], message, getattr(error, "remedy", ""))


def _groups_of_one(config: DictConfig) -> Iterator[Problem]:
    n = config.actor_rollout_ref.rollout.n
    if n != 1:
        return
    target = str((config.get("advantage_fn") or {}).get("_target_") or "")
    estimator = str(config.algorithm.adv_estimator)
    named = f"advantage_fn ({target})" if target else f"algorithm.adv_estimator={estimator}"
    if target in GROUP_FUNCTIONS or (not target and estimator in GROUP_ESTIMATORS):
        yield Problem(
            "algorithm",
            "actor_rollout_ref.rollout.n",
            f"actor_rollout_ref.rollout.n=1: {named} compares the responses to one prompt, and there is one.",
            "Use n of at least 2, such as 8, or an algorithm without groups (reinforce_plus_plus, ppo).",
        )


def _whole_batches(config: DictConfig) -> Iterator[Problem]:
    groups = config.algorithm.get("filter_groups") or {}
    if groups.get("enable") and scores_whole_batches(config):
        yield Problem(
            "algorithm",
            "reward_manager",
            "reward_manager scores a whole batch, and algorithm.filter_groups needs the scores before there is one.",
            "Choose a manager that scores each response, such as reward_manager=per_sample, or set "
            "algorithm.filter_groups.enable=false.",
        )


def scores_whole_batches(config: DictConfig) -> bool:
    """Whether the manager wants all responses of a step at once; False where its source alone does not tell."""
    return takes_whole_batches(named_by(config.get("reward_manager") or {}, config.get("trusted_modules") or ()))


def _greedy_baseline(config: DictConfig) -> Iterator[Problem]:
    """An advantage function that names ``greedy_scores`` has a greedy response to each prompt generated and scored."""
    function = named_by(config.get("advantage_fn") or {}, config.get("trusted_modules") or ())
    if function is None or "greedy_scores" not in parameters_of(function)[0]:
        return
    named = f"advantage_fn ({config.advantage_fn._target_})"
    if scores_whole_batches(config):
        yield Problem(
            "algorithm",
            "reward_manager",
            f"reward_manager scores a whole batch, and {named} needs the score of a greedy response by itself.",
            "Choose a manager that scores each response, such as reward_manager=per_sample.",
        )
    key = "actor_rollout_ref.rollout.agent.agent_loop_manager_class"
    if chosen := config.actor_rollout_ref.rollout.agent.get("agent_loop_manager_class"):
        message = f"{key}={chosen} does not generate the greedy response to each prompt that {named} needs."
        yield Problem("algorithm", key, message, "Leave it null, or choose another algorithm.", chosen)


def _off_policy(config: DictConfig) -> Iterator[Problem]:
    """OPO's baseline is optimal for the policy that responses were sampled from: one update a step."""
    target = str((config.get("advantage_fn") or {}).get("_target_") or "")
    if target != "harness.advantages.opo.opo" and (target or config.algorithm.adv_estimator != "opo"):
        return
    batch, actor = config.data.train_batch_size, config.actor_rollout_ref.actor
    for name, value, wanted in (("ppo_mini_batch_size", actor.ppo_mini_batch_size, batch),
                                ("ppo_epochs", actor.ppo_epochs, 1)):  # fmt: skip
        if value != wanted:
            key = f"actor_rollout_ref.actor.{name}"
            message = f"{key}={value}: OPO is strictly on-policy, and this makes several updates a step."
            yield Problem("algorithm", key, message, f"Use {wanted}.", value, warning=True)


def _rewards_that_grow(config: DictConfig) -> Iterator[Problem]:
    """A manager that rewards every token of a step undivided, and an advantage that sums over tokens.

    The manager's class tells by ``by_token``: the ends of the names of the advantages that are meant for it. Advantages
    of the user's own are not judged.
    """
    node = config.get("reward_manager") or {}
    suited = getattr(named_by(node, config.get("trusted_modules") or ()), "by_token", ())
    target = str((config.get("advantage_fn") or {}).get("_target_") or "")
    known = not target or target.startswith(("harness.", "experiments.", "verl."))
    if not suited or node.get("rm_coef") == 0 or not known or target.endswith(suited):
        return
    named = f"advantage_fn ({target})" if target else f"algorithm.adv_estimator={config.algorithm.adv_estimator}"
    yield Problem(
        "algorithm",
        "reward_manager",
        f"reward_manager ({node.get('_target_')}) rewards every token, and {named} sums a response's rewards: "
        "the longer the response, the larger its reward.",
        "Choose an advantage by tokens, such as advantage_fn=sql_average_unique, or reward_manager=per_sample.",
        warning=True,
    )


def _weights_without_use(config: DictConfig) -> Iterator[Problem]:
    """Importance weights of the rollout that the policy loss cannot take."""
    key, correction = "algorithm.rollout_correction.rollout_is", config.algorithm.get("rollout_correction") or {}
    weights = correction.get("rollout_is")
    if not weights or correction.get("bypass_mode"):
        return
    loss = named_by(config.policy_loss, config.get("trusted_modules") or ())
    names, anything = parameters_of(loss) if loss is not None else ([], True)
    if not anything and LOSS_WEIGHTS not in names:
        yield Problem(
            "algorithm",
            key,
            f"{key}={weights}: policy_loss ({config.policy_loss._target_}) takes no {LOSS_WEIGHTS}.",
            f"Give it that parameter and multiply each token's loss by it, or set {key}=null.",
        )
