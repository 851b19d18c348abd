from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from experiments.reward_sql.execution import Limits, SqlExecutor
from experiments.reward_sql.execution.result import Result
from harness.errors import HarnessError

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
STUCK = "SELECT instr(printf('%.*c', 900000, 'a'), printf('%.*c', 400000, 'a') || 'b')"  # cannot be interrupted

Workers = Callable[[], list[psutil.Process]]


@pytest.fixture
def workers() -> Workers:
    """Return a function that lists the processes that this test has started."""
    before = set(psutil.Process().children())
    return lambda: [child for child in psutil.Process().children() if child not in before]


def test_values_come_back_as_sqlite_has_them(executor: SqlExecutor) -> None:
    result = executor.execute("shop", "SELECT NULL AS a, 1, 1.0, 'x', x'00ff', 9e999, 9223372036854775807, '' AS b")

    assert result.ok
    assert result.columns[0] == "a"
    assert result.rows == ((None, 1, 1.0, "x", b"\x00\xff", float("inf"), 9223372036854775807, ""),)
    assert [type(value) for value in result.rows[0][1:3]] == [int, float]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT name FROM makers WHERE id = 3", (("Z\ufffd\ufffd",),)),
        ("SELECT count(*) FROM cheap", ((10,),)),
        ("SELECT body FROM notes WHERE notes MATCH 'another'", (("another one",),)),
        ("SELECT value FROM json_each('[1, 2]')", ((1,), (2,))),
        ("WITH a AS (SELECT 1 AS x),\n\n b AS (SELECT x + 1 AS y FROM a)\nSELECT y FROM b; -- done", ((2,),)),
        ("VALUES (1), (2)", ((1,), (2,))),
        ("SELECT id FROM makers WHERE id > 5", ()),
        ("SELECT body FROM pragma_notes", (("of our own",),)),
        ("SELECT json_set('{}', '$.a', 1), length(zeroblob(3))", (('{"a":1}', 3),)),
        ("SELECT strftime('%Y', '2020-02-03'), row_number() OVER (ORDER BY id) FROM makers LIMIT 1", (("2020", 1),)),
        ("SELECT name FROM sqlite_master WHERE type = 'view'", (("cheap",),)),
    ],
)
def test_reading_of_every_kind_is_allowed(
    executor: SqlExecutor, sql: str, rows: tuple[tuple[object, ...], ...]
) -> None:
    result = executor.execute("shop", sql)

    assert (result.error, result.rows) == ("", rows)


@pytest.mark.parametrize(
    ("sql", "kind", "error"),
    [
        ("SELEC 1", "syntax", "syntax error"),
        ("SELECT (1", "syntax", "incomplete input"),
        ("SELECT * FROM nowhere", "schema", "no such table: nowhere"),
        ("SELECT colour FROM goods", "schema", "no such column: colour"),
        ("SELECT foo(1)", "schema", "no such function: foo"),
        ("SELECT name FROM goods, makers", "schema", "ambiguous column name: name"),
        ("SELECT 1 UNION SELECT 1, 2", "schema", "do not have the same number"),
        ("DROP TABLE goods", "forbidden", "anything but reading is not allowed"),
        ("SELECT randomblob(3)", "forbidden", "the function randomblob is not allowed"),
        ("SELECT 1; SELECT 2", "forbidden", "more than one statement"),
        ("SELECT " + "(" * 300 + "1" + ")" * 300, "complex", "stack overflow"),
        ("SELECT " + ", ".join(["1"] * 501), "complex", "too many columns"),
        ("SELECT '" + "x" * 20_000 + "'", "complex", "longer than 20000 bytes"),
        ("SELECT a.id FROM goods a, goods b LIMIT 5001", "limit", "more than 5000 rows"),
        ("SELECT printf('%.*c', 900, 'a') FROM goods, makers", "limit", "more than 1048576 bytes"),
    ],
)
def test_errors_say_what_kind_they_are_of(executor: SqlExecutor, sql: str, kind: str, error: str) -> None:
    result = executor.execute("shop", sql)

    assert result.kind == kind
    assert error in result.error


def test_a_query_without_an_end_is_stopped(hasty: SqlExecutor) -> None:
    result = hasty.execute("shop", ENDLESS)

    assert (result.kind, result.error) == ("timeout", "the time is up")


def test_a_missing_database_is_the_callers_error(executor: SqlExecutor, tmp_path: Path) -> None:
    for db_id in ("nowhere", "../shop", ""):
        with pytest.raises(HarnessError, match="no database"):
            executor.execute(db_id, "SELECT 1")
    with pytest.raises(HarnessError, match="no folder of databases"):
        SqlExecutor(tmp_path / "nowhere")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "torn.sqlite").write_bytes(b"x" * 5000)

    with SqlExecutor(tmp_path) as executor:
        result = executor.execute("torn", "SELECT 1")

    assert (result.kind, result.error) == ("crashed", "the database cannot be read: file is not a database")


def test_many_come_in_order_and_each_different_one_runs_once(databases: Path) -> None:
    queries = [("shop" if i % 2 else "other", f"SELECT {i % 5}, random()") for i in range(100)]

    with SqlExecutor(databases, processes=2) as executor:
        results = executor.execute_many(queries)
        again = executor.execute_many(queries)

    assert [result.rows[0][0] for result in results] == [i % 5 for i in range(100)]
    assert len({result.rows[0][1] for result in results}) == 10
    assert results == again


