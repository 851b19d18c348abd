"""Entries are believed only for the very file they were made of, and only whole."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from harness.compare.cache import Cache, Stamp
from harness.compare.reading import Reader, Unreadable, read_all


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("content")
    return path


def parse(file: Path) -> bytes:
    return file.read_bytes().upper()


READER = Reader("upper", parse, bytes)


def test_a_file_that_changed_is_read_again_and_its_entry_replaced(tmp_path: Path, file: Path) -> None:
    cache = Cache(tmp_path / "kept")
    for moment, text in enumerate(("one", "two", "three")):  # "two" has the same size
        file.write_text(text)
        os.utime(file, (moment, moment))
        assert read_all([file], READER, cache) == {file: text.upper().encode()}
    assert len(list(cache.folder.iterdir())) == 1


def test_an_unchanged_file_is_not_parsed(tmp_path: Path, file: Path) -> None:
    cache = Cache(tmp_path / "kept")
    read_all([file], READER, cache)

    def never(file: Path) -> bytes:
        raise AssertionError(file)

    assert read_all([file], Reader("upper", never, bytes), cache) == {file: b"CONTENT"}


@pytest.mark.parametrize("damage", ["cut", "turned", "emptied", "other"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, file: Path, damage: str) -> None:
    cache = Cache(tmp_path / "kept")
    read_all([file], READER, cache)
    (entry,) = cache.folder.iterdir()
    whole = entry.read_bytes()
    wrong = {"cut": whole[:-3], "turned": whole[:-1] + b"?", "emptied": b"", "other": b"\x80 no entry\n" * 9}
    entry.write_bytes(wrong[damage])
    assert cache.read("upper", file, Stamp.of(file)) is None
    assert read_all([file], READER, cache) == {file: b"CONTENT"}
    assert entry.read_bytes() == whole


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path, file: Path) -> None:
    (tmp_path / "kept").write_text("a file, not a folder")
    many = [tmp_path / f"many-{number}" for number in range(20)]  # enough for several processes
    for path in many:
        path.write_text(path.name)
    found = read_all([file, *many], READER, Cache(tmp_path / "kept"))
    assert found == {file: b"CONTENT"} | {path: path.name.upper().encode() for path in many}


def test_the_entries_that_were_used_longest_ago_go_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "kept", most_bytes=2500)
    files = [tmp_path / name for name in "abc"]
    for age, path in enumerate(files):
        path.write_bytes(b"x" * 1000)
        read_all([path], READER, cache)
        for entry in cache.folder.iterdir():
            os.utime(entry, (entry.stat().st_atime, entry.stat().st_mtime - 100))
        if age == 1:
            assert cache.read("upper", files[0], Stamp.of(files[0])) is not None  # used: now the newest
    kept = [path.name for path in files if cache.read("upper", path, Stamp.of(path)) is not None]
    assert kept == ["a", "c"]


def test_unreadable_files_are_told_and_the_rest_is_read(tmp_path: Path, file: Path) -> None:
    (tmp_path / "folder").mkdir()
    gone = tmp_path / "gone"
    found = read_all([file, tmp_path / "folder", gone], READER, Cache(tmp_path / "kept"))
    assert found[file] == b"CONTENT"
    assert found[tmp_path / "folder"] == Unreadable("folder cannot be read: Is a directory")
    assert found[gone] == Unreadable("gone cannot be read: No such file or directory")


def test_several_commands_at_once(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}" for number in range(5)]
    for path in files:
        path.write_bytes(path.name.encode() * 50_000)
    wrong: list[object] = []

    def work() -> None:
        cache = Cache(tmp_path / "kept", most_bytes=600_000)  # too small for all: entries go while others read
        for _ in range(20):
            found = read_all(files, READER, cache)
            wrong.extend(path for path in files if found[path] != path.read_bytes())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not list((tmp_path / "kept").glob(".*.tmp"))
