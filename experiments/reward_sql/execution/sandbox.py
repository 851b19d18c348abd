"""A connection that can only read, within limits: SQLite's own facilities, set before any foreign SQL is seen.

The standard library alone is imported here, as the process that does has little memory.
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

READING = """
abs char coalesce concat concat_ws format glob hex if ifnull iif instr length like likelihood likely lower ltrim max min
nullif octet_length printf quote random replace round rtrim sign soundex substr substring trim typeof unicode unhex
unlikely upper zeroblob

current_date current_time current_timestamp date datetime julianday strftime time timediff unixepoch

avg count cume_dist dense_rank first_value group_concat lag last_value lead median nth_value ntile percent_rank rank
row_number string_agg sum total

acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power
radians sin sinh sqrt tan tanh trunc

-> ->> json json_array json_array_length json_each json_extract json_group_array json_group_object json_insert
json_object json_patch json_quote json_remove json_replace json_set json_tree json_type json_valid bm25 highlight match
matchinfo offsets snippet
"""
FUNCTIONS = frozenset(READING.split())
INTERNAL_TABLES = ("pragma_", "dbstat", "sqlite_stmt", "sqlite_dbpage", "bytecode", "tables_used", "fts3tokenize")
LIMITS = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_COLUMN: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
STEPS_BETWEEN_LOOKS = 5_000  # operations of SQLite's machine, well under a millisecond


def confine(memory_mb: int, result_bytes: int) -> None:
    """Take from this process what it does not need: writing files, most memory, core dumps, many open files."""
    limits = {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: 64}
    if sys.platform == "linux":
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limits[resource.RLIMIT_AS] = held + memory_mb * 2**20 + 8 * result_bytes  # rows become objects, then text
    for name, limit in limits.items():
        hard = resource.getrlimit(name)[1]
        most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)  # the parent may be confined as well
        resource.setrlimit(name, (most, most))


class Sandbox:
    """One database, open to be read and nothing else.

    Args:
        path: Its file, which must not change while it is open.
        limits: `Limits` as a mapping.
    """

    def __init__(self, path: str, limits: dict[str, Any]) -> None:
        self.limits = limits
        self.deadline = float("inf")
        self.refused = ""
        uri = f"file:{quote(path)}?mode=ro&immutable=1"
        self.connection = sqlite3.connect(uri, uri=True, isolation_level=None, cached_statements=32)
        for setting in (
            f"hard_heap_limit={limits['memory_mb'] * 2**20}",
            "query_only=ON",
            "trusted_schema=OFF",
            "cell_size_check=ON",
            "temp_store=MEMORY",  # sorting needs no file
            "mmap_size=0",
        ):
            self.connection.execute(f"PRAGMA {setting}").fetchall()
        self._connect_virtual_tables()
        found = self.connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        self.own = {name.lower() for (name,) in found}  # whatever they are called
        for category, limit in LIMITS.items():
            self.connection.setlimit(category, limit)
        self.connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, limits["sql_bytes"])
        self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits["value_bytes"])
        self.connection.set_authorizer(self._authorise)
        self.connection.set_progress_handler(self._is_late, STEPS_BETWEEN_LOOKS)

    def _connect_virtual_tables(self) -> None:
        """Use each virtual table once: SQLite declares it then, which is writing to the authoriser's eyes."""
        find = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'"
        for (name,) in self.connection.execute(find).fetchall():
            try:
                self.connection.execute('SELECT 1 FROM "{}" LIMIT 0'.format(name.replace('"', '""')))
            except sqlite3.OperationalError:
                continue  # of a module that is not there
        self.connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").fetchall()

    def run(self, sql: str) -> dict[str, Any]:
        """Columns and rows of a query, or its error and kind."""
        self.refused = ""
        self.deadline = time.monotonic() + self.limits["seconds"]
        try:
            return self._fetch(sql)
        except (sqlite3.Error, sqlite3.Warning, MemoryError, UnicodeEncodeError, ValueError) as error:
            kind, text = explain(error, self.refused)
            return {"kind": kind, "error": text}
        finally:
            self.deadline = float("inf")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _fetch(self, sql: str, lossy: bool = False) -> dict[str, Any]:
        """The rows; texts that are no UTF-8 are read a second time, with a mark for what cannot be read."""
        self.connection.text_factory = (lambda raw: raw.decode(errors="replace")) if lossy else str
        cursor = self.connection.execute(sql)
        try:
            if cursor.description is None:
                return {"kind": "syntax", "error": "the query is empty"}
            rows, size, blobs = [], 0, False
            for row in cursor:
                rows.append(row)
                for value in row:
                    size += len(value) if isinstance(value, (str, bytes)) else 8
                    blobs = blobs or isinstance(value, bytes)
                if len(rows) > self.limits["rows"] or size > self.limits["bytes"]:
                    return {"kind": "limit", "error": f"the result has more than {self._most(len(rows))}"}
            columns = [column[0] for column in cursor.description]
            return {"kind": "ok", "columns": columns, "rows": rows, "blobs": blobs}
        except sqlite3.OperationalError as error:
            if lossy or "decode to UTF-8" not in str(error):
                raise
        finally:
            cursor.close()  # a statement that is left half read would hold memory
        return self._fetch(sql, lossy=True)

    def _most(self, rows: int) -> str:
        return f"{self.limits['rows']} rows" if rows > self.limits["rows"] else f"{self.limits['bytes']} bytes"

    def _is_late(self) -> bool:
        return time.monotonic() > self.deadline

    def _authorise(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            table = (first or "").lower()
            if table in self.own or not table.startswith(INTERNAL_TABLES):
                return sqlite3.SQLITE_OK
            self.refused = f"reading {first}"
        elif action == sqlite3.SQLITE_FUNCTION:
            if (second or "").lower() in FUNCTIONS:
                return sqlite3.SQLITE_OK
            self.refused = f"the function {second}"
        elif action == sqlite3.SQLITE_PRAGMA and first == "data_version" and second is None:
            return sqlite3.SQLITE_OK  # full-text search asks for it
        else:
            self.refused = self.refused or "anything but reading"
        return sqlite3.SQLITE_DENY


SYNTAX = (
    "syntax error",
    "incomplete input",
    "unrecognized token",
    "null character",
    "surrogates",
    "sql variables",
    "variable number",
    "bindings",
)
# of a text, before it runs
PARTS = ("too many", "too large", "too big", "too complex", "too long", "at most", "stack overflow")


def explain(error: Exception, refused: str) -> tuple[str, str]:
    """The kind of an error, and its text."""
    text = str(error) or type(error).__name__
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    if refused and primary in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_ERROR):
        return "forbidden", f"{refused} is not allowed"
    if "one statement at a time" in text:
        return "forbidden", "more than one statement is not allowed"
    if primary in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return "forbidden", text
    if primary == sqlite3.SQLITE_INTERRUPT:
        return "timeout", "the time is up"
    if isinstance(error, MemoryError) or primary in (sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_FULL):
        return "limit", "the memory is used up" if isinstance(error, MemoryError) else text
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        return "crashed", f"the database cannot be read: {text}"
    lower = text.lower()
    if any(part in lower for part in SYNTAX):
        return "syntax", text
    if "pattern too complex" in lower:  # of LIKE, met as it runs
        return "limit", text
    return ("complex" if any(part in lower for part in PARTS) else "schema"), text
