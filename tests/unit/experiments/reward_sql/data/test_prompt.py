from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from experiments.reward_sql.data.length import length_of
from experiments.reward_sql.data.prompt import PromptForm, PromptTooLong, TableInfo, ddl, least_mentioned, read_schema
from harness.errors import ConfigurationError


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "x.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        CREATE TABLE makers (id INTEGER PRIMARY KEY, `full name` TEXT, country TEXT);
        CREATE TABLE goods (code TEXT, part INT, maker REFERENCES makers, price REAL, PRIMARY KEY (code, part));
        CREATE TABLE trips (id INTEGER PRIMARY KEY, code TEXT, part INT,
            FOREIGN KEY (code, part) REFERENCES goods (code, part));
        INSERT INTO makers VALUES (1, 'Ada', 'France'), (2, 'O''Neil', 'France'), (3, NULL, 'Peru');
        """
    )
    connection.execute("INSERT INTO goods VALUES (?, 1, 1, 2.5)", ["long " * 20])
    connection.execute("INSERT INTO trips VALUES (1, CAST(x'ff41' AS TEXT), 1)")
    connection.commit()
    connection.close()
    return path


def form(longest: int, style: str = "compact", system: str | None = None) -> PromptForm:
    """Return a form that counts characters."""
    prompt = "{schema}\n\n{evidence}\n\n{question}"
    return PromptForm(system, prompt, style, longest, lambda messages: sum(len(m["content"]) for m in messages))


def test_a_table_is_a_line_or_a_statement(database: Path) -> None:
    messages, dropped = form(5000).write(read_schema(database), "How many?")
    statements, _ = form(5000, "ddl", "Be brief.").write(read_schema(database, 2), "How many?", "Goods are things.")

    assert dropped == 0
    assert messages == [
        {
            "role": "user",
            "content": "makers(id, `full name`, country)\ngoods(code, part, maker=makers.id, price)\n"
            "trips(id, code, part)\n\nHow many?",
        }
    ]
    assert statements[0] == {"role": "system", "content": "Be brief."}
    text = statements[1]["content"]
    assert text.startswith(
        "CREATE TABLE makers (\n  id INTEGER, -- such as 1, 2\n  `full name` TEXT, -- such as 'Ada', 'O''Neil'\n"
        "  country TEXT, -- such as 'France', 'Peru'\n  PRIMARY KEY (id)\n);\n"
    )
    assert "  PRIMARY KEY (code, part),\n  FOREIGN KEY (maker) REFERENCES makers (id)\n" in text
    assert "such as 'long long long long long long long long…'" in text
    assert text.endswith("\n\nGoods are things.\n\nHow many?")


def test_too_long_a_prompt_loses_examples_then_tables_that_are_not_spoken_of(database: Path) -> None:
    schema = read_schema(database, 3)
    whole = len(form(9000, "ddl").write(schema, "Which goods have a high price?")[0][0]["content"])

    shorter, dropped = form(whole - 1, "ddl").write(schema, "Which goods have a high price?")
    assert "such as" not in shorter[0]["content"]
    assert dropped == 0

    fewer, dropped = form(len(shorter[0]["content"]) - 1, "ddl").write(schema, "Which goods have a high price?")
    assert dropped == 1
    assert "-- 1 more tables" in fewer[0]["content"]
    assert "CREATE TABLE trips" not in fewer[0]["content"]
    assert "CREATE TABLE makers" in fewer[0]["content"]

    alone, dropped = form(240, "ddl").write(schema, "Which goods have a high price?")
    assert dropped == 2
    assert "CREATE TABLE goods" in alone[0]["content"]

    with pytest.raises(PromptTooLong, match="100 allowed"):
        form(100, "ddl").write(schema, "Which goods have a high price?")


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("{schema}", "does not show the question"),
        ("{schema} {question} {hint}", r"names \{hint\}, which is nothing"),
        ("{schema} {question} {", "prepare.data.prompt=.*: "),
        ("{schema} {question} {}", "names {}, which is nothing"),
    ],
)
def test_a_prompt_has_to_show_the_question(prompt: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        PromptForm(None, prompt, "ddl", 100, len)
    PromptForm(None, "{{like this}} {question}", "ddl", 100, len)


def test_words_are_found_within_names(database: Path) -> None:
    schema = read_schema(database)

    assert least_mentioned(schema, "the country and FullName of each").name == "trips"
    assert least_mentioned(schema, "the price of a part").name == "makers"


def test_an_estimate_is_on_the_safe_side_for_names_in_many_parts() -> None:
    columns = tuple((f"q{place}_7x{place * 37 % 1000}", "NUMERIC") for place in range(800))
    text = ddl(TableInfo("t", columns, ()), examples=False)
    names = sum(len(name) for name, _ in columns)  # with most tokenizers a digit is a token, and so is what is between
    assert length_of(None)([{"role": "user", "content": text}]) > names + 3 * len(columns)


def test_lengths_are_tokens_or_an_estimate(tmp_path: Path) -> None:
    from harness.models.tiny import byte_tokenizer

    byte_tokenizer().save_pretrained(tmp_path)
    messages = [{"role": "user", "content": "x" * 100}]

    assert length_of(None)(messages) == 67
    assert length_of(None, characters=2.5)(messages) == 40
    assert length_of(str(tmp_path))(messages) == 102
