"""What has changed since a run was made and cannot be brought back from its record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.records.code import ENVIRONMENT, own_state
from harness.records.provenance import read_provenance, versions

if TYPE_CHECKING:
    from harness.records.run_folder import RunFolder


def changed_since(run: RunFolder, here: bool) -> Iterator[str]:
    """Versions that differ and files that the record does not hold, as far as it knows, in sentences.

    Args:
        run: The run.
        here: Whether the code is that of now anyway.
    """
    about = read_provenance(run)
    then, now = about.get("versions") or {}, versions()
    differ = [f"{name} {old} (now {now.get(name) or 'not installed'})"
              for name, old in then.items() if old and old != now.get(name)]  # fmt: skip
    code, harness = about.get("code") or {}, about.get("harness") or {}
    if harness.get("commit") and harness.get("repository") != code.get("repository"):  # it is not restored
        commit = own_state().commit
        if harness["commit"] != commit:
            differ.append(f"the harness at commit {harness['commit'][:12]} (now {(commit or 'unknown')[:12]})")
        elif harness.get("dirty"):
            differ.append("a harness with changes that are not in its record")
    if differ:
        yield f"{run.shown()} was made with {', '.join(differ)}."
    left = [file for file in code.get("left_out_of_diff") or [] if not file.endswith(ENVIRONMENT)]
    if left and not here:
        yield f"its record does not hold {', '.join(left)}: what is there now is taken."
