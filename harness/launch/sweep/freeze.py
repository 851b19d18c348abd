"""The source as it is at submission, copied into the sweep: what is edited afterwards changes nothing that is queued.

Code and YAML are copied (git's tracked and new files, those of submodules and of repositories within, and ignored
Python and YAML that lies beside them; or what looks like source where there is no repository); the other entries of the
project, such as data, are linked, so that relative paths mean what they meant.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness.config.tree import PACKAGE
from harness.records.masking import is_secret_file

SOURCE = frozenset({".py", ".yaml", ".yml", ".json", ".toml", ".txt", ".md", ".j2", ".js", ".sh", ".sql", ".cfg"})
LARGEST = 5_000_000  # bytes; what is larger is data, and linked
ENVIRONMENT = "pyvenv.cfg"  # lies in the folder of a virtual environment
LISTINGS = (
    ("--cached", "--recurse-submodules"),
    ("--others", "--exclude-standard"),  # a repository within is listed as a folder
    ("--others", "--ignored", "--exclude-standard", "--directory"),  # and a folder that is ignored as a whole
)
IGNORED_SOURCE = frozenset({".py", ".yaml", ".yml"})
SKIPPED = frozenset({"outputs", "__pycache__", "node_modules", ".git", ".venv"})


def freeze(project: Path, target: Path, leave: tuple[Path, ...] = ()) -> Path:
    """Copy a project's source.

    Args:
        project: The folder from which the command was given.
        target: The folder that gets copies, each under the hash of its content.
        leave: Folders that are neither copied nor linked, such as the sweep's own.

    Returns:
        The copy, to be used as the working folder; an equal one that is there already is used again.
    """
    files = {name: project / name for name in _source_files(project)}
    own = PACKAGE.parent
    if own != project and "site-packages" not in own.parts:  # a checkout of the harness beside the user's project
        files |= {f"harness/{name}": PACKAGE / name for name in _source_files(PACKAGE)}
        for folder in ("conf", "experiments"):
            shipped = {f"{folder}/{name}": own / folder / name for name in _source_files(own / folder)}
            files = {**shipped, **files}  # the user's own files win
    digest = _digest(files)
    final = target / digest
    if final.is_dir():
        return final
    working = target / f".{digest}.{os.getpid()}.partial"
    shutil.rmtree(working, ignore_errors=True)
    for name, path in files.items():
        place = working / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    working.mkdir(parents=True, exist_ok=True)
    link_the_rest(project, working, leave)
    working.rename(final)
    return final


def _digest(files: dict[str, Path]) -> str:
    total = hashlib.sha256()
    for name, path in sorted(files.items()):
        total.update(f"{name}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def _source_files(folder: Path) -> Iterator[str]:
    """Names of the files to copy, relative to the folder."""
    if not folder.is_dir():
        return
    for name in _listed_by_git(folder) or _found(folder):
        path = folder / name
        if path.is_file() and not is_secret_file(path.name) and path.stat().st_size <= LARGEST:
            yield name


def _listed_by_git(folder: Path) -> list[str]:
    try:
        tracked, new, ignored = (_git(folder, *options) for options in LISTINGS)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return []
    within = [f"{name}{found}" for name in new if name.endswith("/") for found in _source_files(folder / name)]
    hidden = [name for name in ignored if Path(name).suffix in IGNORED_SOURCE]
    names = [*tracked, *new, *within, *hidden]
    tops = {name.partition("/")[0] for name in names}
    skipped = SKIPPED | {top for top in tops if (folder / top / ENVIRONMENT).exists()}
    return [name for name in dict.fromkeys(names) if name.partition("/")[0] not in skipped]


def _git(folder: Path, *options: str) -> list[str]:
    listed = subprocess.run(
        ["git", "-C", str(folder), "ls-files", "-z", *options, "--", "."], capture_output=True, check=True
    )
    return [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]


def _found(folder: Path) -> list[str]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_skipped(Path(root, name))]
        found += [str(Path(root, name).relative_to(folder)) for name in names if Path(name).suffix in SOURCE]
    return found


def _is_skipped(folder: Path) -> bool:
    return folder.name in SKIPPED or folder.name.startswith(".") or (folder / ENVIRONMENT).exists()


def link_the_rest(project: Path, copy: Path, leave: tuple[Path, ...]) -> None:
    """Links to what was not copied, in every folder of which something was."""
    for folder in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
        original = project / folder.relative_to(copy)
        if not original.is_dir():
            continue
        for entry in original.iterdir():
            there = folder / entry.name
            if not there.exists() and entry.name not in (".git", "__pycache__") and entry not in leave:
                there.symlink_to(entry)
