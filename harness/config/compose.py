"""Composition: groups, experiments and overrides into one configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from harness.config.appended import added_or_set
from harness.config.catalogue import GROUPS
from harness.config.custom import resolve_custom
from harness.config.detect import register_resolvers
from harness.config.explain import NO_NAME, explain, explain_yaml, raised_by_a_defaults_list
from harness.config.gives_way import without_what_words_choose
from harness.config.hydra_words import refuse_hydras
from harness.config.in_process import settle
from harness.config.names import Names
from harness.config.parsing import remember_parsed
from harness.config.plugins import declared_components, list_in
from harness.config.recipes import register_recipe_resolver
from harness.config.search_path import VERL_GROUP, load_yaml, prepare_search_path
from harness.config.sections import broken_sections
from harness.config.store import PROVIDER, store_components
from harness.config.tree import config_folders, verl_trainer_configs
from harness.config.unknown import unknown_keys
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader

ROOT = "train"
OWN_EXPERIMENT = "given_file"
RECORDED_CHOICES = tuple(group for group in GROUPS if group not in ("cluster", "tracking", "manager", "sweep"))


def compose_config(
    overrides: Sequence[str] = (), project: Path | None = None, experiment: Mapping[str, Any] | None = None
) -> DictConfig:
    """Compose ``conf/train.yaml`` with overrides.

    Args:
        overrides: Hydra overrides, such as ``algorithm=grpo`` or ``data.train_batch_size=64``.
        project: The user's project folder; the current one if not given.
        experiment: An experiment that lies in no file of the tree, as `harness.config.classic` makes one.

    Returns:
        The configuration with its interpolations, struct flag set; `resolve` makes it the record.

    Raises:
        ConfigurationError: An override, a group option or an interpolation is wrong.
    """
    refuse_hydras(overrides)
    plugins = list_in("plugins", overrides)
    if experiment is not None:
        _prepare_hydra(config_folders(project))
        overrides = _given_experiment(experiment, overrides, project)
    with hydra_loader(overrides, project):
        config = compose(config_name=ROOT, overrides=added_or_set(overrides), return_hydra_config=True)
    choices = _choices(config, overrides, experiment is not None)
    _require_sections(config)
    _require_typed(config, overrides)
    with open_dict(config):
        config.pop(VERL_GROUP, None)
        config.trusted_modules = list(dict.fromkeys((*config.trusted_modules, *plugins)))
        if isinstance(config.tracking, DictConfig):
            config.tracking.choices = choices
    settle(config)
    resolve_custom(config, overrides, project or Path.cwd())
    _forget_unchosen(config, overrides)
    return config


@contextmanager
def hydra_loader(overrides: Sequence[str], project: Path | None = None) -> Iterator[ConfigLoader]:
    """Hydra, knowing every option of the tree and of the plugins; what it raises in the body comes in the user's terms.

    Args:
        overrides: What is to be composed, for suggestions.
        project: The user's project folder; the current one if not given.

    Raises:
        ConfigurationError: An override, a group option or an interpolation is wrong.
    """
    folders = config_folders(project)
    _prepare_hydra(folders)
    store_components(declared_components(list_in("plugins", overrides), project or Path.cwd()))
    try:
        with initialize_config_dir(config_dir=str(folders[0]), version_base="1.3", job_name="harness"):
            yield GlobalHydra.instance().config_loader()
    except yaml.YAMLError as error:
        raise ConfigurationError(*explain_yaml(error)) from error
    except (HydraException, OmegaConfBaseException, ValueError, RecursionError) as error:
        raise ConfigurationError(*explain(error, Names(partial(compose_config, project=project), overrides))) from error
    except (AssertionError, TypeError, AttributeError) as error:
        if not raised_by_a_defaults_list(error):
            raise
        raise ConfigurationError(*NO_NAME) from error
    finally:
        GlobalHydra.instance().clear()


def composed_files(overrides: Sequence[str], project: Path | None = None) -> list[tuple[Path, str]]:
    """The files that a composition reads, in the order in which they win, each with the dotted key it stands under."""
    folders = config_folders(project)
    with hydra_loader(overrides, project) as loader:
        entries = loader.compute_defaults_list(ROOT, list(overrides), RunMode.RUN).defaults
    engines = {f"{VERL_GROUP}/{engine}": path for engine, path in verl_trainer_configs().items()}
    found = []
    for entry in entries:
        paths = [folder / f"{entry.config_path}.yaml" for folder in folders]
        file = next((path for path in paths if path.is_file()), engines.get(str(entry.config_path)))
        if file is not None:
            found.append((file, entry.package.removeprefix("_global_").strip(".") if entry.package else ""))
    return found


def resolve(config: DictConfig) -> DictConfig:
    """A copy with every interpolation resolved: what is recorded, compared and sent to other processes.

    Raises:
        ConfigurationError: A mandatory value (``???``) is missing or an interpolation does not resolve.
    """
    return OmegaConf.create(resolved_tree(config))


def resolved_tree(config: DictConfig) -> dict[str, Any]:
    """The same as plain Python values.

    Raises:
        ConfigurationError: As `resolve`.
    """
    try:
        return OmegaConf.to_container(config, resolve=True)
    except (OmegaConfBaseException, RecursionError) as error:
        raise ConfigurationError(*explain(error, Names(lambda _: config, ()))) from error


def _choices(config: DictConfig, overrides: Sequence[str], by_a_file: bool) -> dict[str, Any]:
    """Take out which option of each group was chosen, also where no word did: the resolved values do not say it.

    A file in place of an experiment may set another algorithm's values over those of the option that stands by default.
    """
    with open_dict(config):
        known = OmegaConf.to_container(config.pop("hydra").runtime.choices)
    chosen = {group: known.get(group) for group in RECORDED_CHOICES}
    if by_a_file:
        named = {word.lstrip("+").partition("=")[0] for word in overrides}
        chosen = {group: option for group, option in chosen.items() if group in named}
    return {group: option for group, option in chosen.items() if option is not None}


def _prepare_hydra(folders: Sequence[Path]) -> None:
    remember_parsed()
    register_resolvers()
    register_recipe_resolver()
    prepare_search_path(folders)


def _given_experiment(experiment: Mapping[str, Any], overrides: Sequence[str], project: Path | None) -> list[str]:
    """Put an experiment that lies in no file into Hydra's store; the overrides that choose it."""
    if any(override.startswith("experiment=") for override in overrides):
        raise ConfigurationError(
            "A configuration file takes the place of experiment=…; both are given.", "Leave one out."
        )
    experiment = without_what_words_choose(overrides, experiment)
    problems = [str(problem) for problem in unknown_keys(compose_config(overrides, project), experiment)]
    if problems:
        raise ConfigurationError("\n".join(problems))
    try:
        node = OmegaConf.create(dict(experiment))
    except OmegaConfBaseException as error:  # an interpolation that is none
        raise ConfigurationError(*explain(error, Names(partial(compose_config, project=project), overrides))) from error
    name = OWN_EXPERIMENT
    ConfigStore.instance().store(name=name, node=node, group="experiment", package="_global_", provider=PROVIDER)
    return [f"experiment={name}", *overrides]