def test_threads_that_ask_the_same_wait_for_one_answer(databases: Path) -> None:
    found: list[Result] = []
    with SqlExecutor(databases, processes=2) as executor:
        threads = [
            threading.Thread(target=lambda: found.append(executor.execute("shop", "SELECT random()")))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(found) == 16
    assert len(set(found)) == 1


def test_the_cache_forgets_the_oldest(databases: Path) -> None:
    with SqlExecutor(databases, cache_mb=1) as executor:
        first = executor.execute("shop", "SELECT random()")
        assert executor.execute("shop", "SELECT random()") == first
        for i in range(20):
            executor.execute("shop", f"SELECT {i}, g.* FROM goods g")
        assert executor.execute("shop", "SELECT random()") != first


def test_a_worker_that_cannot_be_interrupted_is_killed_and_replaced(databases: Path, workers: Workers) -> None:
    with SqlExecutor(databases, limits=Limits(seconds=2, grace=0.2)) as executor:
        executor.execute("shop", "SELECT 1")
        (before,) = workers()
        stuck = executor.execute("shop", STUCK)
        assert stuck.kind == "timeout"
        assert executor.execute("shop", "SELECT 2").ok
        (after,) = workers()

    assert after.pid != before.pid  # it was killed in the middle
    assert not before.is_running()


def test_a_worker_that_was_killed_is_replaced_unseen(databases: Path, workers: Workers) -> None:
    with SqlExecutor(databases) as executor:
        executor.execute("shop", "SELECT 1")
        (worker,) = workers()
        worker.kill()
        worker.wait()
        assert executor.execute("shop", "SELECT 2").rows == ((2,),)


def test_an_interrupted_query_does_not_answer_the_next_one(databases: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with SqlExecutor(databases, limits=Limits(seconds=30)) as executor:
            executor.execute("shop", "SELECT 1")
            for number in (2, 3):  # the second time nobody waits for what the first one was to give
                signal.setitimer(signal.ITIMER_REAL, 0.2)
                with pytest.raises(KeyboardInterrupt):
                    executor.execute("shop", ENDLESS)
                assert executor.execute("shop", f"SELECT {number}").rows == ((number,),)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_closing_ends_a_query_and_all_workers(databases: Path, workers: Workers) -> None:
    executor = SqlExecutor(databases, limits=Limits(seconds=30), processes=2)
    executor.execute_many([("shop", f"SELECT {i}") for i in range(50)])
    failed: list[Exception] = []

    def wait() -> None:
        try:
            executor.execute("shop", ENDLESS)
        except HarnessError as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    busy = [worker for worker in workers() if worker.is_running()]
    executor.close()
    thread.join(10)

    assert len(failed) == 1
    assert not [worker for worker in busy if worker.is_running()]
    with pytest.raises(HarnessError, match="closed"):
        executor.execute("shop", "SELECT 1")


def test_workers_end_with_their_parent_in_the_middle_of_a_query(databases: Path) -> None:
    script = (
        "import sys, threading, time; from pathlib import Path; import psutil\n"
        "from experiments.reward_sql.execution import Limits, SqlExecutor\n"
        "executor = SqlExecutor(Path(sys.argv[1]), limits=Limits(seconds=600))\n"
        "executor.execute('shop', 'SELECT 1')\n"
        "print(*[child.pid for child in psutil.Process().children()], flush=True)\n"
        "executor.execute('shop', sys.argv[2])\n"
    )
    root = Path(__file__).resolve().parents[5]
    command = [sys.executable, "-c", script, str(databases), ENDLESS]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    used = worker.cpu_times().user
    while worker.cpu_times().user < used + 0.05:  # it is at work
        assert parent.poll() is None
    parent.send_signal(signal.SIGKILL)
    parent.wait()

    worker.wait(10)
    parent.stdout.close()
    assert not worker.is_running()


def test_after_a_fork_the_child_is_told_to_make_its_own(executor: SqlExecutor) -> None:
    executor.execute("shop", "SELECT 1")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            executor.execute("shop", "SELECT 2")
        except HarnessError as error:
            status = 0 if "fork" in error.message else 2
        finally:
            os._exit(status)  # whatever was raised: the child must not go on with the tests
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_query_is_run_again_when_it_is_asked_to_be(databases: Path) -> None:
    with SqlExecutor(databases, cache_mb=1) as executor:
        first = executor.execute("shop", "SELECT random()")
        second = executor.execute("shop", "SELECT random()", fresh=True)
        assert first != second
        assert executor.execute("shop", "SELECT random()") == second


def test_python_that_does_not_start_is_told(databases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "no library in $LD_LIBRARY_PATH, home <$HOME>" >&2\nexit 127\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/python/lib")

    with (
        SqlExecutor(databases) as executor,
        pytest.raises(HarnessError, match="no library in /opt/python/lib, home <>"),
    ):
        executor.execute("shop", "SELECT 1")


def test_an_answer_that_is_too_long_is_not_read(
    databases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nprintf '\\377\\377\\377\\377'\nexec cat\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    with SqlExecutor(databases) as executor:
        result = executor.execute("shop", "SELECT 1")

    assert (result.kind, result.error) == ("crashed", "the process that ran the query sent 4294967295 bytes")
