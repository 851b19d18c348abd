"""What W&B is told a run is: what was chosen, the same for each start of it, another for one that has begun again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.config.compose import compose_config
from harness.config.fingerprint import HASH
from harness.launch.changes import set_aside
from harness.launch.record import open_run
from harness.launch.sweep.prepare import make_sweep
from harness.tracking.identity import Identity, identity_of

PARTS = """
from harness import register_advantage_function, register_algorithm

@register_advantage_function("ranked")
def ranked(token_level_rewards, response_mask, index): ...

@register_algorithm("watchful", base="dr_grpo")
class Watchful: ...
"""
WORDS = ["experiment=quickstart_tiny", "algorithm=dapo", "seed=3", "tracking=wandb", "tracking.tags=[mine]"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_run() -> None:
    run, _ = open_run(compose_config(WORDS), WORDS)
    found = identity_of(run)
    assert found.id == f"quickstart_tiny-{run.run_id}"
    assert found.group == "quickstart_tiny algorithm=dapo"  # seeds are its repetitions
    assert found.tags == ("algorithm:dapo", "model:tiny", "data:spell_backward", "seed:3", "mine")
    assert found.config["harness"]["run"] == str(run.path.absolute())
    run.metrics.write_text("")
    set_aside(run)
    assert identity_of(run).id == f"{found.id}-2"


def identified(words: list[str], **given: Any) -> Identity:
    run, _ = open_run(compose_config(words, **given), words)
    return identity_of(run)


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        ([], ["algorithm:grpo"]),
        (["algorithm=gspo"], ["algorithm:gspo"]),
        (["algorithm=my_own"], ["algorithm:my_own"]),
        (["plugins=[my_parts]", "algorithm=watchful"], ["algorithm:watchful"]),
        (["plugins=[my_parts]", "advantage_fn=ranked"], ["algorithm:grpo", "advantage:ranked"]),
        (["advantage_fn=custom", "advantage_fn.module=my_parts.py"], ["algorithm:grpo", "advantage:ranked"]),
        (["policy_loss=gmpo"], ["algorithm:grpo", "loss:gmpo"]),
    ],
)
def test_a_tag_names_the_chosen_algorithm(
    words: list[str], tags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_parts.py").write_text(PARTS)
    (tmp_path / "conf" / "algorithm").mkdir(parents=True)
    (tmp_path / "conf" / "algorithm" / "my_own.yaml").write_text("# @package _global_\ndefaults: [rloo, _self_]\n")
    found = identified(["experiment=quickstart_tiny", *words])
    assert [tag for tag in found.tags if tag.split(":")[0] in ("algorithm", "advantage", "loss")] == tags


def test_a_file_that_chooses_no_algorithm_is_not_taken_for_one() -> None:
    words = ["model=tiny", "data=spell_backward"]
    tags = identified(words, experiment={"algorithm": {"adv_estimator": "rloo"}}).tags
    assert tags[0] == "advantage:rloo"
    assert not any(tag.startswith("algorithm:") for tag in tags)


def test_a_tag_of_what_is_made_for_a_seed_does_not_change_with_it() -> None:
    first, second = (identified(["experiment=quickstart_tiny", f"seed={seed}"]) for seed in (1, 2))
    assert [tag for tag in first.tags if tag not in second.tags] == ["seed:1"]
    assert not HASH.search(" ".join(first.tags))


def test_a_tag_is_as_long_as_wandb_takes() -> None:
    paths = [f"actor_rollout_ref.model.path=lab/{'m' * 80}{end}" for end in "ab"]
    first, second = (identified(["experiment=quickstart_tiny", path]).tags[1] for path in paths)
    assert len(first) == len(second) == 64
    assert first != second
    assert first.startswith("model:mmm")


def test_long_names_are_cut_to_what_wandb_takes_and_do_not_collide(tmp_path: Path) -> None:
    names = [f"{'e' * 90}{end}" for end in "ab"]
    words = ["experiment=quickstart_tiny", f'trainer.default_hdfs_dir="/{"ü" * 80}"', f"tracking.name={'n' * 200}"]
    runs = [open_run(compose_config([*words, f"name={name}", "run_id=alike"]), [*words]) for name in names]
    first, second = (identity_of(run) for run, _ in runs)
    assert (len(first.id.encode()), len(first.name)) == (64, 128)
    assert 120 < len(first.group.encode()) <= 128
    assert first.id != second.id
    assert first.group != second.group
    known = runs[0][0]
    known.metrics.write_text("")
    set_aside(known)
    assert identity_of(known).id != first.id, "it has begun again, which stands at the end of the name"


def test_seeds_are_repetitions_in_one_group_in_a_sweep() -> None:
    sweep = make_sweep(["experiment=quickstart_tiny", "algorithm=grpo,dapo", "seed=1,2"])
    groups = [identity_of(sweep.run(run)).group for run in sweep.plan().runs]
    name = sweep.path.name
    assert sorted(groups) == sorted(2 * [f"quickstart_tiny {name} algorithm={chosen}" for chosen in ("dapo", "grpo")])


def test_runs_of_two_sweeps_are_not_one() -> None:
    words = ["experiment=quickstart_tiny", "seed=1,2"]
    first, second = make_sweep(words), make_sweep(words)
    runs = [sweep.run(run) for sweep in (first, second) for run in sweep.plan().runs]
    assert len({identity_of(run).id for run in runs}) == 4
    assert len({identity_of(run).group for run in runs}) == 2
