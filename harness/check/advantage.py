"""Whether a training has what its advantages are made of, and all of the reward counts in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from harness.check.ignored import penalises_overlong
from harness.check.problem import Problem
from harness.check.twins import named_by
from harness.check.values import lookup
from harness.components.kinds import reads_components_alone, required_of

Tree = Mapping[str, Any]
ACTOR, ESTIMATOR = "actor_rollout_ref.actor", "algorithm.adv_estimator"
LOG_PROBS, BYPASS = "actor_rollout_ref.rollout.calculate_log_probs", "algorithm.rollout_correction.bypass_mode"
PRIME_STEPS = "harness.backend.prime.steps.PrimeSteps"
_SQUARES = ("its sum_pi_squared", "Use another estimator; algorithm=remax and algorithm=grpo have baselines too.")
# estimators of verl's, with the input that its V1 trainer does not pass, and what to do
UNFED = {
    "remax": ("its reward_baselines", "Use algorithm=remax."),
    "gdpo": ("the score of each reward", "Use algorithm=gdpo."),
    "optimal_token_baseline": _SQUARES,
    "tir_optimal_token_baseline": _SQUARES,
}


class Absence(NamedTuple):
    """Why a training lacks a column, and how it would have it."""

    why: str
    remedy: str


def has_critic(tree: Tree) -> bool:
    """Source: verl.trainer.ppo.utils.need_critic."""
    enabled = lookup(tree, "critic.enable")
    return lookup(tree, ESTIMATOR) == "gae" if enabled is None else bool(enabled)


def has_reference(tree: Tree) -> bool:
    """Source: verl.trainer.ppo.utils.need_reference_policy."""
    return bool(lookup(tree, "algorithm.use_kl_in_reward") or lookup(tree, f"{ACTOR}.use_kl_loss"))


# column → whether a training has it, unless steps of the user's own make it
COLUMNS: dict[str, tuple[Callable[[Tree], bool], Absence]] = {
    "values": (has_critic, Absence("there is no critic (critic.enable=false)", "Use algorithm=ppo.")),
    "process_rewards": (
        lambda tree: bool(lookup(tree, "algorithm_steps._target_")),
        Absence("no algorithm_steps make them", "Use algorithm=prime."),
    ),
    "ref_log_prob": (
        has_reference,
        Absence("there is no reference policy, as neither KL is on", f"Set {ACTOR}.use_kl_loss=true."),
    ),
    "rollout_log_probs": (
        lambda tree: bool(lookup(tree, LOG_PROBS)),
        Absence(f"{LOG_PROBS} is false", f"Set {LOG_PROBS}=true."),
    ),
    "entropy": (
        lambda tree: not lookup(tree, BYPASS),
        Absence(f"{BYPASS}=true leaves out the pass that measures it", f"Set {BYPASS}=false."),
    ),
}


def absent_columns(tree: Tree) -> dict[str, Absence]:
    """Columns of `COLUMNS` that a step's batch will not have; none where steps of the user's own may add them."""
    if lookup(tree, "algorithm_steps._target_") not in (None, PRIME_STEPS):
        return {}
    return {name: absence for name, (there, absence) in COLUMNS.items() if not there(tree)}


def advantage_problems(tree: Tree) -> Iterator[Problem]:
    """What the advantages need and will not get, or get and leave out.

    Args:
        tree: The resolved configuration.
    """
    node = tree.get("advantage_fn") or {}
    if not node.get("_target_"):
        yield from _estimator(tree)
        return
    function = named_by(node, tree.get("trusted_modules") or ())
    if function is not None:
        yield from _lacking(tree, node, required_of(function))
        yield from _left_out(tree, node, function)


def _estimator(tree: Tree) -> Iterator[Problem]:
    """verl's own estimators: those that its V1 trainer does not feed, and GAE without a critic."""
    name, absent = str(lookup(tree, ESTIMATOR)), absent_columns(tree)
    if name in UNFED:
        what, remedy = UNFED[name]
        message = f"{ESTIMATOR}={name}: verl's V1 trainer never gives this estimator {what}."
        yield Problem("algorithm", ESTIMATOR, message, remedy, name)
    elif name == "gae" and "values" in absent:
        message = f"{ESTIMATOR}=gae needs values: {absent['values'].why}."
        yield Problem("algorithm", ESTIMATOR, message, absent["values"].remedy, name)


def _lacking(tree: Tree, node: Tree, required: list[str]) -> Iterator[Problem]:
    for name, absence in absent_columns(tree).items():
        if name in required and node.get(name) is None:
            message = f"advantage_fn ({node['_target_']}) needs {name}: {absence.why}."
            yield Problem("algorithm", "advantage_fn", message, absence.remedy)


def _left_out(tree: Tree, node: Tree, function: Any) -> Iterator[Problem]:
    """Parts of the reward that are not in the scores of its functions, where the advantages are made of those alone."""
    if not reads_components_alone(function):
        return
    why = f"advantage_fn ({node['_target_']}) reads the scores of reward_fn's functions alone"
    if lookup(tree, "algorithm.use_kl_in_reward"):
        key = "algorithm.use_kl_in_reward"
        yield Problem("algorithm", key, f"{key}=true does nothing: {why}.", f"Use {ACTOR}.use_kl_loss=true.")
    if penalises_overlong(tree) and len(tree["reward_fn"]) > 1:
        yield Problem(
            "algorithm",
            "reward_manager",
            f"The penalty of reward_manager for long responses does nothing: {why}.",
            "Use reward_manager=per_sample, with the length as one of reward_fn, such as length.",
        )
