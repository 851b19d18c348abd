#!/usr/bin/env python3
"""Reward-SQL by the classic command: a file with verl's sections, and flags.

    python experiments/reward_sql/train_verl.py --config experiments/reward_sql/grpo_trainer.yaml --algorithm grpo \
        --data_path DATA --output_dir outputs --core_algos experiments.reward_sql.core_algos \
        --core_function compute_weighted_grpo_advantage --reward_manager sql_process --epochs 1

Beside verl's keys the file may hold those that Reward-SQL added: ``reward_model.rm_coef`` and ``reward_model.url``,
``verifier.reward_coef`` and ``algorithm.core_function``. Further words are overrides, as with ``harness train``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import VERLTrainingManager

HERE = Path(__file__).resolve().parent
OWN_KEYS = {  # of Reward-SQL's files → where the harness has them
    "reward_model.rm_coef": "reward_manager.rm_coef",
    "reward_model.url": "reward_manager.scorer.url",
    "verifier.reward_coef": "reward_manager.reward_coef",
    "algorithm.core_function": "advantage_fn.function",
}
COEFFICIENTS = ("reward_manager.rm_coef", "reward_manager.reward_coef")
KEYS_OF = {"sql_process": COEFFICIENTS, "sql_process_model": (*COEFFICIENTS, "reward_manager.scorer.url")}
ADVANTAGES = "experiments.reward_sql.core_algos"


def main(words: Sequence[str] | None = None) -> int:
    """Train; the exit code is that of ``harness train``."""
    if Path(sys.path[0] or ".").resolve() == HERE:
        sys.path[0] = str(HERE.parents[1])  # run as a script: its own folder is no place to import from
    from harness.errors import HarnessError

    flags, overrides = parser().parse_known_args(words)
    try:
        summary = train(flags, overrides)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"run: {summary}")
    return 0


def parser() -> argparse.ArgumentParser:
    """The flags."""
    found = argparse.ArgumentParser(description="Reward-SQL by a file with verl's sections.", allow_abbrev=False)
    found.add_argument(
        "--config", type=Path, default=HERE / "grpo_trainer.yaml", help="a YAML file with verl's sections"
    )
    found.add_argument("--algorithm", default="grpo", help="an option of the group algorithm (harness list algorithm)")
    found.add_argument("--data_path", type=Path, help="folder with train.parquet, validation.parquet or test.parquet, "
                       "and the databases; made on the spot if not given")  # fmt: skip
    found.add_argument("--databases", type=Path, help="folder with <db_id>/<db_id>.sqlite; by default in the data's")
    found.add_argument("--output_dir", default="outputs", help="folder that run folders are made in")
    found.add_argument("--core_algos", help=f"module of the advantage function; {ADVANTAGES} with --core_function")
    found.add_argument("--core_function", help="its name; by default algorithm.core_function of the file, "
                       "with the file's own algorithm")  # fmt: skip
    found.add_argument(
        "--reward_manager",
        help="per_sample, sql_process, sql_process_model or yours; by default sql_process where the "
        "advantage goes by tokens (avg_unique, token_wise), else the algorithm's own, with the outcome as reward",
    )
    found.add_argument("--epochs", type=int, help="by default as the file says")
    return found


def train(flags: argparse.Namespace, overrides: Sequence[str]) -> str:
    """Train as the flags and the file say.

    Returns:
        The run's folder.
    """
    manager = manager_of(flags, overrides)
    epochs = {} if flags.epochs is None else {"num_epochs": flags.epochs}
    manager.train(data_path=flags.data_path, output_dir=flags.output_dir, **epochs)
    return str(manager.run.shown()) if manager.run else flags.output_dir


def manager_of(flags: argparse.Namespace, overrides: Sequence[str]) -> VERLTrainingManager:
    """The manager, with everything that the flags and the file choose."""
    from harness import VERLTrainingManager
    from harness.config.classic import read_file

    config, own = split(read_file(flags.config))
    function, of_file = flags.core_function, own.pop("advantage_fn.function", None)
    as_file = _is_of(config, flags.algorithm)
    if as_file:
        function = function or of_file
    elif of_file and not function:
        told = f"algorithm.core_function={of_file} of the file gives way to algorithm={flags.algorithm}"
        print(f"{told}; --core_function {of_file} keeps it", file=sys.stderr)
    return VERLTrainingManager(
        config=config,
        algorithm_type=None if as_file else flags.algorithm,
        core_algos_module=flags.core_algos or (ADVANTAGES if function else None),
        core_algos_function=function,
        overrides=[*words_of(flags, config, own, overrides, function), *overrides],
    )


def split(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A file's tree without Reward-SQL's own keys, and those under the harness's names."""
    tree = {name: dict(section) if isinstance(section, Mapping) else section for name, section in config.items()}
    own = {}
    for key, place in OWN_KEYS.items():
        section, name = key.split(".")
        if isinstance(tree.get(section), dict) and name in tree[section]:
            own[place] = tree[section].pop(name)
    return tree, own


def _is_of(config: Mapping[str, Any], algorithm: str) -> bool:
    """Whether the file is of this algorithm already, so that nothing in it has to give way."""
    return algorithm == (config.get("algorithm") or {}).get("adv_estimator", "grpo") == "grpo"


def manager_for(flags: argparse.Namespace, function: str | None, overrides: Sequence[str]) -> str | None:
    """The reward manager: the one that is asked for, else process rewards for the advantages that are made for them.

    Others sum over tokens, so that the length of a response would decide; None leaves them the algorithm's own.
    """
    if flags.reward_manager:
        return str(flags.reward_manager)
    from experiments.reward_sql.process.manager import SqlProcessRewardManager

    chosen = next((word.partition("=")[2] for word in overrides if word.startswith("advantage_fn=")), function or "")
    return "sql_process" if chosen.endswith(SqlProcessRewardManager.by_token) else None


def words_of(
    flags: argparse.Namespace,
    config: Mapping[str, Any],
    own: Mapping[str, Any],
    overrides: Sequence[str] = (),
    function: str | None = None,
) -> list[str]:
    """The rewards, and the data and model where none are named, as overrides."""
    from harness.config.words import as_value, quoted

    manager = manager_for(flags, function, overrides)
    words = ["reward_fn=[sql_execution]", *([f"reward_manager={manager}"] if manager else [])]
    named = any(word.startswith(("model=", "actor_rollout_ref.model.path=")) for word in overrides)
    if not named and not ((config.get("actor_rollout_ref") or {}).get("model") or {}).get("path"):
        words.append("model=reward_sql_tiny")
    if flags.data_path is None and not any(word.startswith("data=") for word in overrides):
        words.append("data=reward_sql_generated")
    if flags.databases is None and flags.data_path is None:
        folder = "${prepare.data.path}/databases"
    else:
        folder = quoted(str(flags.databases or databases_in(flags.data_path)))
    words.append(f"reward_fn.sql_execution.databases={folder}")
    known = KEYS_OF.get(manager or "", ())
    for key, value in own.items():
        if key in known:
            words.append(f"{key}={as_value(value)}")
        else:
            told = f"--reward_manager {manager}" if manager else "outcome rewards; --reward_manager sql_process has it"
            print(f"{key}={value} of the file has no meaning for {told}", file=sys.stderr)
    return words


def databases_in(folder: Path) -> Path:
    """The databases of a data set: ``databases`` in its folder, or ``database``, as BIRD and Spider call it."""
    places = [folder / name for name in ("databases", "database")]
    return next((place for place in places if place.is_dir()), places[0])


if __name__ == "__main__":
    sys.exit(main())
