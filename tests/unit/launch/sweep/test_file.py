"""Sweeps from a file: axes, seeds, conditions, exclusions and named points, and what is wrong with a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import ConfigurationError
from harness.launch.sweep.points import expand
from harness.launch.sweep.prepare import planned_sweep

STUDY = """# A study.
overrides: [experiment=quickstart_tiny, algorithm=ppo]
axes:
  algorithm: [grpo, dapo, prime]
  actor_rollout_ref.actor.optim.lr: [1e-4, 3e-4]
seeds: 2
conditions:
  - when: {algorithm: prime}
    axes: {data.train_batch_size: [8, 16]}
    overrides: [trainer.total_epochs=4]
exclude:
  - {algorithm: [dapo, prime], actor_rollout_ref.actor.optim.lr: 0.0003}
points:
  baseline: {actor_rollout_ref.rollout.temperature: 0.7}
  bare: [trainer.total_epochs=1]
"""


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "conf/sweep/study.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(STUDY)
    return path


def test_every_part_of_a_file() -> None:
    points = expand(["sweep=study"])
    assert [point.label for point in points if "seed=2" in point.words] == [
        "algorithm=grpo lr=0.0001 seed=2",
        "algorithm=grpo lr=0.0003 seed=2",
        "algorithm=dapo lr=0.0001 seed=2",
        "algorithm=prime lr=0.0001 seed=2 train_batch_size=8 total_epochs=4",
        "algorithm=prime lr=0.0001 seed=2 train_batch_size=16 total_epochs=4",
        "baseline seed=2",
        "bare seed=2",
    ]
    assert len(points) == 14
    assert points[-1].words == ("experiment=quickstart_tiny", "algorithm=ppo", "trainer.total_epochs=1", "seed=2")


def test_the_command_wins() -> None:
    points = expand(["sweep=study", "algorithm=grpo,rloo", "seed=7", "trainer.total_epochs=2"])
    assert [point.label for point in points] == [
        "lr=0.0001 algorithm=grpo", "lr=0.0001 algorithm=rloo", "lr=0.0003 algorithm=grpo", "lr=0.0003 algorithm=rloo",
        "baseline algorithm=grpo", "baseline algorithm=rloo", "bare algorithm=grpo", "bare algorithm=rloo",
    ]  # fmt: skip
    assert all({"seed=7", "trainer.total_epochs=2"} <= set(point.words) for point in points)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("axis: {}", "the file: there is no key 'axis'. Did you mean axes?"),
        ("axes: {seed: 1}", "axes.seed: a list of values is needed, not 1."),
        ("seeds: many", "seeds: a number of seeds or a list of them is needed, not 'many'."),
        ("overrides: experiment=quickstart", "overrides: a list is needed, not 'experiment=quickstart'."),
        ("overrides: [quickstart]", "overrides: 'quickstart' is no override. Write key=value."),
        ("points: [a]", "points: keys with values are needed, not ['a']."),
        ("conditions: [{axes: {seed: [1]}}]", "conditions[0].when: it names no value. Write {key: value}."),
        ("exclude: [{algorithm: grop}]", "sweep: no run has algorithm=grop, for which the file has a rule."),
        ("overrides: ['trusted_modules=[os]']", "trusted_modules is given on the command line alone"),
        ("axes: {plugins: [[mine]]}", "plugins is given on the command line alone"),
        ("points: {a: {+trusted_modules: [os]}}", "trusted_modules is given on the command line alone"),
        ("a: [", "not valid YAML"),
        ("axes: {seed: [1]}\nexclude: [{seed: 1}]", "its conditions leave no run."),
    ],
)
def test_what_is_wrong_with_a_file(text: str, message: str, study: Path) -> None:
    study.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        expand(["sweep=study"])
    assert message in f"{caught.value.message} {caught.value.remedy}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep=study"], "sweep=study names a sweep's file."),
        (["-m", "sweep=studi"], "sweep=studi: there is no conf/sweep/studi.yaml."),
        (["-m", "sweep=study,other"], "sweep=study,other: one file at a time."),
    ],
)
def test_what_is_asked_wrongly(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *words]) == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_the_guides_file(study: Path) -> None:
    guide = Path(__file__).parents[4] / "docs/guides/sweep.md"
    study.write_text(re.search(r"```yaml\n(.*?)```", guide.read_text(), re.DOTALL)[1])
    _, planned = planned_sweep(["sweep=study"])
    assert len(planned) == 24
    assert {each.point.name for each in planned} == {"", "baseline"}


def test_it_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "sweep"]) == 0
    shown = capsys.readouterr().out
    assert "study            A study (yours)" in shown
    assert "tiny_algorithms  " in shown
