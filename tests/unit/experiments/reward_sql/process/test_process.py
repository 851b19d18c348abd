"""Scores of steps, by rules and by a server, and how they are spread over tokens."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from experiments.reward_sql.databases import open_databases, step_results
from experiments.reward_sql.execution import Limits, Result, SqlExecutor
from experiments.reward_sql.process.manager import SqlProcessRewardManager
from experiments.reward_sql.process.model import StepModel
from experiments.reward_sql.process.rules import StepRules
from experiments.reward_sql.rewards.execution import sql_execution
from experiments.reward_sql.sql.chain import steps_of
from harness.errors import ConfigurationError, HarnessError
from harness.models.tiny import byte_tokenizer
from harness.reward_managers.per_sample import WeightedFunction
from harness.reward_managers.sample import RewardResult, RewardSample
from harness.reward_managers.spread import from_note, rewards_by_token, token_spans, with_note

GOLD = "SELECT name FROM product WHERE price = 4"
CHAIN = "WITH dear AS (SELECT * FROM product WHERE price = 4),\n\nnamed AS (SELECT name FROM dear)\n\nSELECT name FROM named;"
WRONG = "WITH sold AS (SELECT * FROM sale), lost AS (SELECT missing FROM sold) SELECT amount FROM sold"


def rule_scores(databases: Path, sql: str, gold: str = GOLD, **weights: float) -> list[float]:
    steps, executor = steps_of(sql), open_databases(str(databases), 5.0)
    results = executor.execute_many([("shop", step.query) for step in steps])
    return StepRules(**weights).score("", sql, steps, results, gold)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        (CHAIN, [1.0, 1.0, 1.0]),
        (GOLD, [1.0]),
        (WRONG, [0.8, 0.0, 0.0]),  # of another table; names a column that is not there; the chain no longer runs
        ("WITH a AS (SELECT name FROM product WHERE price > 9) SELECT name FROM a", [0.8, 0.8]),  # no rows
        ("WITH a AS (SELECT name FROM product) SELECT name FROM product", [0.8, 1.0]),  # not used
        ("WITH a AS (SELECT 1 AS one) SELECT one FROM a", [0.8, 1.0]),  # reads nothing
        ("WITH a AS (SELECT name, stock FROM product) SELECT name FROM a", [0.8 + 0.2 * 2 / 3, 1.0]),
        ("WITH a AS (SELECT 2 * price AS twice FROM product) SELECT twice FROM a", [1.0, 1.0]),
        ("SELECT name FROM (", [0.0]),
        # SQLite does not look at what nothing reads
        (
            "WITH a AS (SELECT x FROM nowhere), b AS (SELECT y FROM a) SELECT name FROM product WHERE price = 4;",
            [0.0, 0.0, 0.0],
        ),
        ("SELECT " + "struct(" * 40 + "1" + ")" * 40, [0.0]),  # which sqlglot would read for ever
        ("SELECT " + "date(" * 20 + "name" + ")" * 20 + " FROM product", [0.6]),  # and SQLite runs; all are NULL
    ],
)
def test_rules(databases: Path, sql: str, wanted: list[float]) -> None:
    assert rule_scores(databases, sql) == pytest.approx(wanted)


def test_weights_of_rules(databases: Path) -> None:
    assert rule_scores(databases, WRONG, runs=1.0, rows=0.0, used=0.0, linked=0.0) == [1.0, 0.0, 0.0]
    with pytest.raises(ConfigurationError, match="sum to 1"):
        StepRules(runs=0.5)


def outcome(databases: Path, weight: float = 1.0) -> WeightedFunction:
    def function(input_text: str, response_text: str, *, ground_truth: str, extra_info: dict[str, Any]) -> Any:
        return sql_execution(
            input_text, response_text, ground_truth=ground_truth, extra_info=extra_info, databases=str(databases)
        )

    return WeightedFunction("sql_execution", function, weight)


def tokens_of(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """One token a byte and an end token, as text, and their characters."""
    tokenizer = byte_tokenizer()
    ids = [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
    spans = token_spans(tokenizer, ids)
    return [text[start:end] for start, end in spans], spans


def spread(manager: SqlProcessRewardManager, response: str) -> tuple[RewardResult, list[float]]:
    """A response's result, and its rewards by token, over the way they take to the trainer."""
    _, spans = tokens_of(response)
    sample = RewardSample(
        "the question", response, ground_truth=GOLD, extra_info={"db_id": "shop"}, response_length=len(spans)
    )
    result = manager.score(sample)
    note = with_note(result)
    if note != result.extra:
        result = from_note(result.score, note)
    return result, rewards_by_token(result, len(spans), spans)


def test_every_token_gets_its_step_and_the_outcome(databases: Path) -> None:
    manager = SqlProcessRewardManager([outcome(databases)], str(databases), rm_coef=2.0, reward_coef=0.5)
    response = f"é:\n```sql\n{WRONG}\n```"
    result, rewards = spread(manager, response)
    texts, _ = tokens_of(response)
    boundary = len("é:\n```sql\n".encode()) + len("WITH sold AS (SELECT * FROM sale),")
    assert "".join(texts[:boundary]).endswith("FROM sale),")
    assert rewards == pytest.approx([1.6] * boundary + [0.0] * (len(texts) - boundary))
    assert (result.score, result.extra["acc"]) == (0.0, 0.0)
    assert result.extra["process/steps"] == 3
    assert result.extra["process/score"] == pytest.approx(0.8 / 3)
    assert result.extra["process/least"] == 0
    right, rewards = spread(manager, CHAIN)
    assert rewards == pytest.approx([2.5] * len(rewards))  # the end token too
    assert (right.score, right.extra["acc"]) == (0.5, 1.0)


