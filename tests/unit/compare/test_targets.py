"""What a command names, once each, and what it says of what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.compare.targets import find_targets
from harness.errors import ConfigurationError
from harness.records.run_folder import RunFolder


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two plain runs, and a sweep of two runs to which an earlier one counts; its frozen source links back."""
    monkeypatch.chdir(tmp_path)
    root = Path("outputs")
    for name, run_id in (("a", "one"), ("b", "two"), ("a", "before")):
        RunFolder.create(root, name, run_id)
    sweep = root / "a" / "sweep-1"
    for run_id in ("lr-1_seed-2", "lr-1_seed-1"):
        RunFolder.create(root / "a", "sweep-1", run_id)
    (sweep / "code" / "state").mkdir(parents=True)
    (sweep / "code" / "state" / "outputs").symlink_to(root.resolve())
    RunFolder.create(sweep / "code", "state", "no_run_of_ours")
    runs = [{"run_id": f"lr-1_seed-{seed}", "label": f"lr=1 seed={seed}"} for seed in (2, 1)]
    plan = {"project": str(tmp_path), "runs": runs, "finished": [{"run": "outputs/a/before", "label": "lr=2 seed=1"}]}
    (sweep / "sweep.yaml").write_text(yaml.safe_dump(plan))
    return root


def names(*words: str) -> list[str]:
    return [target.path.name for target in find_targets(words).runs]


def test_a_run_a_folder_of_runs_and_a_glob(outputs: Path) -> None:
    assert names("outputs/a/one") == ["one"]
    assert names("outputs/b") == ["two"]
    assert names("outputs/*/one", "outputs/b/t*") == ["one", "two"]


def test_a_sweep_has_its_runs_as_planned_and_those_that_had_finished_before(outputs: Path) -> None:
    found = find_targets(["outputs/a/sweep-1"]).runs
    assert [(target.path.name, target.label) for target in found] == [
        ("before", "lr=2 seed=1"), ("lr-1_seed-2", "lr=1 seed=2"), ("lr-1_seed-1", "lr=1 seed=1"),
    ]  # fmt: skip


def test_a_run_of_a_sweep_keeps_its_label(outputs: Path) -> None:
    assert [target.label for target in find_targets(["outputs/a/sweep-1/lr-1_seed-2"]).runs] == ["lr=1 seed=2"]


def test_all_outputs_without_frozen_source(outputs: Path) -> None:
    assert sorted(names("outputs")) == ["before", "lr-1_seed-1", "lr-1_seed-2", "one", "two"]


def test_a_sweep_that_was_never_planned_to_its_end_is_not_its_source(outputs: Path) -> None:
    RunFolder.create(outputs / "c" / "sweep-2", "code", "state")
    RunFolder.create(outputs / "c", "sweep-2", "run")
    assert names("outputs/c/sweep-2") == ["run"]


def test_what_is_named_twice_counts_once_in_the_order_of_the_words(outputs: Path) -> None:
    assert names("outputs/b/two", "outputs/a/one", "outputs/./b", str(outputs.resolve() / "a" / "one")) == [
        "two",
        "one",
    ]


def test_outputs_that_were_moved_still_hold_what_had_finished(outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    outputs.rename(tmp_path / "archive" / "old")
    found = find_targets(["archive/old/a/sweep-1"]).runs
    assert found[0].path.resolve() == tmp_path / "archive" / "old" / "a" / "before"


def test_weights_and_biases_are_kept_apart(outputs: Path) -> None:
    found = find_targets(["wandb:team/project/group", "outputs/b", "wandb:team/project/group/"])
    assert (found.online, [target.path.name for target in found.runs]) == (("team/project/group",), ["two"])


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("outputs/a/onee", "no such folder.\n.*In outputs/a: Did you mean one"),
        ("output/a", "no such folder.\n.*Did you mean outputs"),
        ("outputs/c*", "nothing matches it"),
        ("outputs/a/one/status.json", "is a file, not a run.\n.*Name its folder: outputs/a/one"),
        ("empty", "empty holds no run"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(outputs: Path, tmp_path: Path, word: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=said):
        find_targets([word])


def test_nothing_named(outputs: Path) -> None:
    with pytest.raises(ConfigurationError, match="outputs holds a, b"):
        find_targets([])


def test_a_plan_that_has_changed_is_read_again(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = outputs / "a" / "sweep-1"
    before = find_targets([str(sweep)])
    with monkeypatch.context() as patch:
        patch.setattr("harness.compare.targets.yaml.load", pytest.fail)
        assert find_targets([str(sweep)]) == before  # from the cache
    plan = yaml.safe_load((sweep / "sweep.yaml").read_text())
    plan["runs"] = plan["runs"][:1]
    (sweep / "sweep.yaml").write_text(yaml.safe_dump(plan))
    assert len(find_targets([str(sweep)]).runs) < len(before.runs)


@pytest.mark.parametrize("text", ["runs: [", "words: []", "runs: [1]"])
def test_a_damaged_plan(outputs: Path, text: str) -> None:
    (outputs / "a" / "sweep-1" / "sweep.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"sweep.yaml cannot be read"):
        find_targets(["outputs/a/sweep-1"])
