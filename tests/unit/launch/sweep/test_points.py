"""Points of a sweep: the same as Hydra's own basic sweeper makes, and labels that tell them apart."""

from __future__ import annotations

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from harness.errors import ConfigurationError
from harness.launch.sweep.points import expand


@pytest.mark.parametrize(
    "words",
    [
        ["algorithm=grpo,dapo", "seed=1,2,3", "actor_rollout_ref.actor.optim.lr=1e-6,3e-6"],
        ["a=choice(1,2)", "b=range(1,4)", "c='x,y'"],
        ["+advantage_fn.fate=none,raise", "reward_fn=[a,b],[c]", "x=null,true"],
        ["one=1"],
    ],
)
def test_as_hydras_sweeper(words: list[str]) -> None:
    parsed = OverridesParser.create().parse_overrides(words)
    theirs = [list(job) for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]
    ours = [[word.lstrip("+") for word in point.words] for point in expand(words)]
    assert [[word.lstrip("+").replace("'", "") for word in job] for job in theirs] == [
        [word.replace("'", "") for word in job] for job in ours
    ]


def test_a_label_has_what_differs() -> None:
    points = expand(["experiment=quickstart", "algorithm=grpo,dapo", "actor_rollout_ref.actor.optim.lr=1e-6,3e-6"])
    assert [point.label for point in points][:2] == ["algorithm=grpo lr=1e-06", "algorithm=grpo lr=3e-06"]
    assert expand(["experiment=quickstart"])[0].label == "run"
    both = expand(["actor_rollout_ref.actor.optim.lr=1,2", "critic.optim.lr=3,4", "+x.y='a=b',c"])
    assert both[0].label == "actor.optim.lr=1 critic.optim.lr=3 x.y='a=b'"


def test_a_value_that_is_listed_twice_is_one_point() -> None:
    assert len(expand(["seed=1,1,2"])) == 2


@pytest.mark.parametrize(("word", "message"), [("seed=[1,", "Write key=value"), ("x=interval(0,1)", "no points")])
def test_what_is_no_axis(word: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        expand([word])
    assert str(caught.value).startswith(word)
    assert message in str(caught.value)
