"""Ray's workers are forked from one process, and are what new ones would be."""

from __future__ import annotations

from pathlib import Path

from runs import script_result


def test_workers_are_forked_or_started_by_ray(tmp_path: Path) -> None:
    plain, with_variables, other = script_result("fork_cluster.py", folder=tmp_path)
    assert plain["parent"] == with_variables["parent"] != other["parent"]
    assert (plain["imported"], with_variables["imported"], other["imported"]) == (True, True, False)
    for mine, others in zip(plain["drawn"], with_variables["drawn"], strict=True):
        assert mine != others
    assert plain["variables"] == ["driver's", ""]
    assert with_variables["variables"] == ["driver's", "its"]
    assert plain["threads"] == other["threads"]
    assert plain["title"].startswith("ray::")
    assert plain["folder"] == other["folder"] == str(tmp_path)
