"""Starts a search: the sweeper that the words choose draws points, and is told what each run came to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from hydra._internal.callbacks import Callbacks
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console

from harness.components.instantiate import locate
from harness.config.compose import resolve
from harness.config.hydra_words import SWEEPERS, is_hydras
from harness.config.multirun import compose_multirun
from harness.config.plugins import list_in
from harness.errors import ConfigurationError, HarnessError, Interrupted
from harness.launch.sweep.folder import SweepFolder
from harness.launch.sweep.prepare import new_sweep, open_sweep
from harness.launch.sweep.start import all_done
from harness.launch.sweepers.objective import Objective, objective_of
from harness.launch.sweepers.trainings import Trainings

LAUNCHER = "hydra_plugins.harness_launcher.HarnessLauncher"
RESULTS = "optimization_results.yaml"  # as Hydra's sweepers call it
INTERVALS = "An interval has no points of its own; hydra/sweeper=optuna draws from it."
LIBRARIES = ("optuna.samplers",)  # whose classes a sweeper's own options name


@dataclass(frozen=True)
class Search:
    """A sweep whose points come from a sweeper of Hydra's.

    Attributes:
        words: Of the command.
        config: What all points share, with Hydra's node.
        loader: What a sweeper composes points with.
        objective: What the sweeper is told.
    """

    words: list[str]
    config: DictConfig
    loader: Any
    objective: Objective

    @property
    def name(self) -> str:
        """The sweeper's option."""
        return str(self.config.hydra.runtime.choices.get(SWEEPERS))


def find_search(words: Sequence[str]) -> Search | None:
    """The search that the words, or the YAML they choose, describe.

    Returns:
        None where the points are simply the combinations of what is listed, as Hydra's basic sweeper takes them.

    Raises:
        ConfigurationError: A sweeper is chosen and something is wrong.
    """
    chosen = [word for word in words if is_hydras(word)]
    try:
        config, loader = compose_multirun(words)
    except ConfigurationError:
        if chosen:
            raise
        return None  # points have what the groups that are swept over bring, so they tell better what is wrong
    sweeper = config.hydra.sweeper
    basic = str(sweeper.get("_target_")).endswith(".BasicSweeper")
    if basic and not chosen and not sweeper.params and not sweeper.max_batch_size:
        return None
    given = [*list_in("trusted_modules", words), *list_in("plugins", words)]  # not what a file says it trusts
    _require_trusted(OmegaConf.to_container(sweeper), given)
    objective = objective_of(config, words)
    if sweeper.get("storage", "") is None and OmegaConf.select(sweeper, "sampler.seed", default="none") is None:
        sweeper.sampler.seed = config.seed  # the same command draws the same points, but where a study goes on
    return Search(list(words), config, loader, objective)


def _require_trusted(sweeper: Any, trusted: Sequence[str]) -> None:
    """A sweeper's options are built by Hydra, which may be told to in a file: what runs code is trusted or refused."""
    for key, target in _targets({name: value for name, value in sweeper.items() if name != "_target_"}):
        locate(target, f"hydra.sweeper.{key}".removesuffix("._target_"), (*trusted, *LIBRARIES))


def _targets(node: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in node.items() if isinstance(node, Mapping) else ():
        key = f"{prefix}{name}"
        if name in ("_target_", "custom_search_space") and value:
            yield key, str(value)
        yield from _targets(value, f"{key}.")


def dry_search(search: Search) -> str:
    """What `start_search` would start from."""
    shared = search.config.copy()
    with open_dict(shared):
        del shared["hydra"]
    sweeper = "\n".join(f"#   {line}" for line in OmegaConf.to_yaml(search.config.hydra.sweeper).splitlines())
    return (
        f"# runs in {shared.output_root}/{shared.name}/<sweep_id>/, chosen by {SWEEPERS}={search.name}:\n{sweeper}\n"
        f"# what they share (it is told {', '.join(search.objective.metrics)})\n{OmegaConf.to_yaml(resolve(shared))}\n"
    )


def start_search(search: Search, again: bool = False) -> tuple[SweepFolder, bool]:
    """Let the sweeper choose and judge until it has enough; always waits.

    Returns:
        The sweep, and whether the sweeper came to its end and every run is done.

    Raises:
        ConfigurationError: The first batch cannot run; nothing was started, and nothing is left.
    """
    config = search.config
    sweep = new_sweep(config)
    plan = open_sweep(sweep, config, search.words)
    sweep.save(plan)
    lenient = float(config.hydra.sweeper.get("max_failure_rate") or 0) > 0
    trainings = Trainings(sweep, plan, search.words, search.objective, lenient, again)
    problem: HarnessError | None = None
    try:
        draw(search, trainings)
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"The search was stopped; its runs are in {sweep.shown()}.",
            "The same command goes on: what has finished is not trained again.",
        ) from error
    except HarnessError as error:
        if isinstance(error, ConfigurationError) and not (trainings.plan.runs or trainings.plan.finished):
            shutil.rmtree(sweep.path)
            raise
        problem = error
    all_well = all_done(sweep, trainings.plan)
    if problem is not None:
        Console(stderr=True, soft_wrap=True).print(f"error: {problem}", markup=False, highlight=False)
    elif best := _best(sweep):
        Console(soft_wrap=True).print(best, markup=False, highlight=False)
    return sweep, all_well and problem is None


def draw(search: Search, trainings: Trainings) -> None:
    """Have the sweeper hand its points over, batch by batch, until it has enough.

    Raises:
        HarnessError: It came to no end.
    """
    with open_dict(search.config.hydra):
        search.config.hydra.sweep.dir = str(trainings.sweep.path)
        search.config.hydra.launcher = {"_target_": LAUNCHER}
    context = HydraContext(config_loader=search.loader, callbacks=Callbacks())
    try:
        sweeper = Plugins.instance().instantiate_sweeper(
            config=search.config, hydra_context=context, task_function=trainings
        )
        words = OmegaConf.to_container(search.config.hydra.overrides.task)
        sweeper.sweep(arguments=list({word.partition("=")[0]: word for word in words}.values()))  # the last of a key
    except HarnessError:
        raise
    except HydraException as error:  # such as a kind of values that it cannot draw from
        raise ConfigurationError(f"{SWEEPERS}={search.name}: {error}", INTERVALS) from error
    except Exception as error:
        raise HarnessError(f"{SWEEPERS}={search.name} stopped: {type(error).__name__}: {error}") from error


def _best(sweep: SweepFolder) -> str:
    """What the sweeper found, in a line for each solution."""
    file = sweep.path / RESULTS
    if not file.is_file():
        return ""
    found = yaml.safe_load(file.read_text())
    solutions = found.get("solutions") or [{"params": found.get("best_params"), "values": [found.get("best_value")]}]
    return "\n".join(
        " ".join(
            ["best:", ", ".join(f"{value:.4g}" for value in each["values"]), "with"]
            + [f"{key}={value}" for key, value in each["params"].items()]
        )
        for each in solutions
        if each["params"]
    )
