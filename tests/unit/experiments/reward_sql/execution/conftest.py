from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.reward_sql.execution import Limits, SqlExecutor

SPACE = {"rows": 5_000, "bytes": 2**20, "memory_mb": 64}


def make_database(databases: Path, db_id: str = "shop") -> Path:
    """Write a small database with a text index, a view, a trigger and a text that is no UTF-8."""
    folder = databases / db_id
    folder.mkdir(parents=True)
    connection = sqlite3.connect(folder / f"{db_id}.sqlite")
    connection.executescript(
        """
        CREATE TABLE makers (id INTEGER PRIMARY KEY, name TEXT, country TEXT);
        CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, price REAL, picture BLOB, maker_id REFERENCES makers(id));
        CREATE TABLE pragma_notes (body TEXT);
        INSERT INTO pragma_notes VALUES ('of our own');
        CREATE VIEW cheap AS SELECT name FROM goods WHERE price < 5;
        CREATE TRIGGER watch AFTER DELETE ON goods BEGIN DELETE FROM makers; END;
        CREATE VIRTUAL TABLE notes USING fts5(body);
        INSERT INTO notes VALUES ('a long note'), ('another one');
        INSERT INTO makers VALUES (1, 'Ada', 'France'), (2, 'Bo', 'Japan');
        INSERT INTO makers VALUES (3, CAST(x'5afffe' AS TEXT), 'Peru');
        """
    )
    rows = [(i, f"good {i}", i / 2, bytes([i % 256]), 1 + i % 2) for i in range(1000)]
    connection.executemany("INSERT INTO goods VALUES (?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return folder / f"{db_id}.sqlite"


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("databases")
    make_database(folder)
    make_database(folder, "other")
    return folder


@pytest.fixture(scope="module")
def executor(databases: Path) -> Iterator[SqlExecutor]:
    """For queries that must succeed, on a busy machine as well."""
    with SqlExecutor(databases, limits=Limits(seconds=10, **SPACE), processes=2) as executor:
        yield executor


@pytest.fixture(scope="module")
def hasty(databases: Path) -> Iterator[SqlExecutor]:
    """For queries that must not succeed."""
    with SqlExecutor(databases, limits=Limits(seconds=0.4, grace=0.2, **SPACE), processes=2) as executor:
        yield executor
