"""A training with verl's vLLM rollout on a CPU that is killed and resumed, and what can be seen of it from outside."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from runs import START_SECONDS, Finished, command, environment, start

from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder

HERE = Path(__file__).parent
STEPS, KILLED_AT = 4, 2
END_SECONDS = 60.0
ROLLOUT, ACTOR = "actor_rollout_ref.rollout", "actor_rollout_ref.actor"
OVERRIDES = (
    "rollout=vllm",
    f"trainer.total_training_steps={STEPS}",
    "trainer.save_freq=1",
    "trainer.test_freq=1",
    # every update changes the policy, also one of groups that all agree
    f"{ACTOR}.optim.lr=2e-3",
    f"{ACTOR}.entropy_coeff=0.01",
    f"{ACTOR}.checkpoint.save_contents=[model,optimizer,extra,hf_model]",
    f"{ROLLOUT}.temperature=0.7",
    # greedy, if top_k is honoured
    f"{ROLLOUT}.val_kwargs.temperature=1.0",
    f"{ROLLOUT}.val_kwargs.top_k=1",
    f"{ROLLOUT}.max_model_len=128",
    f"+{ROLLOUT}.engine_kwargs.vllm.block_size=32",
    f"{ROLLOUT}.agent.agent_loop_config_path=agents.yaml",
    f"{ROLLOUT}.agent.default_agent_loop=asking",
)


@dataclass
class Training:
    """What has been seen of a training from outside.

    Attributes:
        run: Its record.
        processes: All it has started, the resumed part included.
        titles: Command lines of those, as they were at any time, by how the part ended that started them.
        left: Those, and files outside its record, that were still there some time after an end, by how it ended.
        resumed: The resumption, which went on to the end.
    """

    run: RunFolder
    processes: set[psutil.Process] = field(default_factory=set)
    titles: dict[str, set[str]] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    resumed: Finished | None = None


def killed_and_resumed(project: Path, temporary: Path) -> Training:
    """Train in a project's folder with temporary files in another one, and wait for the end."""
    shutil.copy(HERE / "asking_agent.py", project)
    (project / "agents.yaml").write_text("- {name: asking, _target_: asking_agent.AskingAgentLoop}\n")
    process, run = start(project, *OVERRIDES)
    seen = Training(run)
    _watch(seen, process, "killed", until=lambda: any(each.step == KILLED_AT for each in read_metrics(run.metrics)))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    seen.left["killed"] = _left(seen, temporary)
    again = subprocess.Popen(
        command("train", "--resume", str(run.path)),
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _watch(seen, again, "done", until=lambda: False)
    out, err = again.communicate()
    seen.resumed = Finished(again.returncode, out, err, project)
    seen.left["done"] = _left(seen, temporary)
    return seen


def _watch(seen: Training, process: subprocess.Popen, end: str, until: Callable[[], bool]) -> None:
    """Note what it starts, until then or until it ends."""
    deadline, titles = time.monotonic() + START_SECONDS, seen.titles.setdefault(end, set())
    while process.poll() is None and not until():
        for child in psutil.Process(process.pid).children(recursive=True):
            seen.processes.add(child)
            with contextlib.suppress(psutil.Error):  # it has ended since
                titles.add(" ".join(child.cmdline()))  # vLLM's engine gives itself a title once it runs
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError(process.communicate()[1] + seen.run.log.read_text()[-3000:])
        time.sleep(0.2)


def _left(seen: Training, temporary: Path) -> list[str]:
    _, alive = psutil.wait_procs(seen.processes, timeout=END_SECONDS)
    processes = [str(process) for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    return processes + [
        str(path)
        for folder, pattern in ((temporary, "*"), (Path("/dev/shm"), "verl_weights_*"), (Path("/tmp"), "rl-colocate-*"))
        for path in folder.glob(pattern)
        if not path.name.startswith(("ckpt_", "torchinductor_"))  # verl's locks, torch's cache
    ]
