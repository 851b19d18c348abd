"""Short queries a second: the executor for hostile SQL beside plain sqlite3 with a thread for each query.

    python benchmarks/sql_executor.py [--queries 5000] [--repeats 3] [--processes 2]

All queries differ, so that nothing comes from the executor's memory, and run on three databases in turn. Plain sqlite3
is what scripts do: a connection and a thread a query, joined with a time limit, sixteen at once; it has no limits that
hold and no protection. Writes benchmarks/results/sql_executor.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from experiments.reward_sql.execution import SqlExecutor  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "sql_executor.json"
TEMPLATES = (
    "SELECT name FROM goods WHERE price > {} ORDER BY price LIMIT 5",
    "SELECT m.country, count(*) FROM goods g JOIN makers m ON g.maker_id = m.id WHERE g.id < {} GROUP BY m.country",
    "WITH dear AS (SELECT maker_id, max(price) AS top FROM goods WHERE id > {} GROUP BY maker_id) "
    "SELECT m.name, dear.top FROM dear JOIN makers m ON m.id = dear.maker_id",
)
Query = tuple[str, str]


def make_databases(folder: Path) -> list[str]:
    """Three databases of two tables with 500 rows."""
    names = ["first", "second", "third"]
    for name in names:
        (folder / name).mkdir()
        connection = sqlite3.connect(folder / name / f"{name}.sqlite")
        connection.execute("CREATE TABLE makers (id INTEGER PRIMARY KEY, name TEXT, country TEXT)")
        connection.execute("CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, price REAL, maker_id INTEGER)")
        connection.executemany("INSERT INTO makers VALUES (?, ?, ?)", [(i, f"m{i}", f"c{i % 7}") for i in range(20)])
        rows = [(i, f"good {i}", i * 37 % 500, i % 20) for i in range(500)]
        connection.executemany("INSERT INTO goods VALUES (?, ?, ?, ?)", rows)
        connection.commit()
        connection.close()
    return names


def make_queries(databases: list[str], count: int) -> list[Query]:
    """Different queries, the databases in turn."""
    made = (TEMPLATES[i % len(TEMPLATES)].format(i / 10) for i in range(count))
    return [(databases[i % len(databases)], sql) for i, sql in enumerate(made)]


def with_executor(folder: Path, queries: list[Query], processes: int) -> int:
    """Run them in worker processes; returns rows, with the processes' start in the time."""
    with SqlExecutor(folder, processes=processes) as executor:
        return sum(len(result.rows) for result in executor.execute_many(queries))


def with_threads(folder: Path, queries: list[Query]) -> int:
    """Run each in a thread with a connection of its own; returns rows."""

    def one(query: Query) -> int:
        found: list[int] = []

        def run() -> None:
            connection = sqlite3.connect(folder / query[0] / f"{query[0]}.sqlite")
            found.append(len(connection.execute(query[1]).fetchall()))
            connection.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(5.0)
        return found[0]

    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(one, queries))


def rate(run: Callable[[], int], count: int) -> tuple[float, int]:
    """Queries a second and rows."""
    started = time.perf_counter()
    rows = run()
    return count / (time.perf_counter() - started), rows


def main() -> None:
    """Measure both in turn, and write the medians."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {"executor": [], "thread_per_query": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        queries = make_queries(make_databases(folder), options.queries)
        for _ in range(options.repeats):
            ours, our_rows = rate(lambda: with_executor(folder, queries, options.processes), len(queries))
            plain, plain_rows = rate(lambda: with_threads(folder, queries), len(queries))
            assert our_rows == plain_rows, "they disagree"
            rates["executor"].append(ours)
            rates["thread_per_query"].append(plain)
    medians = {name: round(statistics.median(values)) for name, values in rates.items()}
    record = {
        "date": date.today().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "queries": options.queries,
        "processes": options.processes,
        "queries_per_second": medians,
        "all": {name: [round(value) for value in values] for name, values in rates.items()},
        "ratio": round(medians["executor"] / medians["thread_per_query"], 2),
    }
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
