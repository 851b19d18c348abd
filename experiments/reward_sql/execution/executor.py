"""Runs queries on a folder of SQLite databases, in processes that are killed when a query does not end.

    with SqlExecutor(Path("databases"), processes=2) as executor:
        result = executor.execute("library", "SELECT count(*) FROM books")

What a query may do is decided in `sandbox`: it reads, and nothing else. Results are remembered by database and SQL,
also those of queries that ran out of time, as a group of responses often holds the same one; databases must not change.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from experiments.reward_sql.execution.cache import ResultCache
from experiments.reward_sql.execution.process import WorkerProcess
from experiments.reward_sql.execution.result import Limits, Result
from harness.errors import HarnessError

DEFAULT = Limits()


class SqlExecutor:
    """Runs SQL of a model on databases that stay as they are. Threads may share it.

    Args:
        databases: Folder that holds ``<db_id>/<db_id>.sqlite``.
        limits: What one query may take.
        processes: Worker processes, started with the first queries.
        cache_mb: Memory for remembered results, in MiB.

    Raises:
        HarnessError: There is no such folder, or no process to run in.
    """

    def __init__(
        self,
        databases: Path,
        *,
        limits: Limits = DEFAULT,
        processes: int = 1,
        cache_mb: int = 256,
    ) -> None:
        self.databases = Path(databases)
        if not self.databases.is_dir():
            raise HarnessError(f"There is no folder of databases {self.databases}.", "Prepare the data first.")
        if processes < 1:
            raise HarnessError(f"An SQL executor needs at least one process, not {processes}.")
        self.limits = limits
        self._cache = ResultCache(cache_mb * 2**20)
        self._workers = [WorkerProcess(limits) for _ in range(processes)]
        self._idle: SimpleQueue[WorkerProcess] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="sql") if processes > 1 else None
        self._paths: dict[str, Path] = {}
        self._owner = os.getpid()
        self._closed = False

    def execute(self, db_id: str, sql: str, fresh: bool = False) -> Result:
        """Run a query, or return what came of it before.

        Args:
            db_id: Its database.
            sql: The query.
            fresh: Whether to run it whatever is remembered.

        Raises:
            HarnessError: There is no such database, which is no fault of the query; or the executor is closed or
                belongs to another process.
        """
        path = self._path(db_id)
        if self._closed or os.getpid() != self._owner:
            state = "closed" if self._closed else "another process's, from before a fork"
            raise HarnessError(f"This SQL executor is {state}.", "Make one in the process that uses it.")
        if fresh:
            self._cache.forget((db_id, sql))
        return self._cache.get_or_make((db_id, sql), lambda: self._run(path, sql))

    def execute_many(self, queries: Sequence[tuple[str, str]]) -> list[Result]:
        """Run queries in all processes, each different one once.

        Args:
            queries: Pairs of database and SQL.

        Returns:
            Their results, in this order.

        Raises:
            HarnessError: See `execute`.
        """
        different = list(dict.fromkeys(queries))
        if self._threads is None or self._closed:
            found = [self.execute(*query) for query in different]
        else:
            found = list(self._threads.map(lambda query: self.execute(*query), different))
        by_query = dict(zip(different, found, strict=True))
        return [by_query[query] for query in queries]

    def close(self) -> None:
        """End the worker processes, also in the middle of a query."""
        self._closed = True
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        if os.getpid() == self._owner:
            for worker in self._workers:
                worker.close()

    def __enter__(self) -> SqlExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, path: Path, sql: str) -> Result:
        worker = self._idle.get()
        try:
            return worker.run(path, sql)
        finally:
            self._idle.put(worker)

    def _path(self, db_id: str) -> Path:
        if db_id not in self._paths:
            path = self.databases / db_id / f"{db_id}.sqlite"
            if Path(db_id).name != db_id or not path.is_file():
                raise HarnessError(f"There is no database {db_id!r} in {self.databases}.", "Prepare the data again.")
            self._paths[db_id] = path.resolve()
        return self._paths[db_id]
