"""An evaluation from the record of two validations: figures, groups, and the report."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from experiments.reward_sql.evaluate import main, parser, validations
from experiments.reward_sql.evaluation.answers import answers_of
from experiments.reward_sql.evaluation.figures import best_of, ks, pass_at
from experiments.reward_sql.evaluation.report import render
from experiments.reward_sql.evaluation.summary import summary
from experiments.reward_sql.process.rules import StepRules
from harness.errors import ConfigurationError
from harness.records.generations import Generation, write_generations
from harness.records.run_folder import RunFolder

GOLDS = ("SELECT name FROM product WHERE price = 4", "SELECT count(*) FROM sale", "SELECT max(price) FROM product")
RIGHT = "WITH a AS (SELECT * FROM product WHERE price = 4) SELECT name FROM a;"
WRONG = "WITH a AS (SELECT * FROM sale) SELECT 7 FROM a;"
NONE = "I <b>do not</b> know."


def test_pass_and_best_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    for samples in (1, 4, 6):
        right = [bool(value) for value in rng.integers(0, 2, samples)]
        scores = [float(value) for value in rng.integers(0, 3, samples)]
        for k in range(1, samples + 1):
            passes, best = [], []
            for choice in itertools.combinations(range(samples), k):
                passes.append(any(right[place] for place in choice))
                top = max(scores[place] for place in choice)
                best.append(np.mean([right[place] for place in choice if scores[place] == top]))
            assert pass_at(right, k) == pytest.approx(np.mean(passes))
            # those of equal score share: in the mean over choices it is the same as over the whole group
            assert best_of(right, scores, k) == pytest.approx(np.mean(best))
    assert (ks(1), ks(8), ks(6)) == ([1], [1, 2, 4, 8], [1, 2, 4, 6])


def recorded(folder: Path, databases: Path, responses: list[list[str]]) -> RunFolder:
    """A run whose validation gave these responses to the prompts in turn."""
    rows = [
        {
            "data_source": "shop",
            "prompt": [{"role": "user", "content": f"question {number}"}],
            "reward_model": {"style": "rule", "ground_truth": gold},
            "extra_info": {
                "db_id": "shop",
                "question": f"question {number}",
                "difficulty": "hard" if number else "easy",
            },
        }
        for number, gold in enumerate(GOLDS)
    ]
    run = RunFolder.create(folder, "sql")
    pq.write_table(pa.Table.from_pylist(rows), run.path / "validation.parquet")
    rules = {"order": "gold", "duplicates": False, "tolerance": 0.0, "column_order": True, "empty": True}
    config = {
        "data": {"val_files": str(run.path / "validation.parquet")},
        "reward_fn": {"sql_execution": {"databases": str(databases), "seconds": 5.0, **rules}},
        "reward_manager": {"_target_": None},
    }
    run.config.write_text(yaml.safe_dump(config))
    write_generations(
        run.generations,
        0,
        [
            Generation(index, f"question {index}", text, GOLDS[index], 0.0)
            for index, texts in enumerate(responses)
            for text in texts
        ],
    )
    return run


def test_answers_and_their_figures(tmp_path: Path, databases: Path) -> None:
    greedy = answers_of(recorded(tmp_path, databases, [[RIGHT], [WRONG], [NONE]]))
    assert [answer.right for answer in greedy] == [True, False, False]
    assert [answer.scores for answer in greedy] == [[1.0, 1.0], [1.0, 1.0], [0.0]]
    sampled = answers_of(recorded(tmp_path, databases, [[RIGHT, NONE], [NONE, WRONG], [NONE, NONE]]))
    figures: dict[str, Any] = summary(greedy, sampled)
    assert figures["greedy"]["all"]["execution_match"] == pytest.approx(1 / 3)
    assert figures["greedy"]["all"]["runs"] == pytest.approx(2 / 3)
    assert figures["greedy"]["difficulty"]["easy"]["execution_match"] == 1
    assert figures["greedy"]["difficulty"]["hard"]["prompts"] == 2
    assert "data_source" not in figures["greedy"]  # all are of one
    one, two = figures["sampled"]["all"]
    assert (one["k"], two["k"]) == (1, 2)
    assert one["pass"] == pytest.approx(1 / 6)
    assert two["pass"] == two["average"] == pytest.approx(1 / 3)
    assert [row["k"] for row in figures["sampled"]["difficulty"]["easy"]] == [2]
    assert figures["sampled"]["difficulty"]["easy"][0]["pass"] == 1
    assert summary(greedy, [])["sampled"] == {"all": []}


def test_difficulties_are_of_one_source_each_and_sources_have_every_k(tmp_path: Path, databases: Path) -> None:
    run = recorded(tmp_path, databases, [[RIGHT, NONE], [WRONG, NONE], [NONE, NONE]])
    file = run.path / "validation.parquet"
    rows = pq.read_table(file).to_pylist()
    for row, source in zip(rows, ("templates", "templates", "databases"), strict=True):
        row["data_source"] = source
    pq.write_table(pa.Table.from_pylist(rows), file)
    answers = answers_of(run)
    figures = summary(answers, answers)
    crossed = "data_source × difficulty"
    assert {name: row["prompts"] for name, row in figures["greedy"][crossed].items()} == {
        "databases · hard": 2, "templates · easy": 2, "templates · hard": 2
    }  # fmt: skip
    assert figures["greedy"][crossed]["templates · easy"]["execution_match"] == 0.5
    assert "difficulty" not in figures["greedy"]
    assert [row["k"] for row in figures["sampled"]["data_source"]["templates"]] == [1, 2]
    assert figures["sampled"]["data_source"]["templates"][0]["pass"] == pytest.approx(0.25)
    page = render("x", [], figures, answers)
    assert page.count("<td>templates</td><td>") == 3  # once in the greedy figures, and for each k


def test_the_best_of_several_is_chosen_without_the_gold_query(tmp_path: Path, databases: Path) -> None:
    other = "WITH a AS (SELECT * FROM sale) SELECT amount FROM a;"  # runs, but on what the gold does not read
    (right, wrong) = answers_of(recorded(tmp_path, databases, [[RIGHT, other], [], []]))
    assert min(right.scores) > min(wrong.scores)
    assert right.choice_scores == wrong.choice_scores == pytest.approx([1.0, 1.0])
    two = summary([right], [right, wrong])["sampled"]["all"][1]
    assert (two["k"], two["pass"], two["min"]) == (2, 1.0, 0.5)
    with pytest.raises(ConfigurationError, match="no weight is left"):
        StepRules(0, 0, 0, 1).without_gold()


def test_the_command_writes_figures_and_a_page(
    tmp_path: Path, databases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    greedy = recorded(tmp_path, databases, [[RIGHT], [WRONG], [NONE]])
    sampled = recorded(tmp_path, databases, [[RIGHT, NONE], [NONE, WRONG], [NONE, NONE]])
    words = ["--greedy", str(greedy.path), "--sampled", str(sampled.path), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert capsys.readouterr().out == f"report: {tmp_path / 'out/evaluation.html'}\n"
    found = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert found["greedy"]["all"]["prompts"] == 3
    page = (tmp_path / "out/evaluation.html").read_text()
    assert "<b>do not</b>" not in page  # what a model wrote is text
    for words in ("0.333", "question 1", "SELECT max(price) FROM product", "no SQL", "best of k, min"):
        assert words in page


def test_a_response_finds_its_row_where_long_prompts_were_left_out(tmp_path: Path, databases: Path) -> None:
    run = recorded(tmp_path, databases, [[RIGHT], [WRONG], [NONE]])
    write_generations(run.generations, 1, [Generation(0, "user\nquestion 2\nassistant\n", NONE, GOLDS[2], 0.0)])
    assert [answer.question for answer in answers_of(run)] == ["question 2"]


def test_rows_with_the_same_gold_are_told_apart_by_their_prompts(tmp_path: Path, databases: Path) -> None:
    run = recorded(tmp_path, databases, [[RIGHT], [WRONG], [NONE]])
    file = run.path / "validation.parquet"
    rows = pq.read_table(file).to_pylist()
    for row in rows:
        row["reward_model"]["ground_truth"] = GOLDS[0]
    pq.write_table(pa.Table.from_pylist(rows), file)
    said = ["user\nquestion 2\nassistant\n", "user\nquestion 1\nassistant\n", "a prompt that the tokenizer changed"]
    found = [Generation(index, text, NONE, GOLDS[0], 0.0) for index, text in enumerate(said)]
    write_generations(run.generations, 1, found)
    assert [answer.question for answer in answers_of(run)] == ["question 2", "question 1", "question 2"]


def test_what_a_validation_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("harness.launch.command.evaluate_run", lambda target, words: asked.append((target, words)))
    validations(parser().parse_args(["model", "--samples", "4"]), ["data=x"])
    place = "actor_rollout_ref.rollout.val_kwargs"
    assert asked == [
        ("model", [f"{place}.n=1", f"{place}.temperature=0.0", "data=x"]),
        ("model", [f"{place}.n=4", f"{place}.temperature=1.0", "data=x"]),
    ]


def test_data_that_has_changed_is_noticed(tmp_path: Path, databases: Path) -> None:
    run = recorded(tmp_path, databases, [[RIGHT], [WRONG], [NONE]])
    write_generations(run.generations, 1, [Generation(0, "question 0", RIGHT, "SELECT 1", 0.0)])
    with pytest.raises(ConfigurationError, match="response 0 is to no row of"):
        answers_of(run)
    assert main(["--greedy", str(run.path)]) == 2
    empty = RunFolder.create(tmp_path, "empty")
    empty.config.write_text("data: {val_files: x}")
    with pytest.raises(ConfigurationError, match="has no validation"):
        answers_of(empty)
