"""The parts of `make gpu-check`: what they start, what they make of it, and what becomes of one that fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gpu_check
import pytest
from gpu_checks.check import Check
from gpu_checks.figures import figures
from gpu_checks.kernels import errors
from gpu_checks.parts import ON_REQUEST, PARTS, take
from gpu_checks.record import parts_of, save, this_machine
from gpu_checks.table import ROWS, gpu_table
from gpu_checks.trainings import resume, several
from processes import Deadline, TimeOver

from harness.check.find import find_problems
from harness.config.compose import compose_config
from harness.records.metrics import MetricsWriter
from harness.records.run_folder import RunFolder
from harness.records.status import StatusWriter

STEPS = 6


def check(*words: str, **settings: Any) -> Check:
    """A check with all the time it may want."""
    return Check(words=words, device="cuda", deadline=Deadline(), **settings)


@pytest.mark.parametrize("gpus", [1, 2, 4, 8])
@pytest.mark.parametrize("user", [False, True])
def test_every_training_passes_the_check_with_any_number_of_gpus(
    gpus: int, user: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = check("experiment=quickstart", "device=cuda", *([f"cluster.gpus_per_node={gpus}"] if user else []))
    words = mine.training(mine.steps, f"trainer.save_freq={mine.save_every}", gpus=1 if user else gpus)
    config = compose_config(words)
    assert config.trainer.n_gpus_per_node == gpus
    assert [str(problem) for problem in find_problems(config, words) if not problem.warning] == []


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that is done: it learns, and its steps take 100 s before the fourth."""
    folder = RunFolder.create(tmp_path, "gpu_check")
    status, metrics = StatusWriter(folder), MetricsWriter(folder.metrics)
    status.running(STEPS)
    for step in range(STEPS + 1):
        held_out = {"val-core/a/acc/mean@1": step / 10, "val-core/b/acc/mean@1": step / 10 + 0.2}
        metrics.write(step, {"timing_s/step": step if step > 3 else 100.0} | (held_out if step % 3 == 0 else {}))
    status.done()
    return folder


def test_figures_are_of_the_steps_after_warming_up_and_no_figure_is_no_zero(run: RunFolder) -> None:
    found = figures(run, least_rise=0.5, after=3)
    assert found["accuracy"] == pytest.approx({"0": 0.1, "3": 0.4, "6": 0.7})
    assert found["seconds of a step"]["step"] == 5
    assert found["seconds of a step"]["gen"] is None
    assert found["GPU memory, GiB"] is None


def test_a_run_that_has_not_learned_enough_has_no_figures(run: RunFolder) -> None:
    with pytest.raises(RuntimeError, match=r"rose by 0\.60, and not by 0\.70"):
        figures(run, least_rise=0.7, after=3)


def test_a_run_that_is_not_done_has_no_figures(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "gpu_check")
    StatusWriter(folder).cancelled()
    with pytest.raises(RuntimeError, match="the run is cancelled, with 0 validations"):
        figures(folder, least_rise=0.2, after=3)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RuntimeError("no card"), {"failed": "RuntimeError: no card"}),
        (SystemExit("bare verl failed"), {"failed": "SystemExit: bare verl failed"}),
        (TimeOver(), {"ended": "time was over after 0 s of it"}),
    ],
)
def test_a_part_that_fails_is_on_record(error: BaseException, outcome: dict[str, str]) -> None:
    def part(check: Check) -> dict[str, Any]:
        raise error

    assert {**take(part, check()), "took, s": 0} == outcome | {"took, s": 0}


def test_a_part_after_the_deadline_is_not_run() -> None:
    late = Check(words=(), device="cuda", deadline=Deadline(0))
    assert take(resume, late)["not run"] == "time was over"


def test_parts_that_cannot_be_tried_say_why() -> None:
    assert several(check()) == {"not run": "one GPU"}
    assert resume(check(parts={"learn": {"failed": "exit 2"}})) == {"not run": "there is no run that learn has left"}


@pytest.mark.parametrize("steps", range(4, 40))
def test_learn_is_killed_between_two_checkpoints(steps: int) -> None:
    mine = check(steps=steps)
    assert mine.save_every < mine.kill_after < steps
    assert mine.save_every == 1 or mine.kill_after % mine.save_every


