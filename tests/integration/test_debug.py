"""cluster=debug: a breakpoint in code that trains, in a worker of Ray's, stops there and answers."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

from runs import SHORT, command, environment

STOPS = """
from harness.advantages.grpo import grpo


def stopping(token_level_rewards, response_mask, index):
    breakpoint()
    return grpo(token_level_rewards, response_mask, index)
"""
MINE = ("trusted_modules=[stops]", "advantage_fn=custom", "advantage_fn.module=stops", "advantage_fn.function=stopping")


def asked(port: int) -> str:
    """What the debugger says to one question, before it lets the training go on."""
    with socket.create_connection(("localhost", port), timeout=60) as connection, connection.makefile("rw") as debugger:
        debugger.write("p response_mask.shape[0]\nc\n")
        debugger.flush()
        return debugger.read()


def test_a_breakpoint_in_a_worker(tmp_path: Path) -> None:
    (tmp_path / "stops.py").write_text(STOPS)
    words = [*SHORT, *MINE, "trainer.total_training_steps=1", "cluster=debug"]
    training = subprocess.Popen(
        command("train", *words), cwd=tmp_path, env=environment(), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert training.stdout
    shown: list[str] = []
    answers = []
    for line in training.stdout:
        shown.append(line)
        if found := re.search(r"session open at localhost:(\d+)", line):
            answers.append(asked(int(found[1])))
    assert training.wait() == 0, "".join(shown)
    assert shown[-1].startswith("run: ")
    assert len(answers) == 1
    assert "> " in answers[0]
    assert "(Pdb) 32\n" in answers[0]
    log = (tmp_path / shown[-1].removeprefix("run: ").strip() / "train.log").read_text()
    assert "session open at localhost" in log
