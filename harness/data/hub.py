"""Published data sets as they lie on the Hugging Face hub, or in a local folder of the same layout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError, HarnessError

CONNECT_SECONDS = 5.0
KINDS = (".parquet", ".jsonl")


def published_files(
    source: str, patterns: Mapping[str, str], revision: str | None = None
) -> tuple[dict[str, list[Path]], str]:
    """The files of each split.

    Args:
        source: A folder, or a data set's name on the hub, which is looked for in the hub's local cache first.
        patterns: Split → its files, as a path with ``*`` from the source's root.
        revision: A commit of the hub's repository; None for the newest, or the one that is in the cache.

    Returns:
        The files by split, and the hub's commit; "" for a folder.

    Raises:
        HarnessError: There is no such folder, the hub cannot be had, or no file fits a pattern.
    """
    folder = Path(source).expanduser()
    if folder.is_dir() or source.startswith(("/", ".", "~")):
        if not folder.is_dir():
            raise ConfigurationError(f"prepare.data.source: there is no folder {folder}.")
        return _matching(folder, patterns, source), ""
    snapshot = _snapshot(source, sorted(patterns.values()), revision)
    return _matching(snapshot, patterns, source), snapshot.name


def read_rows(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The rows of parquet and JSON-lines files, one file after another, without holding one as a whole.

    Raises:
        ConfigurationError: A file is no such file.
    """
    from pyarrow import ArrowException, parquet

    for file in files:
        try:
            if file.suffix == ".jsonl":
                with file.open(encoding="utf-8") as lines:
                    yield from (json.loads(line) for line in lines if line.strip())
            else:
                for batch in parquet.ParquetFile(file).iter_batches(batch_size=4096):
                    yield from batch.to_pylist()
        except (ArrowException, ValueError) as error:
            raise ConfigurationError(
                f"prepare.data.source: {file} cannot be read: {error}", "Fetch it again; the copy may be torn."
            ) from error


def _matching(folder: Path, patterns: Mapping[str, str], source: str) -> dict[str, list[Path]]:
    found = {split: sorted(folder.glob(pattern)) for split, pattern in patterns.items()}
    for split, pattern in patterns.items():
        if not found[split]:
            there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in KINDS)
            raise ConfigurationError(
                f"prepare.data.{split}={pattern}: {source} has no such file.",
                f"It has {', '.join(there[:20]) or 'no parquet or JSON-lines file'}.",
            )
    return found


def _snapshot(source: str, patterns: list[str], revision: str | None) -> Path:
    """The folder of the hub's local cache that holds the files, downloaded if need be."""
    import httpx
    from huggingface_hub import HfApi, constants, errors, snapshot_download

    wanted: dict[str, Any] = {"repo_type": "dataset", "allow_patterns": patterns}
    try:
        cached = Path(snapshot_download(source, revision=revision, local_files_only=True, **wanted))
        if all(any(cached.glob(pattern)) for pattern in patterns):
            return cached
    except errors.LocalEntryNotFoundError:
        pass  # not in the cache: asked from the network below
    except errors.HFValidationError as error:
        raise ConfigurationError(f"prepare.data.source={source}: {error}") from error
    if constants.HF_HUB_OFFLINE:
        raise _unavailable(source, "it is not in the hub's local cache, and HF_HUB_OFFLINE is set")
    try:
        HfApi().dataset_info(source, revision=revision, timeout=CONNECT_SECONDS)  # a quick answer where there is none
        # by the name that the cache is asked for next time, also where there is no network then
        return Path(snapshot_download(source, revision=revision, **wanted))
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, httpx.HTTPError, OSError) as error:
        raise _unavailable(source, (str(error).strip() or type(error).__name__).splitlines()[0]) from error


def _unavailable(source: str, why: str) -> HarnessError:
    return HarnessError(
        f"prepare.data.source={source}: {why}.",
        "Go online, or copy the repository's files to a folder and set prepare.data.source to it.",
    )
