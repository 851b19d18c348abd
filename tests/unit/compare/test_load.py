"""Runs are loaded whatever became of them, with the numbers that their writers wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.compare.cache import Cache
from harness.compare.load import load_runs
from harness.compare.run_data import TOKENS, RunData, load_samples
from harness.compare.targets import find_targets
from harness.records.generations import Generation, write_generations
from harness.records.metrics import MetricsWriter
from harness.records.run_folder import RunFolder
from harness.records.state import load_status, save_status

MakeRun = Callable[..., RunFolder]


def load(*folders: RunFolder, **options: Any) -> list[RunData]:
    """Runs as `harness compare` loads them."""
    return load_runs(find_targets([str(folder) for folder in folders]).runs, **options)


ACC = "val-core/sums/acc/mean@1"


def test_a_run(make_run: MakeRun) -> None:
    (run,) = load(make_run("algorithm=dapo", seed=7, run_id="first"))
    assert (run.run_id, run.name, run.seed, run.state, run.label) == ("first", "demo", 7, "done", "")
    assert run.words == ("algorithm=dapo", "seed=7")
    assert run.steps.tolist() == [0, 1, 2, 3]
    np.testing.assert_equal(run.metrics[ACC], [0.1, np.nan, np.nan, 0.5])
    np.testing.assert_equal(run.metrics["critic/score/mean"], [np.nan, 0.1, 0.2, 0.3])
    assert run.tokens.tolist() == [0, 100, 200, 300]
    assert run.config["run_id"] == "first"
    assert "run_id" not in run.settings.tree
    assert run.provenance["seed"] == 7
    assert run.problems == ()
    assert 0 <= run.times[0] <= run.times[-1] <= run.seconds < 60


@pytest.mark.parametrize("end", ["failed", "cancelled", "preempted", "running"])
def test_runs_that_did_not_finish_are_marked(make_run: MakeRun, end: str) -> None:
    (run,) = load(make_run(end=end))
    assert (run.state, run.last_step, run.problems) == (end, 3, ())


def test_the_second_time_is_the_same_and_parses_nothing(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [make_run("algorithm=dapo", seed=seed, steps=seed + 2) for seed in range(1, 13)]  # in processes
    first = load(*folders)
    monkeypatch.setattr("harness.compare.reading.Reader.read", None)
    second = load(*folders)
    for one, other in zip(first, second, strict=True):
        assert (one.where, one.settings.tree) == (other.where, other.settings.tree)
        assert one.last_step == one.seed + 2
        assert one.metrics.keys() == other.metrics.keys()
        for name, values in one.metrics.items():
            np.testing.assert_array_equal(values, other.metrics[name])


def test_a_run_that_went_on_is_read_again(make_run: MakeRun) -> None:
    folder = make_run(end="running")
    load(folder)
    MetricsWriter(folder.metrics).write(4, {"critic/score/mean": 0.9})
    (run,) = load(folder)
    assert (run.last_step, run.metrics["critic/score/mean"][-1]) == (4, 0.9)


def test_what_is_seldom_looked_at_is_read_when_it_is(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(metrics={1: {ACC: 0.1, "a": 1.0}, 2: {"a": 2.0, "b": 3.0}}, end="running")
    with monkeypatch.context() as patch:
        patch.setattr("harness.compare.load.REST", None)  # reading it would fail
        (run,) = load(folder)
        assert list(run.metrics) == [ACC, "a", "b"]
        assert ("a" in run.metrics, "c" in run.metrics, len(run.metrics)) == (True, False, 3)
        assert run.metrics.get("c") is None
        np.testing.assert_equal(run.metrics[ACC], [0.1, np.nan])
    MetricsWriter(folder.metrics).write(3, {"a": 4.0})  # it goes on meanwhile
    np.testing.assert_equal(run.metrics["b"], [np.nan, 3.0])
    np.testing.assert_equal(run.metrics["a"], [1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        run.metrics["a"][0] = 7
    (again,) = load(folder)
    folder.metrics.unlink()
    np.testing.assert_equal(again.metrics["a"], [np.nan] * 3)
    with pytest.raises(KeyError):
        again.metrics["c"]


def test_only_what_is_asked_for(make_run: MakeRun) -> None:
    (run,) = load(make_run(), only={ACC, TOKENS, "no/such"})
    assert set(run.metrics) == {ACC, TOKENS}
    assert run.tokens[-1] == 300


def test_runs_with_one_fingerprint_share_their_settings(make_run: MakeRun) -> None:
    one, other, another = load(*(make_run(f"algorithm={name}", seed=seed) for name, seed in
                                 (("grpo", 1), ("grpo", 2), ("dapo", 1))))  # fmt: skip
    assert one.settings is other.settings
    assert one.settings.identity != another.settings.identity
    assert (one.config["seed"], other.config["seed"]) == (1, 2)


def test_nothing_is_written_into_a_run(make_run: MakeRun) -> None:
    folder = make_run()
    before = {path: path.stat().st_mtime_ns for path in (folder.path, *folder.path.rglob("*"))}
    load(folder)[0].samples(0)
    assert {path: path.stat().st_mtime_ns for path in (folder.path, *folder.path.rglob("*"))} == before


def test_an_old_record_with_nothing_but_a_status(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "old", "run")
    (run,) = load(folder)
    assert (run.state, run.seed, run.words, run.last_step, run.seconds) == ("pending", None, (), -1, 0.0)
    assert (run.metrics, run.config, run.gpu_hours, run.sample_steps) == ({}, {}, 0.0, [])
    assert run.problems == ("config.yaml is missing",)


def test_an_old_record_without_status_and_provenance_says_its_seed_in_words(make_run: MakeRun) -> None:
    folder = make_run(seed=5)
    folder.status.unlink()
    folder.provenance.unlink()
    (run,) = load(folder)
    assert (run.state, run.seed, run.last_step) == ("failed", 5, 3)
    assert run.settings.tree["algorithm"] == {"adv_estimator": "grpo"}


@pytest.mark.parametrize("name", ["metrics", "provenance", "overrides", "config"])
@pytest.mark.parametrize("damage", ["garbage", "folder"])
def test_unreadable_files_are_told_and_the_other_runs_loaded(make_run: MakeRun, name: str, damage: str) -> None:
    whole, folder = make_run(seed=1), make_run(seed=2, steps=4)  # one experiment, one configuration
    file: Path = getattr(folder, name)
    file.unlink()
    file.write_bytes(b"\x80{[\n: -\n") if damage == "garbage" else file.mkdir()
    run, other = load(folder, whole)
    assert len(run.problems) == 1
    assert run.problems[0].startswith(file.name)
    assert other.problems == ()
    assert run.settings.tree["algorithm"] == other.settings.tree["algorithm"] == {"adv_estimator": "grpo"}
    assert run.last_step == (-1 if name == "metrics" else 4)


def test_a_torn_last_line_is_no_problem(make_run: MakeRun) -> None:
    folder = make_run(end="failed")
    with folder.metrics.open("ab") as file:
        file.write(b'{"step": 4, "metr')
    (run,) = load(folder)
    assert (run.last_step, run.problems) == (3, ())


def test_the_time_that_a_run_was_down_is_left_out(make_run: MakeRun) -> None:
    folder = make_run(end="done", steps=3)
    stages = [(10, 0), (20, 1), (30, 2), (1000, 0), (1020, 3)]  # killed when step 2 was written, begun again at 1000
    lines = [{"step": step, "time": 1e9 + time, "metrics": {"a": 1}} for step, time in ((1, 29), (2, 40), (3, 1030))]
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    folder.stages.write_text(
        "".join(json.dumps({"time": 1e9 + time, "stage": "generating" if step else "importing verl", "step": step}) + "\n"
                for time, step in stages)
    )  # fmt: skip
    status = load_status(folder.status)
    assert status is not None
    times = {"started": 0, "resumed": 990, "ended": 1040}
    moments = {key: f"2001-09-09T{1 + (46 * 60 + 40 + s) // 3600:02d}:{(46 * 60 + 40 + s) // 60 % 60:02d}:{(40 + s) % 60:02d}+00:00"
               for key, s in times.items()}  # fmt: skip
    save_status(folder.status, replace(status, attempt=2, **moments))
    (run,) = load(folder)
    assert run.times.tolist() == [29, 40, 1030 - 960]
    assert run.seconds == 1040 - 960
    assert run.gpu_hours == pytest.approx(8 * 80 / 3600)
    folder.stages.unlink()  # as in an old record: nothing says when it was down
    assert load(folder)[0].times.tolist() == [29, 40, 1030]


def test_a_cpu_has_no_gpu_hours(make_run: MakeRun) -> None:
    (run,) = load(make_run("device=cpu"))
    assert (run.gpus, run.gpu_hours) == (0, 0.0)


def test_samples_by_example(make_run: MakeRun) -> None:
    folder = make_run()
    rows = [(3, 1.0, 1.0), (3, 0.0, 0.0), (1, 0.5, 1.0), (2, None, None)]
    write_generations(
        folder.generations,
        3,
        [Generation(i, f"in {i}", "out", "4", score, 3, extra={"acc": acc}) for i, score, acc in rows],
    )
    (run,) = load(folder)
    samples = run.samples(3)
    assert run.sample_steps == [3]
    assert run.samples(2) is None
    assert samples is not None
    assert samples.index.tolist() == [3, 3, 1, 2]
    np.testing.assert_equal(samples.score, [1.0, 0.0, 0.5, np.nan])
    examples, means = samples.by_example("correct")
    assert (examples.tolist(), means.tolist()) == ([1, 3], [1.0, 0.5])
    assert run.generations(3)[2].input == "in 1"
    assert run.generations(2) == []


def test_samples_are_read_once_and_the_second_time_from_the_cache(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [make_run(seed=seed) for seed in range(1, 11)]
    for seed, folder in enumerate(folders):
        rows = [Generation(i, f"in {i}", "out", "4", seed / 10, 3, source="ab"[i % 2]) for i in range(4)]
        write_generations(folder.generations, 3, rows)
    first = load(*folders)
    load_samples((run, 3) for run in first)  # in processes
    monkeypatch.setattr("harness.compare.samples.read_generations", pytest.fail)
    again = load(*folders)
    for one, other in zip(first, again, strict=True):
        a, b = one.samples(3), other.samples(3)
        for name in ("index", "score", "correct", "prompt", "source"):
            np.testing.assert_equal(getattr(a, name), getattr(b, name))
        assert a.sources == b.sources == ("a", "b")
        assert other.samples(3) is b
    assert len(set(again[0].samples(3).prompt.tolist())) == 4
    assert again[0].samples(3).of(["b"]).index.tolist() == [1, 3]


def test_a_cache_of_ones_own(make_run: MakeRun, tmp_path: Path, cache: Path) -> None:
    load(make_run(), cache=Cache(tmp_path / "mine"))
    assert len(list((tmp_path / "mine").iterdir())) == 3  # the configuration, metrics, and those seldom looked at
    assert not cache.exists()


def test_values_cannot_be_changed_by_mistake(make_run: MakeRun) -> None:
    folder = make_run(steps=2)
    for _ in range(2):
        (run,) = load(folder)
        with pytest.raises(ValueError, match="read-only"):
            run.metrics[ACC][0] = 7


def test_loading_imports_no_torch_verl_ray_pandas_or_arrow(make_run: MakeRun) -> None:
    folder = make_run()
    code = (
        "import sys; from harness.compare.load import load_runs; from harness.compare.targets import find_targets\n"
        "from harness.compare.groups import group_runs; from harness.compare.metric import default_metric\n"
        f"runs = load_runs(find_targets([{str(folder)!r}]).runs); group_runs(runs); default_metric(runs)\n"
        "print(sorted({'torch', 'verl', 'ray', 'pandas', 'pyarrow', 'wandb', 'scipy', 'hydra'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    shutil.rmtree(folder.path)
