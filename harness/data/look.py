"""What reward functions say of the data before a training starts: a row that cannot be scored is no surprise later on.

A reward function that needs more of a row than text, such as a database or a query that runs, names a function that
looks at all rows::

    @looks_at_data(look)
    def my_reward(input_text, response_text, *, database, **kwargs): ...

``look(rows, parameters, config, announce)`` gets the `DataRow` of each row, the parameters of the function's node in
``reward_fn``, the resolved configuration, and what to tell the user with. It raises `HarnessError` where the training
would fail. Data that a recipe made is not looked at: the recipe has done so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from harness.components.instantiate import component_of
from harness.data.parquet import Row
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from omegaconf import DictConfig

ATTRIBUTE = "look_at_data"


class DataRow(NamedTuple):
    """A row with where it stands.

    Attributes:
        file: The file's path.
        number: Its position there, from 0.
        row: Its columns.
    """

    file: str
    number: int
    row: Row


Look = Callable[[Sequence[DataRow], Mapping[str, Any], "DictConfig", Callable[[str], None]], None]
Function = TypeVar("Function", bound=Callable[..., Any])


def looks_at_data(look: Look) -> Callable[[Function], Function]:
    """Have a reward function's data looked at before a training starts."""

    def mark(function: Function) -> Function:
        vars(function)[ATTRIBUTE] = look
        return function

    return mark


def look_at_data(config: DictConfig, announce: Callable[[str], None] = lambda stage: None) -> None:
    """Let every reward function that has a `Look` take it.

    Args:
        config: A resolved configuration, its models and data there.
        announce: Called with a line for the user.

    Raises:
        HarnessError: The training could not score its data, or a file cannot be read.
    """
    lookers = list(_lookers(config))
    files = _files(config) if lookers else []
    if not files:
        return
    rows = [DataRow(file, number, row) for file in files for number, row in enumerate(_read(file))]
    announce(f"looking at {len(rows):,} rows of data")
    for look, parameters in lookers:
        look(rows, parameters, config, announce)


def _lookers(config: DictConfig) -> Iterator[tuple[Look, Mapping[str, Any]]]:
    for name, node in (config.get("reward_fn") or {}).items():
        if not node or not node.get("_target_"):
            continue
        component = component_of(node, f"reward_fn.{name}", config.get("trusted_modules") or ())
        look = getattr(component, ATTRIBUTE, None)
        if look is not None:
            yield look, {key: value for key, value in node.items() if key not in ("_target_", "weight")}


def _files(config: DictConfig) -> list[str]:
    """The data's files that no recipe has made; none where a class of the user's own reads them."""
    if (config.data.get("custom_cls") or {}).get("path"):
        return []
    made = [Path(node.path) for node in (config.get("prepare") or {}).values() if node]
    used = [config.data.val_files] if config.trainer.val_only else [config.data.train_files, config.data.val_files]
    named = [str(file) for files in used for file in ([files] if isinstance(files, str) else files or [])]
    return [
        file
        for file in dict.fromkeys(named)
        if "://" not in file and not any(Path(file).is_relative_to(folder) for folder in made)
    ]


def _read(file: str) -> list[Row]:
    import pyarrow
    from pyarrow import json as arrow_json
    from pyarrow import parquet

    path = Path(file).expanduser()
    try:
        table = parquet.read_table(path) if path.suffix == ".parquet" else arrow_json.read_json(path)
        rows: list[Row] = table.to_pylist()
    except (OSError, UnicodeDecodeError, pyarrow.ArrowException) as error:
        raise ConfigurationError(f"data: {file} cannot be read: {error}", "Make the file again.") from error
    return rows
