"""Remembers results, the least used first forgotten; who asks for one that is being made waits for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from experiments.reward_sql.execution.result import Result

Key = tuple[str, str]


class ResultCache:
    """Results by database and SQL. Threads may share it.

    Args:
        most_bytes: Memory that the results may take, roughly.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._held = 0
        self._lock = Lock()
        self._results: OrderedDict[Key, Future[Result]] = OrderedDict()

    def get_or_make(self, key: Key, make: Callable[[], Result]) -> Result:
        """The remembered result, or a new one. What crashed is not remembered: that may have been the machine."""
        with self._lock:
            future = self._results.get(key)
            if future is not None:
                self._results.move_to_end(key)
            else:
                mine: Future[Result] = Future()
                self._results[key] = mine
        if future is not None:
            return future.result()
        try:
            result = make()
        except BaseException as error:
            self._forget(key)
            mine.set_exception(error)
            raise
        if result.kind == "crashed":
            self._forget(key)
            mine.set_result(result)
        else:
            self._keep(key, mine, result)
        return result

    def forget(self, key: Key) -> None:
        """Make the result anew when it is next asked for; one that is being made is new."""
        with self._lock:
            future = self._results.get(key)
            if future is not None and future.done():
                self._held -= _size(key, future.result())
                del self._results[key]

    def _keep(self, key: Key, future: Future[Result], result: Result) -> None:
        with self._lock:
            future.set_result(result)
            self._held += _size(key, result)
            while self._held > self.most_bytes and self._results:
                oldest, future = self._results.popitem(last=False)
                if future.done():
                    self._held -= _size(oldest, future.result())
                else:
                    self._results[oldest] = future  # it is waited for; at least the new one is done

    def _forget(self, key: Key) -> None:
        with self._lock:
            self._results.pop(key, None)


def _size(key: Key, result: Result) -> int:
    """Bytes of a result in memory, roughly."""
    cells = sum(60 * len(row) + 60 for row in result.rows)
    texts = sum(len(value) for row in result.rows for value in row if isinstance(value, (str, bytes)))
    return 1000 + 2 * len(key[1]) + cells + texts
