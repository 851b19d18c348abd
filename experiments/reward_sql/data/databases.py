"""Makes the SQLite files of the generator's databases, the same ones for the same seed."""

from __future__ import annotations

import datetime
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

from experiments.reward_sql.data.schemas import Column, Table, tables_of

VOCABULARY = """
first Ada Ben Carla Dov Elif Finn Grace Hugo Iris Jonas Kira Liam Mona Nils Olga Pablo Rosa Sven Tara Yusuf
last Adler Brandt Costa Dumas Eriksen Fuchs Garcia Haddad Ito Jensen Kovac Lindt Moreau Novak Okafor Perez
adjective Silent Golden Broken Distant Hidden Bitter Second Last Blue Crimson Hollow Gentle Winter Burning
noun River Garden Mirror Harbor Window Forest Letter Bridge Island Shadow Lantern Orchard Station Voyage
place Alden Birch Cedar Dover Easton Falcon Grove Hazel Ivory Juniper Kings Linden Maple Norton Ormond
ending Park Hill Point Court Lake Field Gate
company Nova Apex Orion Delta Vertex Zenith Quanta Lumen Atlas Cobalt Ember Pioneer
form Group Works Trading Partners Union Collective
thing lamp chair kettle drill speaker puzzle shelf blender hammer clock basket mixer
finish steel oak compact deluxe mini classic red folding travel pocket studio family heavy royal
"""
WORDS = {words[0]: words[1:] for words in map(str.split, VOCABULARY.strip().splitlines())}
TYPES = {"id": "INTEGER PRIMARY KEY", "ref": "INTEGER", "int": "INTEGER", "real": "REAL"}


def make_database(folder: Path, db_id: str, seed: int) -> Path:
    """Write ``<folder>/<db_id>/<db_id>.sqlite``.

    Args:
        folder: Folder of databases.
        db_id: One of those in `schemas`.
        seed: Of its rows.

    Returns:
        Its path.
    """
    path = folder / db_id / f"{db_id}.sqlite"
    path.parent.mkdir(parents=True)
    draw = random.Random(f"{seed} {db_id}")
    connection = sqlite3.connect(path)
    for table in tables_of(db_id).values():
        connection.execute(create_statement(table))
        marks = ", ".join("?" for _ in table.columns)
        columns = [_values(column, table, db_id, draw) for column in table.columns]
        connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", list(zip(*columns, strict=True)))
    connection.commit()
    connection.close()
    return path


def create_statement(table: Table) -> str:
    """The table's definition in SQL."""
    lines = [f"{column.name} {TYPES.get(column.kind, 'TEXT')}" for column in table.columns]
    lines += [
        f"FOREIGN KEY ({column.name}) REFERENCES {column.detail[0]} ({column.name})" for column in table.of_kind("ref")
    ]
    return f"CREATE TABLE {table.name} (\n  " + ",\n  ".join(lines) + "\n)"


def _values(column: Column, table: Table, db_id: str, draw: random.Random) -> list[object]:
    """The values of a column, one a row."""
    if column.kind == "id":
        return list(range(1, table.rows + 1))
    if column.kind == "label":
        return list(_labels(column.detail[0], table.rows, draw))
    if column.kind == "ref":
        target = tables_of(db_id)[column.detail[0]].rows
        # a few rows are referred to often, and some never
        return [1 + min(int(draw.expovariate(2.5) * target), target - 2) for _ in range(table.rows)]
    if column.kind == "cat":
        weights = [len(column.detail) + 2 - place for place in range(len(column.detail))]
        return list(draw.choices(column.detail, weights, k=table.rows))
    return [_number(column, draw) for _ in range(table.rows)]


def _number(column: Column, draw: random.Random) -> object:
    if column.kind == "date":
        first, last = (int(year) for year in column.detail)
        start = datetime.date(first, 1, 1)
        span = (datetime.date(last, 12, 31) - start).days
        return (start + datetime.timedelta(draw.randint(0, span))).isoformat()
    low, high, step = (float(part) for part in column.detail)
    value = low + step * draw.randint(0, int((high - low) / step))
    return value if column.kind == "real" else int(value)


def _labels(kind: str, count: int, draw: random.Random) -> list[str]:
    """Different names of a kind."""

    def word(of: str) -> str:
        return draw.choice(WORDS[of])

    makers: dict[str, Callable[[], str]] = {
        "person": lambda: f"{word('first')} {word('last')}",
        "title": lambda: f"The {word('adjective')} {word('noun')}",
        "place": lambda: f"{word('place')} {word('ending')}",
        "company": lambda: f"{word('company')} {word('form')}",
        "thing": lambda: f"{word('finish')} {word('thing')}",
        "code": lambda: f"{draw.choice('ABCDEFGHKLM')}{draw.choice('NPRSTUVWXYZ')}{draw.randint(10, 99)}",
    }
    found: dict[str, None] = {}
    while len(found) < count:
        name = makers[kind]()
        found[name if name not in found else f"{name} {len(found)}"] = None
    return list(found)
