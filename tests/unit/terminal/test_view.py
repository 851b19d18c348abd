"""What a person sees: plain lines without control characters, a panel on a terminal, an end that says what to do."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from harness.records.checkpoints import begin, complete
from harness.records.metrics import MetricsWriter, StepRecord
from harness.records.run_folder import RunFolder
from harness.records.state import RunError
from harness.records.status import StatusWriter
from harness.terminal.ending import last_lines, next_commands, program
from harness.terminal.progress import Progress
from harness.terminal.view import TrainingView

ACC = "val-core/sums/acc/mean@1"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return RunFolder.create(tmp_path / "outputs", "demo", "one")


def _step(step: int, reward: float = 0.5, time: float = 0.0, **metrics) -> StepRecord:
    values = {
        "critic/score/mean": reward,
        "response_length/mean": 20.0,
        "actor/entropy": 0.4,
        "timing_s/step": 1.5,
        "perf/total_num_tokens": 300,
        "perf/time_per_step": 1.5,
    }
    return StepRecord(step, time or 10.0 * step, {**values, **metrics})


def _view(folder, terminal: bool = False, total: int = 4, width: int = 100):
    out, errors = io.StringIO(), io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system="truecolor" if terminal else None)
    view = TrainingView(folder, total, console, title="demo", errors=Console(file=errors, width=width))
    return view, out, errors


def test_plain_lines_have_no_control_characters_and_one_line_a_step(folder):
    view, out, _ = _view(folder)
    view.progress.clock = iter(range(1000)).__next__  # a second passes at every look
    with view:
        view.stage("starting Ray")
        view.stage("loading the model")
        view.step(StepRecord(0, 5.0, {ACC: 0.25}))
        view.stage("generating", step=1)
        for step in range(1, 5):
            view.step(_step(step, 0.1 * step, **({ACC: 0.75} if step == 4 else {})))
    text = out.getvalue()
    assert "\x1b" not in text
    assert "\r" not in text
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("step")] == [
        line for line in lines if "reward" in line and "length 20.0" in line
    ]
    assert sum(line.startswith("step ") for line in lines) == 4
    assert all("1.5 s a step  200 tokens/s" in line for line in lines if line.startswith("step "))
    assert "loading the model" in text
    assert "validation before training: 0.250" in text
    assert "validation 0.750" in lines[-1]
    assert "generating" not in text, "stages within a step are not worth a line"


def test_a_record_without_a_count_of_tokens_has_a_line_without_their_rate(folder):
    view, out, _ = _view(folder)
    view.step(StepRecord(1, 1.0, {"critic/score/mean": 0.5}))
    assert "reward 0.500" in out.getvalue()
    assert "tokens/s" not in out.getvalue()


def test_very_fast_steps_share_a_line_but_a_validation_is_never_lost(folder):
    view, out, _ = _view(folder, total=1000)
    for step in range(1, 1001):
        view.step(_step(step, **({ACC: 0.5} if step == 500 else {})))
    steps = [line for line in out.getvalue().splitlines() if line.startswith("step")]
    assert 3 <= len(steps) < 100
    assert any("validation 0.500" in line for line in steps)
    assert steps[-1].startswith("step 1000/1000")


def test_on_a_terminal_finished_stages_stay_and_the_panel_shows_the_run(folder):
    view, out, _ = _view(folder, terminal=True)
    with view:
        view.stage("starting Ray")
        view.stage("loading the model")
        view.step(StepRecord(0, 0.0, {ACC: 0.25}))
        view.stage("generating", step=1)
        for step in (1, 2, 3):
            view.step(_step(step, 0.2 * step, **{"actor/kl_loss": 0.003}, **({ACC: 0.5} if step == 3 else {})))
        shown = Console(width=100, record=True, file=io.StringIO())
        shown.print(view._renderable())
        panel = shown.export_text()
    text = out.getvalue()
    assert text.count("✓") == 2
    assert "\x1b[" in text
    for part in ("step 3/4", "0.600", "0.500", "+0.250", "0.250 at step 0", "20.0 tokens", "entropy 0.400", "KL 0.0030",
                 "1.5 s a step", "200 tokens/s", "10 s left", "generating", "demo"):  # fmt: skip
        assert part in panel, part


@pytest.mark.parametrize("terminal", [True, False])
def test_an_unknown_number_of_steps_is_not_shown_until_it_is_known(folder, terminal):
    view, out, _ = _view(folder, terminal=terminal, total=None)
    with view:
        view.step(_step(1))
        view.step(_step(2, time=400.0))
        shown = Console(width=100, record=True, file=io.StringIO())
        shown.print(view._renderable())
        panel = shown.export_text()
        assert "left" not in out.getvalue() + panel.replace("– left", "")
        assert "step 2 " in panel
        assert "/0" not in out.getvalue() + panel
        view.expect(4)
        shown.print(view._renderable())
        assert "step 2/4" in shown.export_text()


def test_a_dumb_terminal_gets_plain_lines(folder, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = Console(file=io.StringIO(), force_terminal=True)
    assert TrainingView(folder, 4, console).interactive is False


def test_the_terminal_is_given_back_when_the_driver_fails(folder):
    view, out, _ = _view(folder, terminal=True)
    with pytest.raises(KeyboardInterrupt), view:
        view.stage("starting Ray")
        assert out.getvalue().count("\x1b[?25l") == 1, "the cursor is hidden while the view is live"
        raise KeyboardInterrupt
    assert out.getvalue().count("\x1b[?25h") == 1


@pytest.mark.parametrize("width", [40, 100])
def test_the_end_shows_before_and_after_the_places_and_whole_commands(folder, width):
    status = StatusWriter(folder)
    status.running(total_steps=3)
    writer = MetricsWriter(folder.metrics)
    writer.write(0, {ACC: 0.25})
    for step in (1, 2, 3):
        writer.write(step, {**_step(step, 0.1 * step).metrics, **({ACC: 0.75} if step == 3 else {})})
    folder.log.write_text("x")
    folder.overrides.write_text("[experiment=a, seed=1]")
    begin(folder.checkpoints / "global_step_3")
    complete(folder.checkpoints / "global_step_3")
    status.done()
    view, out, errors = _view(folder, width=width)
    view.finish()
    text = out.getvalue()
    for part in ("done: 3 steps", "0.250", "0.750", "+0.500"):
        assert part in text, part
    for command in (
        "train experiment=a seed=2",
        "train experiment=a seed=1 algorithm=ppo",
        "evaluate outputs/demo/one",
    ):
        assert f"    harness {command}\n" in text, "whole, to be copied, however narrow the terminal"
    assert "report.html" not in text, "a file that is not there is not named"
    assert errors.getvalue() == ""


def test_a_failure_tells_the_cause_first_then_what_to_do_stage_and_log(folder):
    folder.log.write_bytes(b"\x1b[31mred\x1b[0m line\rprogress 99%\n\x07the last line\n")
    view, out, errors = _view(folder)
    view.stage("loading the model")
    view.fail(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."))
    lines = [line for line in errors.getvalue().splitlines() if line.strip()]
    assert lines[0] == "✗ the GPU ran out of memory (tried to allocate 2.00 GiB)"
    assert lines[1].startswith("  → lower")
    text = errors.getvalue()
    assert "loading the model" in text
    assert "train.log" in text
    assert "│ the last line" in text
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "Traceback" not in text
    assert "GPU" not in out.getvalue(), "errors go to standard error"


def test_a_configuration_error_is_not_followed_by_the_log(folder):
    folder.log.write_text("noise\n")
    view, _, errors = _view(folder)
    view.fail(RunError("ConfigurationError", "data.train_files: no such file", "name one"))
    assert "noise" not in errors.getvalue()


def test_markup_in_messages_and_stages_is_shown_not_obeyed(folder):
    view, out, errors = _view(folder)
    view.stage("loading [bold]x[/bold]")
    view.fail(RunError("ValueError", "bad [red]value[/red] [/]", log=str(folder.log)))
    assert "loading [bold]x[/bold]" in out.getvalue()
    assert "bad [red]value[/red] [/]" in errors.getvalue()


def test_the_end_of_a_large_log_is_read_from_its_end(tmp_path):
    log = tmp_path / "train.log"
    log.write_text("".join(f"line {n}\n" for n in range(100_000)))
    assert last_lines(log, 2) == ["line 99998", "line 99999"]
    assert last_lines(tmp_path / "none") == []


def test_the_remaining_time_follows_the_recent_pace_validations_included():
    progress = Progress(total_steps=10, clock=lambda: 0.0)
    assert progress.remaining is None
    progress.add(_step(1, time=100.0))
    assert progress.remaining == pytest.approx(9 * 1.5), "from the step's own time at first"
    progress.add(_step(2, time=104.0))
    progress.add(_step(3, time=108.0))
    assert progress.remaining == pytest.approx(7 * 4.0)


def test_a_resumed_view_counts_from_its_first_record():
    progress = Progress(total_steps=10, clock=lambda: 0.0)
    progress.add(_step(8, time=100.0))
    progress.add(_step(9, time=105.0))
    assert progress.remaining == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        (["experiment=a"], ["train experiment=a seed=2", "train experiment=a algorithm=ppo"]),
        (
            ["experiment=a", "algorithm=ppo", "seed=4", "plugins=[mine]"],
            [
                "train experiment=a algorithm=ppo 'plugins=[mine]' seed=5",
                "train experiment=a seed=4 'plugins=[mine]' algorithm=grpo",
                "evaluate outputs/demo/one 'plugins=[mine]'",
            ],
        ),
        (["algorithm=grpo"], []),  # a script's or a file's run: the words alone do not make it again
    ],
)
def test_what_to_try_next_is_neither_the_same_nor_impossible(folder, words, commands):
    folder.overrides.write_text(json.dumps(words))
    if "plugins=[mine]" in words:
        begin(folder.checkpoints / "global_step_3")
        complete(folder.checkpoints / "global_step_3")
    assert next_commands(folder) == [f"{program()} {command}" for command in commands]


def test_what_is_not_the_only_run_of_its_name_can_be_compared(folder):
    StatusWriter(folder).pending()
    assert next_commands(folder) == []
    StatusWriter(RunFolder.create(folder.path.parent.parent, folder.path.parent.name, "two")).pending()
    assert next_commands(folder) == [f"{program()} compare outputs/demo"]


def test_a_validation_alone_shows_what_was_measured(folder):
    status = StatusWriter(folder)
    status.running(total_steps=3)
    MetricsWriter(folder.metrics).write(3, {ACC: 0.75})
    status.done()
    view, out, _ = _view(folder)
    view.finish()
    assert "✓ validated in" in out.getvalue()
    assert "0.750" in out.getvalue()
    assert "before" not in out.getvalue()
