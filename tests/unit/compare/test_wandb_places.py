"""Where runs are in W&B, and which of its keys stand for what was swept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.compare.study import compare
from harness.compare.wandb_report.panels import deciding_keys, themes
from harness.compare.wandb_report.places import Place, place_of, placed
from harness.errors import ConfigurationError
from harness.records.run_folder import RunFolder
from harness.tracking.state import TrackingState, write_tracking

LR = "actor_rollout_ref.actor.optim.lr"


def test_where_runs_are(
    sweep: list[RunFolder],
    track: Callable[..., str],
    make_run: Callable[..., RunFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_tracking(sweep[0], TrackingState("a b", url="https://host/prefix/my%20team/pro%2Fject/runs/a%20b?x=1"))
    write_tracking(sweep[1], TrackingState("id", url="https://wandb.ai/team"))
    track(sweep[2], "two", "other")
    study = compare([str(folder) for folder in sweep[:6]])
    known = [place_of(each) for each in study.runs]
    assert known[:3] == [Place("my team", "pro/ject", "a b"), None, Place("team", "other", "two")]
    where = placed(study)
    assert where.home == ("team", "project")
    assert {place: len(ids) for place, ids in where.projects.items()} == {
        ("my team", "pro/ject"): 1, ("team", "other"): 1, ("team", "project"): 3,
    }  # fmt: skip
    for folder in sweep:
        write_tracking(folder, TrackingState("offline"))
    with pytest.raises(ConfigurationError, match="none of the runs is there"):
        placed(study)
    monkeypatch.chdir(sweep[0].path.parent)  # paths of both kinds
    write_tracking(make_run("algorithm=rloo", name="beside"), TrackingState("offline"))
    beside = str(sweep[0].path.parent.with_name("beside"))
    with pytest.raises(ConfigurationError, match=f"harness sync {sweep[0].path.parent.parent}$"):
        placed(compare([str(folder) for folder in sweep[:6]] + [beside]))


def test_keys_and_themes(sweep: list[RunFolder]) -> None:
    study = compare([str(folder) for folder in sweep])
    assert deciding_keys(study) == [LR, "actor_rollout_ref.actor.clip_ratio_high"], "W&B has no key `algorithm`"
    assert deciding_keys(compare([str(sweep[0]), str(sweep[2])])) == [LR]
    assert deciding_keys(compare([str(sweep[0]), str(sweep[1])])) == []
    assert list(themes(study)) == ["What is compared", "Reward"]
