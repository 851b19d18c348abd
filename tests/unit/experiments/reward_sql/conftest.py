"""A small shop of our own as the database, whose every result can be reckoned by hand."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

SCHEMA = """
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, price REAL, stock INTEGER);
INSERT INTO product VALUES (1, 'pen', 1.5, 10), (2, 'ink', 4.0, 0), (3, 'pad', 4.0, 3), (4, 'cap', NULL, 3);
CREATE TABLE sale (id INTEGER PRIMARY KEY, product_id INTEGER, amount INTEGER);
INSERT INTO sale VALUES (1, 1, 2), (2, 1, 3), (3, 3, 1);
"""


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the database ``shop``."""
    folder = tmp_path_factory.mktemp("databases")
    (folder / "shop").mkdir()
    connection = sqlite3.connect(folder / "shop" / "shop.sqlite")
    connection.executescript(SCHEMA)
    connection.close()
    return folder