def _require_sections(config: DictConfig) -> None:
    trees = [load_yaml(path) for path in verl_trainer_configs().values()]
    problems = list(broken_sections(config, trees))
    if problems:
        raise ConfigurationError("\n".join(problems), "Leave it as it is, or set single keys below it.")


def _require_typed(config: DictConfig, overrides: Sequence[str]) -> None:
    """Trust comes from the command, never from a file.

    Raises:
        ConfigurationError: Some YAML gives it.
    """
    for key in ("trusted_modules", "plugins"):
        value = config.get(key) or []
        if isinstance(value, str):  # plugins=my_rewards, as for a list of one
            with open_dict(config):
                config[key] = value = [value]
        if not isinstance(value, list | ListConfig) or not all(isinstance(name, str) for name in value):
            raise ConfigurationError(f"{key}={value}: a list of module names is needed.", f"Write {key}=[my_module].")
        found = list(value)
        if found and found != list_in(key, overrides):
            raise ConfigurationError(
                f"{key}={found} comes from a file; trust is given on the command line alone.",
                f"Take it out, and add {key}=[{','.join(found)}] to the command if you trust them.",
            )


def _forget_unchosen(config: DictConfig, overrides: Sequence[str]) -> None:
    """An experiment sets parameters of its reward function; where another one is chosen they have no meaning."""
    for name in [name for name, node in config.reward_fn.items() if not (node or {}).get("_target_")]:
        if any(override.lstrip("+").startswith(f"reward_fn.{name}.") for override in overrides):
            raise ConfigurationError(
                f"reward_fn.{name} is set, but {name} is not among the functions of reward_fn.",
                f"Choose it, as in reward_fn=[{','.join([*(n for n in config.reward_fn if n != name), name])}].",
            )
        with open_dict(config):
            del config.reward_fn[name]