def test_what_has_not_been_tried_is_unproven() -> None:
    rows = gpu_table({"parts": {}}).splitlines()[2:]
    assert len(rows) > len(ROWS)
    assert all("| unproven: " in row for row in rows)
    assert list(ROWS) == [*PARTS, *ON_REQUEST]


def test_the_table_tells_a_failure_in_one_row() -> None:
    parts = {
        "resume": {"failed": "RuntimeError: exit 1:\n| the end of a log |"},
        "bare": {"failed": "x" * 5000},
        "vllm": {"ended": "time was over after 30 s of it"},
        "attention": {"error of output": 0.001, "largest error of gradients": 0.002},
    }
    rows = {row.split(" | ")[0]: row for row in gpu_table({"parts": parts}).splitlines()}
    assert rows["| resume"] == r"| resume | failed: RuntimeError: exit 1: \| the end of a log \| |"
    assert len(rows["| bare verl beside it"]) < 250
    assert rows["| `rollout=vllm`"] == "| `rollout=vllm` | unproven: time was over after 30 s of it |"
    assert rows["| packed attention"] == "| packed attention | relative error 0.0010, of gradients 0.0020 |"


def test_the_table_of_a_training(run: RunFolder) -> None:
    seen = {"GPUs": 4, "ratio of a step": 0.5, **figures(run, 0.5, after=3)}
    rows = gpu_table({"parts": {"several": seen}})
    assert "| several GPUs | held out on 4 GPUs: 0.10 at step 0, 0.40 at step 3, 0.70 at step 6 |" in rows
    assert "step 5.00; 0.50 × one GPU's |" in rows
    assert "| several GPUs: MFU of the update | – |" in rows


def test_parts_of_another_machine_are_left_out(tmp_path: Path) -> None:
    path, machine = tmp_path / "new" / "gpu_check.json", this_machine("cpu")
    assert machine["GPUs"] == []
    save(path, machine, "make gpu-check", {"learn": {"run": "outputs/a"}})
    assert parts_of(path, machine | {"date": "2030-01-01"}) == {"learn": {"run": "outputs/a"}}
    assert parts_of(path, machine | {"GPUs": ["NVIDIA H100"]}) == {}
    assert parts_of(tmp_path / "none.json", machine) == {}


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call the command in a folder of its own on a machine without a GPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_DEVICE", "cpu")

    def main(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["gpu_check.py", *words])
        return gpu_check.main()

    return main


def test_without_a_gpu_it_says_so(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--only", "doctor") == 2
    assert "no CUDA GPU is visible" in capsys.readouterr().err
    assert call("device=cpu", "--only", "doctor", "--commit") == 2, "no figures of a processor in the GPU's record"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minute", "3"], "there is no --minute"),
        (["--steps", "3"], "--steps 3: at least 4"),
        (["--minutes", "0.1"], "--minutes 0.1: more than 15 seconds"),
    ],
)
def test_flags_that_cannot_be(call: Any, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        call(*words)
    assert refused.value.code == 2
    assert message in capsys.readouterr().err


def test_an_override_that_cannot_be_composed(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("device=cpu", "rollout=nothing") == 2
    assert "rollout has no option 'nothing'" in capsys.readouterr().err


def test_some_parts_and_the_table(call: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "outputs" / "gpu_check.json"
    assert call("device=cpu", "--only", "resume", "doctor") == 0
    record = json.loads(results.read_text())
    assert isinstance(record["parts"]["doctor"]["nothing to mend"], bool)
    assert record["parts"]["resume"]["not run"] == "there is no run that learn has left"
    assert record["command"] == "python benchmarks/gpu_check.py device=cpu --only resume doctor"
    assert "| resume | unproven: there is no run that learn has left |" in capfd.readouterr().out
    assert call("device=cpu", "--only", "several") == 0
    assert set(json.loads(results.read_text())["parts"]) == {"doctor", "resume", "several"}


def test_the_kernels_errors_on_a_processor() -> None:
    found = errors("cpu")
    assert len(found) == 4
    assert 0 < max(found) < 0.02
