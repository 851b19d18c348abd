"""Lets a process of a run be asked for its Python stack, however it hangs: in C, in a lock, in an endless loop.

`faulthandler` answers a signal from within the interpreter, so that nobody needs the right to trace another process,
which containers and many clusters do not give. The signal is one of the real-time ones: Slurm, Ray, vLLM and users have
their own meanings for the named ones.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from pathlib import Path
from typing import IO

FOLDER = "HARNESS_STACKS"  # variable: where processes of this host put their answers, a file each, named by its number
SIGNAL = signal.SIGRTMIN + 7

_answers: IO[str] | None = None  # kept open: the handler writes to its descriptor


def answer_with_stacks() -> None:
    """Write the stacks of all threads of this process when it is asked; nothing happens where nobody would ask."""
    global _answers
    folder = Path(os.environ.get(FOLDER) or "/nowhere")
    if not folder.is_dir():
        return
    first = _answers is None
    _answers = (folder / str(os.getpid())).open("a")
    faulthandler.register(SIGNAL, file=_answers, all_threads=True)
    if first:
        os.register_at_fork(after_in_child=answer_with_stacks)  # else it would write into its parent's file
