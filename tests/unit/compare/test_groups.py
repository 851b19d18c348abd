"""Runs become groups by what was swept, with seeds as repetitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from omegaconf import OmegaConf

from harness.compare.groups import Comparison, group_runs
from harness.compare.keys import given
from harness.compare.load import load_runs
from harness.compare.run_data import RunData
from harness.compare.targets import find_targets
from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import fingerprint
from harness.errors import ConfigurationError
from harness.records.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]


def load(*folders: RunFolder, **options: Any) -> list[RunData]:
    """Runs as `harness compare` loads them."""
    return load_runs(find_targets([str(folder) for folder in folders]).runs, **options)


LR = "actor_rollout_ref.actor.optim.lr"


def labels(runs: Sequence[RunData], *by: str) -> list[str]:
    return [group.label for group in group_runs(runs, by).groups]


def grid(make_run: MakeRun, *words: str, seeds: Sequence[int] = (1, 2), **options: Any) -> list[RunFolder]:
    return [make_run(*words, seed=seed, **options) for seed in seeds]


def test_a_sweep_over_an_algorithm_and_a_rate(make_run: MakeRun) -> None:
    points = [(f"algorithm={name}", f"{LR}={rate}") for name in ("grpo", "dapo") for rate in ("1e-6", "0.00001")]
    found = group_runs(load(*(run for words in points for run in grid(make_run, *words, seeds=(2, 1)))))
    assert found.keys == ("algorithm", LR)
    assert [group.label for group in found.groups] == [
        "algorithm=grpo lr=1e-06", "algorithm=grpo lr=1e-05", "algorithm=dapo lr=1e-06", "algorithm=dapo lr=1e-05",
    ]  # fmt: skip
    assert {group.seeds for group in found.groups} == {(1, 2)}
    assert [run.seed for run in found.groups[0].runs] == [1, 2]
    assert found.baseline is found.groups[0]
    assert (found.findings, found.missing_seeds) == ((), {})


def test_one_experiment_is_one_group_by_its_name(make_run: MakeRun) -> None:
    found = group_runs(load(*grid(make_run, "algorithm=dapo", seeds=(1, 2, 3))))
    assert (found.keys, [group.label for group in found.groups], found.groups[0].seeds) == ((), ["demo"], (1, 2, 3))


def test_what_a_run_says_and_another_has_by_default_is_one_experiment(make_run: MakeRun) -> None:
    runs = load(make_run(seed=1), make_run("algorithm=grpo", seed=2), *grid(make_run, "algorithm=dapo"))
    assert labels(runs) == ["algorithm=grpo", "algorithm=dapo"]
    assert labels(load(make_run(seed=1), make_run("algorithm=dapo"))) == ["algorithm=default", "algorithm=dapo"]
    ways = [make_run(*words, seed=seed) for seed, words in enumerate([(), (f"{LR}=1e-6",), (f"{LR}=0.000001",)], 1)]
    other = make_run(f"{LR}=1e-5", "data.val_files=hard")
    assert labels(load(*ways, other)) == ["lr=1e-06 val_files=test.parquet", "lr=1e-05 val_files=hard"]


def test_what_was_chosen_without_a_word_is_its_value(make_run: MakeRun) -> None:
    """As of `make demo`, whose algorithm is the one that stands by default, and of an experiment that chooses one."""
    demo = make_run(seed=1, choices={"algorithm": "grpo", "reward_fn": ["math", "format"]})
    runs = load(demo, make_run("algorithm=grpo", seed=2), *grid(make_run, "algorithm=dapo"))
    assert labels(runs) == ["algorithm=grpo", "algorithm=dapo"]
    assert labels(runs[:1], "algorithm") == ["algorithm=grpo"]
    assert labels(runs[:1], "reward_fn") == ["reward_fn=[math,format]"]
    found = group_runs(load(demo, make_run("algorithm=dapo")), baseline="grpo")
    assert found.baseline.label == "algorithm=grpo"
    by_device = [make_run("device=cuda", f"{LR}=1e-5"), make_run(f"{LR}=1e-6", choices={"device": "cuda"})]
    assert group_runs(load(*by_device)).keys == (LR,)


def test_of_an_old_record_the_baseline_is_found_by_its_estimator(make_run: MakeRun) -> None:
    runs = load(make_run(), make_run("algorithm=rloo"))
    found = group_runs(runs, baseline="grpo")
    assert found.baseline.label == "algorithm=default"
    with pytest.raises(ConfigurationError, match="several groups have it: algorithm=default, algorithm=dapo"):
        group_runs([*runs, *load(make_run("algorithm=dapo"))], baseline="grpo")


def test_words_that_decide_nothing_make_no_group(make_run: MakeRun) -> None:
    ignored = (
        "tracking=wandb",
        "name=other",
        "cluster=slurm",
        "cluster.time=30",
        "trainer.save_freq=9",
        "+plugins=[a]",
    )
    said = [make_run("algorithm=grpo", *ignored), make_run("algorithm=dapo", *ignored, seed=2)]
    runs = load(said[0], make_run("algorithm=dapo"), said[1], make_run("algorithm=grpo", seed=2))
    assert labels(runs) == ["algorithm=grpo", "algorithm=dapo"]
    assert group_runs(runs).findings == ()


def test_a_detected_device_that_one_run_names_is_no_key(make_run: MakeRun) -> None:
    runs = load(make_run("device=cuda", f"{LR}=1e-5"), make_run(f"{LR}=1e-6"))
    assert group_runs(runs).keys == (LR,)
    assert group_runs(load(make_run("device=cpu"), make_run())).keys == ("device",)
    both = load(make_run("device=cpu", f"{LR}=1e-5"), make_run("device=cuda", f"{LR}=1e-6"))
    assert group_runs(both).keys == ("device", LR)


def test_other_files_without_words_are_told_apart_by_few_resolved_keys(make_run: MakeRun) -> None:
    runs = [
        replace(run, words=()) for run in load(*(make_run(f"algorithm={name}") for name in ("grpo", "dapo", "rloo")))
    ]
    found = group_runs(runs)
    assert [group.label for group in found.groups] == [
        "adv_estimator=grpo clip_ratio_high=0.2", "adv_estimator=grpo clip_ratio_high=0.28",
        "adv_estimator=rloo_vectorized clip_ratio_high=0.2",
    ]  # fmt: skip
    assert [finding.subject for finding in found.findings] == ["actor_rollout_ref.actor.loss_agg_mode"]
    rates = load(make_run("algorithm=dapo"), make_run(f"{LR}=1e-5"), make_run(f"{LR}=1e-4"))
    assert group_runs([replace(run, words=()) for run in rates]).keys == (LR,)


def test_grouping_by_hand_tells_what_else_differs(make_run: MakeRun) -> None:
    points = [(f"algorithm={name}", f"{LR}={rate}") for name in ("grpo", "dapo") for rate in ("1e-6", "1e-5")]
    runs = load(*(make_run(*words) for words in points))
    for name in ("lr", LR, "optim.lr"):
        found = group_runs(runs, [name])
        assert [group.label for group in found.groups] == ["lr=1e-06", "lr=1e-05"]
        assert [len(group.runs) for group in found.groups] == [2, 2]  # one seed, and yet two experiments
    (finding,) = found.findings
    assert (finding.subject, finding.where) == ("algorithm", "within")
    assert finding.text == "algorithm differs within lr=1e-06, lr=1e-05: grpo (2 runs), dapo (2 runs)"
    assert labels(runs, "algorithm", "lr")[0] == "algorithm=grpo lr=1e-06"
    assert labels(runs, "clip_ratio_high") == ["clip_ratio_high=0.2", "clip_ratio_high=0.28"]


def test_grouping_by_a_seed_or_by_what_decides_nothing(make_run: MakeRun) -> None:
    runs = load(*grid(make_run, "algorithm=grpo"), make_run(seed=3, name="other"))
    assert labels(runs, "seed") == ["seed=1", "seed=2", "seed=3"]
    assert labels(runs, "name") == ["name=demo", "name=other"]
    assert labels(runs, "trainer.save_freq") == ["save_freq=5"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("algoritm", "Did you mean algorithm.*These runs differ in algorithm"),
        ("zzzz", "zzzz is no key of these runs.\n.*These runs differ in algorithm"),
        ("n", "n is no key"),
    ],
)
def test_a_key_that_is_not_there(make_run: MakeRun, name: str, said: str) -> None:
    runs = load(make_run("algorithm=grpo"), make_run("algorithm=dapo"))
    with pytest.raises(ConfigurationError, match=said):
        group_runs(runs, [name])


def test_an_end_of_several_keys(make_run: MakeRun) -> None:
    one, other = load(make_run("a.lr=1"), make_run("b.lr=2", "algorithm=dapo"))
    with pytest.raises(ConfigurationError, match=f"lr could be a.lr, {LR}, b.lr|lr could be a.lr, b.lr"):
        group_runs([one, other], ["lr"])


@pytest.mark.parametrize("wanted", ["dapo", "algorithm=dapo", "algorithm=dapo lr=1e-05"])
def test_a_baseline(make_run: MakeRun, wanted: str) -> None:
    runs = load(make_run("algorithm=grpo", f"{LR}=1e-6"), make_run("algorithm=dapo", f"{LR}=1e-5"))
    assert group_runs(runs, baseline=wanted).baseline.label == "algorithm=dapo lr=1e-05"


def test_a_baseline_that_is_not_there_or_is_several(make_run: MakeRun) -> None:
    runs = load(*(make_run(f"algorithm={name}", f"{LR}={lr}") for name in ("grpo", "dapo") for lr in ("1e-6", "1e-5")))
    with pytest.raises(ConfigurationError, match="Did you mean dapo"):
        group_runs(runs, baseline="dapoo")
    with pytest.raises(
        ConfigurationError, match="several groups have it: algorithm=dapo lr=1e-06, algorithm=dapo lr=1e-05"
    ):
        group_runs(runs, baseline="dapo")


def test_of_a_seed_that_ran_twice_the_finished_the_longer_the_later_is_taken(make_run: MakeRun) -> None:
    runs = load(
        make_run(seed=1, run_id="long", steps=9, end="failed"), make_run(seed=1, run_id="done", steps=3),
        make_run(seed=2, run_id="a", steps=2, end="failed"), make_run(seed=2, run_id="b", steps=4, end="cancelled"),
        make_run(seed=3, run_id="x"), make_run(seed=3, run_id="y"),
    )  # fmt: skip
    found = group_runs(runs)
    (group,) = found.groups
    assert [run.run_id for run in group.runs] == ["done", "b", "y"]
    assert [run.run_id for run in group.set_aside] == ["long", "a", "x"]
    told = [finding.text for finding in found.findings if finding.subject == "repeated seed"]
    assert [text.rpartition("(")[2].partition(")")[0] for text in told] == [
        "it finished",
        "it is longer",
        "it is the later one",
    ]


def test_states_lengths_and_missing_seeds_are_counted(make_run: MakeRun) -> None:
    grpo = grid(make_run, "algorithm=grpo", seeds=(1, 2, 3), steps=5)
    dapo = [make_run("algorithm=dapo", seed=1, steps=5), make_run("algorithm=dapo", seed=4, steps=2, end="failed")]
    found = group_runs(load(*grpo, *dapo))
    first, second = found.groups
    assert (dict(first.states), dict(second.states)) == ({"done": 3}, {"done": 1, "failed": 1})
    assert dict(second.last_steps) == {2: 1, 5: 1}
    assert found.missing_seeds == {"algorithm=grpo": (4,), "algorithm=dapo": (2, 3)}
    (failed,) = [run for run in found.groups[1].runs if run.state == "failed"]
    assert [finding.text for finding in found.findings if finding.where == "runs"] == [
        "missing seeds: algorithm=grpo has no run of seed 4",
        "missing seeds: algorithm=dapo has no run of seed 2, 3",
        f"failed or stopped runs: 1 of 2 of algorithm=dapo: {failed.where} crashed at step 2 of 2: "
        "ValueError: made to fail",
    ]
    by_seed = group_runs([run for group in found.groups for run in group.runs], ["seed"])
    assert by_seed.missing_seeds == {}
    assert "missing seeds" not in {finding.subject for finding in by_seed.findings}


@pytest.mark.parametrize(
    ("end", "last", "told"),
    [
        ("failed", 9, True),
        ("failed", 3, True),
        ("cancelled", 3, True),
        ("preempted", 3, True),
        ("cancelled", 9, False),
        ("running", 3, False),
        ("done", 9, False),
    ],
)
def test_a_run_that_failed_or_was_stopped_early_is_a_finding(
    make_run: MakeRun, end: str, last: int, told: bool
) -> None:
    history = {step: {"a": 1.0} for step in range(last + 1)}
    (finding,) = group_runs(load(make_run(end=end, steps=9, metrics=history))).findings or (None,)
    assert (finding is not None) == told
    assert finding is None or finding.where == "runs"


def test_runs_without_a_known_seed_are_all_kept(make_run: MakeRun) -> None:
    found = group_runs([replace(run, seed=None) for run in load(make_run(), make_run(seed=2))])
    assert (len(found.groups[0].runs), found.groups[0].seeds) == (2, ())


def test_a_point_that_a_sweeps_file_names(make_run: MakeRun) -> None:
    one, other = load(make_run("algorithm=grpo"), make_run("algorithm=dapo"))
    runs = [replace(one, label="our baseline algorithm=grpo seed=1"), replace(other, label="algorithm=dapo seed=1")]
    assert labels(runs) == ["our baseline algorithm=grpo", "algorithm=dapo"]


def test_no_runs() -> None:
    with pytest.raises(ConfigurationError, match="no runs"):
        group_runs([])


def findings(found: Comparison) -> dict[str, str]:
    return {finding.subject: finding.where for finding in found.findings}


@pytest.mark.parametrize(
    ("provenance", "subject"),
    [
        ({"versions": {"verl": "0.9.2", "torch": "2.13.0"}}, "torch"),
        ({"code": {"commit": "1" * 40}}, "code"),
        ({"harness": {"commit": "2" * 40}}, "harness"),
        ({"versions": {"rl-harness": "9"}}, "rl-harness"),
        ({"devices": [{"name": "H100"}, {"name": "H100"}]}, "GPUs"),
    ],
)
def test_code_versions_and_hardware(make_run: MakeRun, provenance: dict[str, Any], subject: str) -> None:
    usual = grid(make_run, "algorithm=grpo")
    between = group_runs(load(*usual, *grid(make_run, "algorithm=dapo", provenance=provenance)))
    assert findings(between)[subject] == "between"
    within = group_runs(
        load(*usual, make_run("algorithm=grpo", seed=3, provenance=provenance), make_run("algorithm=dapo"))
    )
    assert findings(within)[subject] == "within"
    (finding,) = [each for each in within.findings if each.subject == subject]
    assert finding.groups == ("algorithm=grpo",)
    assert sorted(map(len, finding.values.values())) == [1, 3]


def test_uncommitted_changes_data_and_steps(make_run: MakeRun) -> None:
    usual, other = make_run("algorithm=grpo"), make_run("algorithm=dapo", "data.val_files=hard.parquet", steps=4)
    usual.code_diff.write_text("-a\n+b\n")
    other.code_diff.write_text("")
    found = findings(group_runs(load(usual, other), ["algorithm"]))
    assert found == {
        "data.val_files": "between", "uncommitted changes": "between", "validation data": "between",
        "steps planned": "between", "steps taken by runs that are done": "between",
    }  # fmt: skip


def test_problems_and_changes_of_single_runs(make_run: MakeRun) -> None:
    change = {"from_step": 20, "changed": {LR: [1, 2]}}
    runs = load(make_run(provenance={"changes": [change]}), make_run(seed=2))
    found = group_runs([runs[0], replace(runs[1], problems=("metrics.jsonl cannot be read: no",))])
    assert [finding.text.partition(": ")[2] for finding in found.findings] == [
        f"{LR} changed at step 20, when it was resumed", "metrics.jsonl cannot be read: no",
    ]  # fmt: skip


def test_words() -> None:
    words = ["+a.b=1", "~c", "d='x y'", "++e=[1,2]", "d=2", "f=a=b"]
    assert given(words) == {"a.b": "1", "c": "removed", "d": "2", "e": "[1,2]", "f": "a=b"}


def test_real_configurations(tmp_path, about) -> None:
    folders = []
    for algorithm in ("grpo", "dapo"):
        words = ["experiment=quickstart_tiny", f"algorithm={algorithm}"]
        config = resolve(compose_config(words))
        for seed in (1, 2):
            run = RunFolder.create(tmp_path / "outputs", "real", f"{algorithm}-{seed}")
            OmegaConf.save(OmegaConf.merge(config, {"seed": seed, "data": {"seed": seed}}), run.config)
            OmegaConf.save(OmegaConf.create([*words, f"seed={seed}"]), run.overrides)
            about.write(run, seed=seed, fingerprint=fingerprint(config))
            folders.append(run)
    assert labels(load(*folders)) == ["algorithm=grpo", "algorithm=dapo"]
    for folder in folders:
        folder.provenance.unlink()  # the configurations say the same without a recorded fingerprint
    found = group_runs(load(*folders))
    assert [(group.label, group.seeds) for group in found.groups] == [
        ("algorithm=grpo", (1, 2)),
        ("algorithm=dapo", (1, 2)),
    ]
