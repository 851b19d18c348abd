"""Looks at data that was not made here before a training starts: databases, gold queries and lengths of prompts.

`experiments.reward_sql.rewards.execution.sql_execution` has it done for the files of ``data.train_files`` and
``data.val_files``. What is wrong is told by row with counts, and written to ``bad_rows.jsonl`` in the run's folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.reward_sql.data.layouts import WRONG
from experiments.reward_sql.data.length import length_of
from experiments.reward_sql.data.problems import BadRow, listed, write_report
from experiments.reward_sql.execution import Limits, SqlExecutor
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from harness.data.look import DataRow

SURE = ("syntax", "schema", "forbidden")  # a training ends with these; what else fails costs the sample
TEMPLATE_TOKENS = 128  # that a chat template may add; a prompt has no more tokens than bytes and these
PROCESSES = 2
MODEL = "actor_rollout_ref.model.path"


def look_at_rows(
    rows: Sequence[DataRow], parameters: Mapping[str, Any], config: DictConfig, announce: Callable[[str], None]
) -> None:
    """See this module.

    Args:
        rows: All rows.
        parameters: Of ``reward_fn.sql_execution``: ``databases`` and ``seconds``.
        config: The resolved configuration.
        announce: Told of rows that do not end the training.

    Raises:
        ConfigurationError: There are rows that would end it, or whose prompts are over the limit and
            ``data.truncation=error``; or there is no folder of databases.
    """
    folder = Path(str(parameters.get("databases") or "")).expanduser()
    if not folder.is_dir():
        raise ConfigurationError(
            f"reward_fn.sql_execution.databases={folder}: there is no such folder.",
            "Name the folder that holds <db_id>/<db_id>.sqlite; with the classic command, --databases.",
        )
    found = [*_queries(rows, folder, float(parameters.get("seconds", 5.0))), *_lengths(rows, config)]
    _settle(sorted(found, key=lambda pair: (pair[0].file, pair[0].row)), len(rows), config, announce)


def _settle(found: list[tuple[BadRow, bool]], total: int, config: DictConfig, announce: Callable[[str], None]) -> None:
    """Raise for rows that would end the training, and tell of the others."""
    report = Path(config.run_dir) / "bad_rows.jsonl" if found and config.get("run_dir") else None
    if report is not None:
        write_report([row for row, _ in found], report)
    where = f"All are in {report}. " if report else ""
    fatal = [row for row, ends in found if ends]
    if fatal:
        raise ConfigurationError(
            f"{len(fatal)} of {total} rows of the data cannot be trained on:\n{listed(fatal)}",
            f"{where}Mend or leave out these rows, or name the databases that belong to them.",
        )
    for problem, count in Counter(row.problem for row, _ in found).items():
        first = next(row for row, _ in found if row.problem == problem)
        announce(f"{count} of {total} rows: {problem}: {first.detail} (such as {first.file}[{first.row}]). {where}")


def _queries(rows: Sequence[DataRow], folder: Path, seconds: float) -> Iterator[tuple[BadRow, bool]]:
    """Rows without a database or a gold query that runs, each with whether a training would end with it."""
    sound: list[tuple[DataRow, str, str]] = []
    for each in rows:
        db_id, sql = _database_of(each.row), _gold_of(each.row)
        problem = _problem(db_id, sql, folder)
        if problem is None:
            sound.append((each, db_id, sql))
        else:
            yield BadRow(each.file, each.number, db_id, *problem), True
    with SqlExecutor(folder, limits=Limits(seconds=seconds), processes=PROCESSES) as executor:
        results = executor.execute_many([(db_id, sql) for _, db_id, sql in sound])
    for (each, db_id, _), result in zip(sound, results, strict=True):
        if not result.ok:
            name = "database" if result.kind == "crashed" else "sql"
            bad = BadRow(each.file, each.number, db_id, name, f"{result.kind}: {result.error}")
            yield bad, result.kind in SURE or name == "database"


def _problem(db_id: str, sql: str, folder: Path) -> tuple[str, str] | None:
    if not db_id:
        return "entry", "there is no extra_info.db_id"
    if not sql.strip():
        return "entry", "there is no reward_model.ground_truth"
    if found := WRONG.search(sql):
        return "encoding", f"reward_model.ground_truth holds {found.group()!a}"
    file = folder / db_id / f"{db_id}.sqlite"
    if Path(db_id).name != db_id or not file.is_file():
        return "database", f"there is no {file}"
    return None


def _lengths(rows: Sequence[DataRow], config: DictConfig) -> Iterator[tuple[BadRow, bool]]:
    """Rows whose prompts are over the limit: verl leaves them out or cuts their beginning, which is the schema."""
    limit, key = int(config.data.max_prompt_length), config.data.prompt_key
    left_out = bool(config.data.get("filter_overlong_prompts"))
    done = "is left out" if left_out else "loses its beginning"
    ends = not left_out and config.data.get("truncation") == "error"
    long = [each for each in rows if isinstance(each.row.get(key), list) and _bytes(each.row[key]) > limit]
    if not long:
        return
    model = config.actor_rollout_ref.model
    length = length_of(str(model.get("tokenizer_path") or model.path), MODEL)
    for each in long:
        tokens = length(each.row[key])
        if tokens > limit:
            told = f"the prompt has {tokens} tokens, data.max_prompt_length={limit}, and {done}"
            yield BadRow(each.file, each.number, _database_of(each.row), "length", told), ends


def _bytes(messages: list[Mapping[str, Any]]) -> int:
    """A number that the tokens of a prompt are not over."""
    return TEMPLATE_TOKENS + sum(len(str(message.get("content")).encode(errors="replace")) for message in messages)


def _database_of(row: Mapping[str, Any]) -> str:
    return str((row.get("extra_info") or {}).get("db_id") or "")


def _gold_of(row: Mapping[str, Any]) -> str:
    return str((row.get("reward_model") or {}).get("ground_truth") or "")
