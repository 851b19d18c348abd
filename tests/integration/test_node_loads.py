"""The load of a run's further nodes is among the metrics of its steps, and costs them nothing."""

from __future__ import annotations

from pathlib import Path

from runs import script_result

NAMES = ["system/node-1/cpu_percent", "system/node-1/memory_percent"]


def test_a_second_node_that_goes(tmp_path: Path) -> None:
    found = script_result("node_loads_cluster.py", tmp_path)
    assert found["nodes"] == 1
    assert found["of one node"] == []
    assert list(found["validation"]) == ["val-core/x/acc/mean@1"], "what is a mere validation stays one"
    assert [name for name in sorted(found["heard"]) if name in NAMES] == NAMES
    assert all(0 <= found["heard"][name] <= 100 for name in NAMES)
    assert found["told"] == sorted(found["heard"])
    assert found["alone"] == ["loss"]
    assert found["waited_s"] < 1
