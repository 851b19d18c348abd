"""Which code ran: the git state of a folder and its uncommitted changes as a patch that ``git apply`` takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.masking import is_secret_file, mask_added_lines, mask_text

if TYPE_CHECKING:
    from collections.abc import Iterable

_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git knows it in every repository
MAX_FILE_BYTES = 1_000_000  # an untracked file above this is data, not code
ENVIRONMENT = "(a virtual environment)"  # why a folder is left out
_PATCH_OPTIONS = (
    "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty",
    "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip


@dataclass(frozen=True)
class CodeState:
    """What git says of a folder. All fields are None outside a repository, ``commit`` also before the first commit."""

    repository: str | None = None
    remote: str | None = None
    branch: str | None = None
    commit: str | None = None
    dirty: bool | None = None


@dataclass(frozen=True)
class CodeDiff:
    """The uncommitted changes of a repository.

    Args:
        patch: For ``git apply`` on the recorded commit; empty where there are none.
        left_out: Untracked files that are not in it, each with its reason.
    """

    patch: bytes = b""
    left_out: tuple[str, ...] = ()


def code_state(folder: Path) -> CodeState:
    """The repository that ``folder`` lies in, or an empty state outside one or without git."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not top:
        return CodeState()
    remote = _git(folder, "config", "--get", "remote.origin.url")
    return CodeState(
        repository=top,
        remote=mask_text(remote) if remote else None,
        branch=_git(folder, "symbolic-ref", "--quiet", "--short", "HEAD") or None,
        commit=_git(folder, "rev-parse", "--verify", "--quiet", "HEAD") or None,
        dirty=bool(_git(folder, "status", "--porcelain")),
    )


def code_diff(folder: Path, exclude: Iterable[str] = ("outputs",)) -> CodeDiff:
    """The uncommitted changes of the repository that ``folder`` lies in, untracked files included.

    Ignored files stay out, and so do untracked ones that are large or usually hold credentials; well-known tokens in
    added lines are masked. The repository, its
    index included, is left as it is.

    Args:
        folder: Any folder of the repository.
        exclude: Untracked paths to leave out, relative to the top of the repository.

    Returns:
        The patch; an empty one outside a repository.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not top:
        return CodeDiff()
    root = Path(top)
    taken, left_out = _untracked(root, tuple(exclude))
    base = "HEAD" if _git(root, "rev-parse", "--verify", "--quiet", "HEAD") else _EMPTY_TREE
    with tempfile.TemporaryDirectory() as scratch:
        index = _copy_of_index(root, Path(scratch))
        if taken:
            # "Intent to add" in the copy makes git diff show untracked files without storing them anywhere.
            _run(root, "add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul",
                 index=index, given=b"\0".join(os.fsencode(name) for name in taken))  # fmt: skip
        patch = _run(root, "diff", *_PATCH_OPTIONS, base, index=index)
    return CodeDiff(mask_added_lines(patch), tuple(left_out))


def own_state() -> CodeState:
    """The git state of this package's source; empty for an installed wheel, wherever its environment lies."""
    here = Path(__file__).resolve()
    tracked = _git(here.parent, "ls-files", "--error-unmatch", here.name)
    return code_state(here.parent) if tracked else CodeState()


def _untracked(root: Path, exclude: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Untracked files relative to ``root`` that belong in a patch, and those that do not, with the reason."""
    listed = _run(root, "ls-files", "--others", "--exclude-standard", "-z").split(b"\0")
    taken: list[str] = []
    names = sorted(os.fsdecode(raw) for raw in listed if raw)
    environments = [
        top for top in dict.fromkeys(name.partition("/")[0] for name in names) if (root / top / "pyvenv.cfg").exists()
    ]
    left_out = [f"{top}/ {ENVIRONMENT}" for top in environments]
    for name in names:
        if name.partition("/")[0] in environments:
            continue
        if any(name == path or name.startswith(f"{path}/") for path in exclude):
            continue
        file = root / name
        if name.endswith("/"):
            left_out.append(f"{name} (a repository of its own)")
        elif is_secret_file(file.name):
            left_out.append(f"{name} (may hold credentials)")
        elif file.lstat().st_size > MAX_FILE_BYTES:
            left_out.append(f"{name} ({file.lstat().st_size / 1e6:.1f} MB)")
        else:
            taken.append(name)
    return taken, left_out


def _copy_of_index(root: Path, scratch: Path) -> Path:
    copy = scratch / "index"
    original = root / _run(root, "rev-parse", "--git-path", "index").decode().strip()
    if original.exists():
        shutil.copy2(original, copy)  # with its time, by which git knows files that changed in the same second
    return copy


def _git(folder: Path, *arguments: str) -> str | None:
    """The output of a git command, or None where git is absent or says no."""
    try:
        return os.fsdecode(_run(folder, *arguments)).strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def _run(folder: Path, *arguments: str, index: Path | None = None, given: bytes | None = None) -> bytes:
    # A git hook sets GIT_DIR and GIT_INDEX_FILE, which would answer for its repository instead of this folder's.
    inherited = {k: v for k, v in os.environ.items() if k not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")}
    environment = {**inherited, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    if index:
        environment["GIT_INDEX_FILE"] = str(index)
    command = ["git", "-C", str(folder), "--literal-pathspecs", *arguments]
    return subprocess.run(command, check=True, capture_output=True, input=given, env=environment).stdout
