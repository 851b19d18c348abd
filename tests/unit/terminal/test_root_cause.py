"""The root cause is found under whatever Ray wraps around it."""

from __future__ import annotations

import subprocess
import sys
import traceback

import pytest
from ray.exceptions import ActorDiedError, RayTaskError, WorkerCrashedError

from harness.errors import ComponentError, TrainingError
from harness.terminal.root_cause import root_cause

NESTED = """\
\x1b[36mray::TaskRunner.run()\x1b[39m (pid=11, ip=10.0.0.1, actor_id=ab, repr=<harness.Runner at 0x7f>)
  File "/env/lib/python3.11/site-packages/verl/trainer/ppo/v1/trainer_base.py", line 567, in _step_once
    batch = self.replay_buffer.sample()
ray.exceptions.RayTaskError(ValueError): \x1b[36mray::RewardLoopWorker.compute_score()\x1b[39m (pid=12, ip=10.0.0.1)
  File "/env/lib/python3.11/site-packages/verl/experimental/reward_loop/reward_loop.py", line 90, in compute_score
    return await self.manager.run_single(data)
  File "/home/ana/project/rewards/sums.py", line 14, in score
    number = float(text)
             ^^^^^^^^^^^
ValueError: could not convert string to float: '12a'
"""
KILLED = """\
The actor died unexpectedly before finishing its task.
\tclass_name: create_colocated_worker_cls.<locals>.WorkerDict
\tactor_id: 1234
\tpid: 77
\tip: 10.0.0.1
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker \
unexpectedly exits with a connection error code 2. End of file. Some common causes include: (1) the process was killed \
by the OOM killer due to high memory usage, (2) ray stop --force was called, or (3) the worker crashed with SIGSEGV \
or another unexpected error.
"""


def _task_error(cause: BaseException, text: str, name: str = "run") -> RayTaskError:
    return RayTaskError(name, text, cause, proctitle=f"ray::{name}", pid=1, ip="10.0.0.1")


def _raised(function) -> BaseException:
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("it did not raise")


def test_the_text_of_nested_ray_errors():
    cause = root_cause(NESTED)
    assert (cause.type, cause.message) == ("ValueError", "ValueError: could not convert string to float: '12a'")
    assert cause.where == "/home/ana/project/rewards/sums.py:14 in score"
    assert cause.sentence.count("\n") == 0


def test_nested_ray_exceptions_as_ray_raises_them():
    inner = _task_error(ValueError("bad number"), NESTED, "score").as_instanceof_cause()
    outer = _task_error(inner, f"Traceback\n{inner}", "run").as_instanceof_cause()
    cause = root_cause(outer)
    assert (cause.type, cause.message) == ("ValueError", "ValueError: bad number")
    assert cause.where.endswith("sums.py:14 in score")


def test_an_actor_that_failed_in_its_constructor():
    cause = root_cause(ActorDiedError(_task_error(ValueError("bad"), NESTED, "__init__")))
    assert cause.type == "ValueError"
    assert "could not convert" in cause.message


def _died() -> ActorDiedError:
    error = ActorDiedError()
    error.error_msg = KILLED
    return error


@pytest.mark.parametrize("failure", [KILLED, _died(), _task_error(_died(), KILLED)], ids=["text", "died", "nested"])
def test_an_actor_that_died_suddenly(failure):
    cause = root_cause(failure)
    assert cause.message.startswith("the worker process WorkerDict died suddenly")
    assert "memory" in cause.remedy
    assert "ActorDiedError" not in cause.sentence
    assert "SIGSEGV" not in cause.sentence, "Ray's list of common causes is no finding"
    assert cause.where == ""


def test_a_process_that_was_killed_by_a_signal():
    cause = root_cause("The process exited with exit code -9")
    assert "was killed from outside" in cause.message


def test_a_worker_that_crashed_without_a_word_is_no_traceback():
    cause = root_cause(WorkerCrashedError())
    assert "a worker process died suddenly" in cause.message


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0",
         "GPU ran out of memory (tried to allocate 2.00 GiB)", "ppo_micro_batch_size_per_gpu"),
        ("ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.",
         "the machine ran low on memory", "smaller model"),
        ("OSError: [Errno 28] No space left on device: '/x'", "disk is full", "TMPDIR"),
        ("Worker exit detail: process received SIGSEGV", "segmentation fault", "versions"),
        ("OSError: We couldn't connect to 'https://hub' to load the files", "hub cannot be reached", "local copy"),
        ("ValueError: Total available GPUs 1 is less than total desired GPUs 8",
         "total desired GPUs 8", "trainer.n_gpus_per_node"),
        ("ValueError: No available memory for the cache blocks.", "KV cache", "gpu_memory_utilization"),
    ],
)  # fmt: skip
def test_known_causes_are_told_in_plain_words(text, message, remedy):
    cause = root_cause(text)
    assert message in cause.message
    assert remedy in cause.remedy


def test_an_error_of_the_harness_keeps_its_words_and_remedy():
    error = ComponentError("reward_fn.mine: no module 'x'", "install x")
    for failure in (error, _task_error(error, "x"), _task_error(error, "x").as_instanceof_cause()):
        cause = root_cause(failure)
        assert (cause.type, cause.message, cause.remedy) == ("ComponentError", error.message, error.remedy)
    text = f"ray::run()\n{''.join(traceback.format_exception(error))}\nActorDiedError: gone"
    assert (root_cause(text).message, root_cause(text).remedy) == (error.message, error.remedy)


def test_a_training_error_is_taken_at_its_word():
    error = TrainingError("the reward function failed", "mend it", stage="reward")
    assert (root_cause(error).message, root_cause(error).remedy) == ("the reward function failed", "mend it")


def test_the_direct_cause_wins_and_a_mere_context_does_not():
    def direct():
        try:
            int("x")
        except ValueError as error:
            raise RuntimeError("the step failed") from error

    def context():
        try:
            int("x")
        except ValueError:
            raise LookupError("no reward of that name") from None

    for function, name in ((direct, "ValueError"), (context, "LookupError")):
        error = _raised(function)
        assert root_cause(error).type == name
        assert root_cause("".join(traceback.format_exception(error))).type == name


def test_the_frame_is_the_users_own_not_a_librarys():
    def user():
        subprocess.run(["false"], check=True)

    cause = root_cause(_raised(user))
    assert "test_root_cause.py" in cause.where
    assert cause.where.endswith("in user")


def test_a_key_error_says_what_it_is():
    assert root_cause(_raised(lambda: {}["data_source"])).message == "KeyError: there is no 'data_source'"


def test_log_prefixes_and_several_lines_of_message():
    lines = ("Traceback (most recent call last):", "RuntimeError: first", "second", "")
    text = "\n".join(f"(TaskRunner pid=9) {line}" for line in lines)
    assert root_cause(text).message == "RuntimeError: first\nsecond"


@pytest.mark.parametrize("text", ["", "\n", "exit code 1", "Traceback (most recent call last):\n"])
def test_a_text_without_an_exception_still_gives_a_cause(text):
    cause = root_cause(text)
    assert cause.type
    assert cause.message


def test_an_exception_group_gives_its_first_member():
    assert root_cause(ExceptionGroup("several", [ValueError("a"), TypeError("b")])).message == "ValueError: a"


def test_it_becomes_the_record_of_the_status():
    error = root_cause(NESTED).as_run_error("reward", "train.log")
    assert (error.type, error.stage, error.log) == ("ValueError", "reward", "train.log")
    assert "sums.py:14" in error.message


def test_ray_is_not_imported():
    program = "import sys, harness.terminal.view\nprint(sorted({'ray', 'torch', 'verl'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
