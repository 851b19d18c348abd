"""SQL that would write, reach out of its database, or take more than its share: none does, and the pool goes on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.reward_sql.execution import SqlExecutor

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
LONG = "printf('%.*c', 900000, 'a')"

WRITES = [
    "DROP TABLE goods",
    "DELETE FROM goods",
    "UPDATE goods SET price = 0",
    "INSERT INTO makers VALUES (9, 'x', 'y')",
    "INSERT OR REPLACE INTO goods (id) VALUES (1)",
    "REPLACE INTO goods (id) VALUES (1)",
    "INSERT INTO goods (id) VALUES (1) ON CONFLICT DO UPDATE SET price = 1",
    "UPDATE goods SET price = 0 RETURNING *",
    "WITH x AS (SELECT 1) DELETE FROM goods",
    "WITH x AS (SELECT 1 AS a) INSERT INTO makers SELECT a, a, a FROM x",
    "CREATE TABLE loot (x)",
    "CREATE TEMP TABLE loot (x)",
    "CREATE TABLE loot AS SELECT * FROM goods",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TEMP VIEW v AS SELECT 1",
    "CREATE INDEX i ON goods (name)",
    "CREATE TRIGGER t AFTER INSERT ON goods BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE v USING fts5(x)",
    "CREATE VIRTUAL TABLE temp.v USING rtree(a, b, c)",
    "INSERT INTO notes (notes) VALUES ('optimize')",
    "ALTER TABLE goods RENAME TO bads",
    "ALTER TABLE goods ADD COLUMN x",
    "ALTER TABLE goods DROP COLUMN price",
    "DROP VIEW cheap",
    "DROP TRIGGER watch",
    "REINDEX",
    "ANALYZE",
    "VACUUM",
    "EXPLAIN DELETE FROM goods",
]
REACHES = [
    "ATTACH DATABASE '../other/other.sqlite' AS other",
    "ATTACH ':memory:' AS m",
    "ATTACH DATABASE '/tmp/reward_sql_attack.sqlite' AS loot",
    "DETACH DATABASE main",
    "VACUUM INTO '/tmp/reward_sql_attack.sqlite'",
    "PRAGMA writable_schema = ON",
    "PRAGMA query_only = OFF",
    "PRAGMA hard_heap_limit = 0",
    "PRAGMA trusted_schema = ON",
    "PRAGMA journal_mode = WAL",
    "PRAGMA user_version = 7",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA table_info(goods)",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_function_list",
    "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_stmt",
    "SELECT * FROM fts3tokenize('simple', 'text')",
    "SELECT load_extension('/lib/x86_64-linux-gnu/libc.so.6')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts3_tokenizer('simple', x'4141414141414141')",
    "SELECT sqlite_compileoption_get(1), sqlite_source_id()",
    "SELECT sqlite_log(1, 'x')",
    "SELECT last_insert_rowid()",
    "SELECT randomblob(1000000000)",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "SELECT 1; DROP TABLE goods",
    "SELECT 1; SELECT 2",
    "SELECT * FROM goods; -- \n DELETE FROM goods",
]
UNKNOWN = [
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/reward_sql_attack', 'x')",
    "SELECT edit('x')",
    "SELECT eval('DROP TABLE goods')",
    "SELECT * FROM other.goods",
    "SELECT * FROM csv('/etc/passwd')",
    "SELECT * FROM generate_series(1, 1000000000)",
    "SELECT * FROM goods WHERE name REGEXP '(a+)+$'",
    "SELECT abs(-9223372036854775808)",
    ".shell ls",
    ".read /etc/passwd",
    "SELECT ?1",
    "SELECT :name",
    "SELECT 1\0; DROP TABLE goods",
    "SELECT '\ud800'",
    "",
    "-- nothing",
]
DEVOURS = [
    f"{ENDLESS} SELECT count(*) FROM r",
    f"{ENDLESS} SELECT n FROM r",
    f"{ENDLESS} SELECT n FROM r ORDER BY n DESC",
    f"{ENDLESS} SELECT count(DISTINCT n) FROM r",
    "WITH RECURSIVE r(s) AS (SELECT 'a' UNION ALL SELECT s || s FROM r) SELECT s FROM r",
    "WITH RECURSIVE r(s) AS (SELECT 'a' UNION SELECT s || 'a' FROM r) SELECT max(length(s)) FROM r",
    "SELECT count(*) FROM goods a, goods b, goods c, goods d",
    "SELECT * FROM goods a, goods b",
    "SELECT sum(a.price * b.price) FROM goods a JOIN goods b JOIN goods c ON a.name < b.name",
    "SELECT a.name || b.name FROM goods a, goods b ORDER BY 1",
    "SELECT group_concat(a.name || b.name) FROM goods a, goods b",
    "SELECT json_group_array(a.name) FROM goods a, goods b",
    f"SELECT {LONG}, {LONG}, {LONG}",
    f"SELECT {LONG} FROM goods",
    f"SELECT hex(hex(hex({LONG})))",
    "SELECT hex(zeroblob(1000000000))",
    "SELECT " + "(" * 300 + "1" + ")" * 300,
    "SELECT " + "/* long */" * 2100 + "1",
    f"SELECT replace({LONG}, 'a', {LONG})",
    f"SELECT {LONG} || name LIKE '%' || printf('%.*c', 490, 'a') || 'b' FROM goods",
    f"SELECT {LONG} || name GLOB '*' || printf('%.*c', 490, 'a') || 'b' FROM goods",
    f"SELECT {LONG} LIKE '{'%_' * 400}b'",
    f"SELECT length(replace({LONG}, 'aaaaaaaab', 'x')) FROM goods a, goods b",
    f"SELECT instr({LONG}, printf('%.*c', 400000, 'a') || 'b') FROM goods a, goods b",
    "SELECT " + "(" * 2000 + "1" + ")" * 2000,
    "SELECT " + "(SELECT " * 400 + "1" + ")" * 400,
    "SELECT " + "-" * 5000 + "1",
    "SELECT " + "NOT " * 4000 + "1",
    "SELECT 1 " + "+ 1 " * 4000,
    "SELECT 1 " + "UNION SELECT 1 " * 1000,
    "SELECT " + "abs(" * 300 + "1" + ")" * 300,
    "SELECT * FROM " + ", ".join(f"goods g{i}" for i in range(80)),
    "SELECT " + ", ".join("*" for _ in range(200)) + " FROM goods",
    "WITH " + ", ".join(f"c{i} AS (SELECT * FROM c{i - 1} a, c{i - 1} b)" for i in range(1, 30)).replace("c0", "goods")
    + " SELECT count(*) FROM c29",
    "SELECT '" + "x" * 100_000 + "'",
    "SELECT json_extract('" + "[" * 5000 + "', '$')",
    "SELECT count(*) FROM json_each((SELECT json_group_array(a.id) FROM goods a)) j, goods g, goods h, goods i",
    "SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM "
    "(SELECT a.id * b.id AS n FROM goods a, goods b)",
    "SELECT (SELECT count(*) FROM goods b, goods c WHERE b.price < a.price + c.price) FROM goods a",
    "SELECT quote(group_concat(picture)) FROM goods a, (SELECT 1 FROM goods b, goods c)",
]  # fmt: skip
EXPECTED = [
    *((sql, {"forbidden"}) for sql in [*WRITES, *REACHES]),
    *((sql, {"syntax", "schema"}) for sql in UNKNOWN),
    *((sql, {"timeout", "limit", "complex", "syntax", "schema", "crashed"}) for sql in DEVOURS),
]


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def served(executor: SqlExecutor, sql: str) -> tuple[tuple[object, ...], ...]:
    """The rows of a query that needs little, for which a busy machine may want more than one try."""
    results = [executor.execute("shop", sql, fresh=True)]
    while results[-1].kind == "timeout" and len(results) < 10:
        results.append(executor.execute("shop", sql, fresh=True))
    assert results[-1].ok, results[-1]
    return results[-1].rows


@pytest.fixture(scope="module", autouse=True)
def unchanged(databases: Path, hasty: SqlExecutor) -> Iterator[None]:
    """After all attacks the databases are what they were, nothing lies beside them, and every worker answers."""
    before = contents(databases)
    yield
    assert contents(databases) == before
    assert not Path("/tmp/reward_sql_attack.sqlite").exists()
    assert not Path("/tmp/reward_sql_attack").exists()
    for i in range(20):
        assert served(hasty, f"SELECT count(*) + {i} FROM goods") == ((1000 + i,),)


def test_there_are_enough_attacks() -> None:
    assert len({sql for sql, _ in EXPECTED}) == len(EXPECTED) >= 100


@pytest.mark.parametrize(("sql", "kinds"), EXPECTED, ids=[f"{i}-{sql[:40]!a}" for i, (sql, _) in enumerate(EXPECTED)])
def test_attack_fails_and_the_next_query_is_served(hasty: SqlExecutor, sql: str, kinds: set[str]) -> None:
    result = hasty.execute("shop", sql)
    if "timeout" not in kinds and result.kind == "timeout":  # the machine's
        result = hasty.execute("shop", sql, fresh=True)

    assert result.kind in kinds, result.error
    assert result.error
    assert result.rows == ()
    if sql in DEVOURS:  # it fails for what it takes, not for a slip in its text
        assert not re.search(r"ambiguous|no such", result.error), result.error
    assert served(hasty, f"SELECT name FROM makers WHERE id = 1 -- {hash(sql)}") == (("Ada",),)
