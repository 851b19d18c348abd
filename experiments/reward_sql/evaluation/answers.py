"""Responses of a recorded validation, each executed and its steps scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from omegaconf import OmegaConf

from experiments.reward_sql.databases import database_of, open_databases, step_results
from experiments.reward_sql.execution import Result
from experiments.reward_sql.process.manager import StepScorer
from experiments.reward_sql.process.rules import StepRules
from experiments.reward_sql.sql.chain import steps_of
from experiments.reward_sql.sql.comparison import Rules, same_rows
from experiments.reward_sql.sql.gold import gold_order
from experiments.reward_sql.sql.response import find_sql
from harness.components.instantiate import instantiate
from harness.errors import ConfigurationError
from harness.records.generations import Generation, read_generations, validation_steps
from harness.records.run_folder import RunFolder

EXECUTION = "reward_fn.sql_execution"
# what figures are given by, where the data has it
GROUPS = ("data_source", "split", "held_out_template", "difficulty", "template", "db_id")


@dataclass(frozen=True)
class Answer:
    """One response.

    Attributes:
        index: Its prompt's place in the data.
        groups: What the prompt belongs to, by name.
        question: The question, else the prompt.
        gold: The gold query.
        gold_result: What came of it; nothing is right where it failed.
        response: The decoded response.
        result: What came of its SQL; None where it has none.
        right: Whether the result is the gold's.
        steps: Its steps, each with its score.
        blind: The steps' scores without what a scorer sees of the gold query, as one of several responses is chosen by.
    """

    index: int
    groups: Mapping[str, str]
    question: str
    gold: str
    gold_result: Result
    response: str
    result: Result | None
    right: bool
    steps: tuple[tuple[str, float], ...]
    blind: tuple[float, ...]

    @property
    def scores(self) -> list[float]:
        """The scores of its steps; 0 where it has none."""
        return [score for _, score in self.steps] or [0.0]

    @property
    def choice_scores(self) -> list[float]:
        """The scores that one of several responses is chosen by; 0 where it has no steps."""
        return list(self.blind) or [0.0]


class Judge:
    """Executes and scores as a run's configuration says.

    Args:
        config: A resolved configuration with ``reward_fn.sql_execution``.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        whole = OmegaConf.create(dict(config))
        node = OmegaConf.select(whole, EXECUTION)
        if node is None:
            raise ConfigurationError(
                f"the run has no {EXECUTION}, so its databases are not known.", "Evaluate a run of text-to-SQL."
            )
        self.rules = Rules(*(node[name] for name in ("order", "duplicates", "tolerance", "column_order", "empty")))
        self.executor = open_databases(str(node.databases), float(node.seconds))
        scorer = OmegaConf.select(whole, "reward_manager.scorer")
        self.scorer: StepScorer = instantiate(scorer, "reward_manager.scorer") if scorer else StepRules()
        self.blind: StepScorer = getattr(self.scorer, "without_gold", lambda: self.scorer)()

    def answer(self, generation: Generation, row: Mapping[str, Any]) -> Answer:
        """Execute and score one response.

        Args:
            generation: The response.
            row: Its prompt's row of the data.
        """
        extra, gold = row["extra_info"], str(row["reward_model"]["ground_truth"])
        db_id = database_of(extra)
        wanted, found = self.executor.execute(db_id, gold), find_sql(generation.output)
        result, right = None, False
        steps: tuple[tuple[str, float], ...] = ()
        blind: tuple[float, ...] = ()
        if found is not None:
            parts = steps_of(found.text)
            results = step_results(self.executor, db_id, parts)
            scores = self.scorer.score(generation.input, found.text, parts, results, gold)
            same = self.blind is self.scorer  # a model's answer is not asked for twice
            blind = tuple(scores if same else self.blind.score(generation.input, found.text, parts, results, gold))
            result = self.executor.execute(db_id, found.text)
            right = result.ok and wanted.ok and same_rows(result.rows, wanted.rows, self.rules, gold_order(gold))
            steps = tuple((found.text[p.start : p.end].strip(), score) for p, score in zip(parts, scores, strict=True))
        groups = {name: str(value) for name in GROUPS if (value := row.get(name, extra.get(name))) is not None}
        question = str(extra.get("question") or generation.input)
        return Answer(generation.index, groups, question, gold, wanted, generation.output, result, right, steps, blind)


def answers_of(run: RunFolder) -> list[Answer]:
    """The responses of a run's last validation.

    Raises:
        ConfigurationError: It has none, or its data is not what it validated on.
    """
    config: Any = OmegaConf.to_container(OmegaConf.load(run.config), resolve=True)
    steps = validation_steps(run.generations)
    if not steps:
        raise ConfigurationError(f"{run.shown()} has no validation.", "Run harness evaluate first.")
    files = config["data"]["val_files"]
    rows, judge = read_rows(files), Judge(config)
    found = []
    for each in read_generations(run.generations, steps[-1]):
        row = _row_of(each, rows)
        if row is None:
            raise ConfigurationError(
                f"{run.shown()}: response {each.index} is to no row of {files}.",
                "The data has changed since; evaluate again.",
            )
        found.append(judge.answer(each, row))
    return found


def _row_of(generation: Generation, rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The row that a response is to: of its gold and prompt, else of its gold and at its index.

    Where verl left out long prompts, the index is no longer the row's. Of rows that fit alike the one at the index is
    taken, else the one with the longest prompt, as a prompt may hold another.
    """
    at_index = rows[generation.index : generation.index + 1]
    fitting = [row for row in rows if str(row["reward_model"]["ground_truth"]) == str(generation.ground_truth)]
    same_prompt = sorted(
        (row for row in fitting if _prompt(row) in generation.input), key=lambda row: -len(_prompt(row))
    )
    if at_index and at_index[0] in (same_prompt or fitting):
        return at_index[0]
    return same_prompt[0] if same_prompt else None


def _prompt(row: Mapping[str, Any]) -> str:
    return str(row["prompt"][-1]["content"]).strip()


def read_rows(files: str | Sequence[str]) -> list[dict[str, Any]]:
    """The rows of one or several parquet files."""
    paths = [files] if isinstance(files, str) else files
    return [row for path in paths for row in pq.read_table(Path(path).expanduser()).to_pylist()]