def test_a_step_that_never_ends_is_waited_for_once(databases: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n), "
    chain = (
        endless + "a AS (SELECT count(*) AS k FROM n), b AS (SELECT k FROM a), c AS (SELECT k FROM b) SELECT k FROM c"
    )
    asked: list[str] = []

    class Counting(SqlExecutor):
        def execute(self, db_id: str, sql: str, fresh: bool = False) -> Result:
            asked.append(sql)
            return super().execute(db_id, sql, fresh)

    steps = steps_of(chain)
    with Counting(databases, limits=Limits(seconds=2)) as executor:
        results = step_results(executor, "shop", steps)
    assert [result.kind for result in results] == ["ok", *["timeout"] * 4]  # the first 50 numbers come at once
    assert asked == [step.query for step in steps[:2]]


def test_without_steps_the_outcome_stands_at_the_end(databases: Path) -> None:
    manager = SqlProcessRewardManager([outcome(databases, 2.0)], str(databases), rm_coef=0.0, reward_coef=0.5)
    result, rewards = spread(manager, CHAIN)
    assert rewards == [0.0] * (len(rewards) - 1) + [1.0]
    assert "process/score" not in result.extra


@pytest.mark.parametrize("response", ["I do not know.", ""])
def test_a_response_without_sql_has_one_step_that_failed(databases: Path, response: str) -> None:
    result, rewards = spread(SqlProcessRewardManager([outcome(databases)], str(databases)), response)
    assert rewards == [0.0] * len(rewards)
    assert (result.extra["process/steps"], result.extra["process/score"]) == (1.0, 0.0)


@contextmanager
def server(answer: Callable[[str], tuple[int, Any]]) -> Iterator[str]:
    """A reward model's server that answers by a function of the text."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
            code, body = answer(text)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None: ...

    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/compute_score"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def test_a_reward_model_is_shown_steps_and_rows(databases: Path) -> None:
    seen = []

    def answer(text: str) -> tuple[int, Any]:
        seen.append(text)
        return 200, {"score": [0.9, 0.5, 0.25][: text.count(" и ")]}

    with server(answer) as url:
        manager = SqlProcessRewardManager([outcome(databases)], str(databases), StepModel(url))
        result, rewards = spread(manager, CHAIN)
        spread(SqlProcessRewardManager([outcome(databases)], str(databases), StepModel(url, results=False)), CHAIN)
    assert (rewards[0], rewards[60], rewards[-1]) == (1.9, 1.5, 1.25)
    assert result.extra["process/score"] == pytest.approx(0.55)
    assert seen[0] == (
        "the questionWITH dear AS (SELECT * FROM product WHERE price = 4),"
        "<result>{(2, 'ink', 4.0, 0): 1, (3, 'pad', 4.0, 3): 1}</result> и "
        "named AS (SELECT name FROM dear)<result>{('ink',): 1, ('pad',): 1}</result> и "
        "SELECT name FROM named;<result>{('ink',): 1, ('pad',): 1}</result> и "
    )
    assert seen[1].endswith("price = 4), и named AS (SELECT name FROM dear) и SELECT name FROM named; и ")


@pytest.mark.parametrize(
    ("code", "body", "words"),
    [
        (200, {"score": [0.5]}, "gave 1 scores for 3 steps"),
        (200, {"score": 0.0}, "gave 1 scores for 3 steps"),  # the published server, where it finds no tag
        (200, [0.5], "gave 0 scores for 3 steps"),
        (404, {"error": "no such path"}, "answered 404.*no such path"),
    ],
)
def test_a_server_that_does_not_speak_the_interface(databases: Path, code: int, body: Any, words: str) -> None:
    with server(lambda text: (code, body)) as url, pytest.raises(HarnessError, match=words):
        spread(SqlProcessRewardManager([outcome(databases)], str(databases), StepModel(url)), CHAIN)


def test_a_server_that_fails_costs_the_sample(databases: Path) -> None:
    manager = SqlProcessRewardManager([outcome(databases)], str(databases))
    with (
        server(lambda text: (500, {"error": "out of memory"})) as url,
        pytest.raises(RuntimeError, match=r"answered 500.*out of memory") as caught,
    ):
        manager.scorer = StepModel(url)
        spread(manager, CHAIN)
    assert not isinstance(caught.value, HarnessError)


@pytest.mark.parametrize(
    ("question", "response"),
    [
        ("the question", "WITH a AS (SELECT ' и ' AS x), b AS (SELECT * FROM a) SELECT x FROM b;"),  # in rows as well
        ("the question", "WITH a AS (SELECT char(32, 1080, 32) AS x), b AS (SELECT * FROM a) SELECT x FROM b;"),
        ("pens и ink, или и", CHAIN),
    ],
)
def test_a_tag_in_what_is_shown_is_no_tag(databases: Path, question: str, response: str) -> None:
    def answer(text: str) -> tuple[int, Any]:
        return 200, {"score": [0.5] * text.count(" и")}

    with server(answer) as url:
        manager = SqlProcessRewardManager([outcome(databases)], str(databases), StepModel(url))
        sample = RewardSample(
            question, response, ground_truth=GOLD, extra_info={"db_id": "shop"}, response_length=len(response)
        )
        assert manager.score(sample).extra["process/steps"] == 3


def test_a_server_that_is_not_there(databases: Path) -> None:
    with server(lambda text: (200, {})) as url:
        pass
    with pytest.raises(OSError, match="refused"):
        spread(SqlProcessRewardManager([outcome(databases)], str(databases), StepModel(url)), CHAIN)
