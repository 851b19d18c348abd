"""Failures that are common and whose own words help nobody, each with a plain sentence and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ACTOR_CLASS = re.compile(r"class_name:\s*(?P<name>\S+)")
#: Ray lists these under every sudden death, whatever it was.
_BOILERPLATE = re.compile(r"Some common causes include:.*?(?:unexpected error\.|$)", re.DOTALL)


@dataclass(frozen=True)
class _Cause:
    """A known failure.

    Args:
        pattern: What is found in the exception or its traceback.
        message: The sentence; ``{detail}`` is the pattern's group of that name, ``{worker}`` the process that died.
        remedy: What to do.
    """

    pattern: re.Pattern[str]
    message: str
    remedy: str


_SMALLER = (
    "lower actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu, data.max_response_length or "
    "actor_rollout_ref.rollout.gpu_memory_utilization, or set "
    "actor_rollout_ref.model.enable_gradient_checkpointing=true"
)
_LESS_HOST_MEMORY = (
    "use a smaller model, data.train_batch_size or data.max_response_length, or fewer workers "
    "(trainer.n_gpus_per_node), or a machine with more memory"
)
_CAUSES = (
    _Cause(
        re.compile(r"(?:CUDA|HIP) out of memory\.?\s*(?P<detail>Tried to allocate [\d.]+ \w+)?"),
        "the GPU ran out of memory{detail}",
        _SMALLER,
    ),
    _Cause(
        re.compile(r"No available memory for the cache blocks|larger than the maximum number of tokens that can be st"),
        "vLLM has no GPU memory left for its KV cache",
        "raise actor_rollout_ref.rollout.gpu_memory_utilization or lower actor_rollout_ref.rollout.max_model_len",
    ),
    _Cause(
        re.compile(r"Task was killed due to the node running low on memory|ray\.exceptions\.OutOfMemoryError"),
        "{worker} was stopped by Ray because the machine ran low on memory",
        _LESS_HOST_MEMORY,
    ),
    _Cause(
        re.compile(r"can't allocate memory: you tried to allocate (?P<detail>\d+) bytes|Cannot allocate memory"),
        "the machine ran out of memory",
        _LESS_HOST_MEMORY,
    ),
    _Cause(
        re.compile(r"No space left on device"),
        "a disk is full: no space left on device",
        "free some space where the run folder and the temporary folder (TMPDIR, /dev/shm) lie",
    ),
    _Cause(
        re.compile(r"(?:exit code -11\b|exit code 139\b|SIGSEGV|Segmentation fault)"),
        "{worker} crashed with a segmentation fault in native code",
        "look in the log for the last native call; versions of torch, vllm and the driver that do not match are common",
    ),
    _Cause(
        re.compile(r"SIGKILL|killed by the (?:OOM|out)|exit code (?:-9|137)\b"),
        "{worker} was killed from outside, most often by the operating system because memory ran out",
        f"look at the machine's memory (dmesg names the process that was killed); {_LESS_HOST_MEMORY}",
    ),
    _Cause(
        re.compile(r"connection error code 2\. End of file|worker died unexpectedly"),
        "{worker} died suddenly and without an error of its own: killed, most often because memory ran out, crashed, "
        "or ended by os._exit",
        f"look at the end of the log and at the machine's memory (dmesg names a process that was killed); "
        f"{_LESS_HOST_MEMORY}",
    ),
    _Cause(
        re.compile(r"We couldn't connect to|LocalEntryNotFoundError|offline mode is enabled|Failed to resolve 'hugg"),
        "a model or data set is not on this machine and its hub cannot be reached",
        "give the path of a local copy (actor_rollout_ref.model.path, data.train_files), or connect to the network",
    ),
    _Cause(
        re.compile(r"(?P<detail>Total available GPUs [\d.]+ is less than total desired GPUs \d+)"),
        "the run asks for more devices than there are{detail}",
        "lower trainer.n_gpus_per_node or trainer.nnodes",
    ),
    _Cause(
        re.compile(
            r"[Nn]ode (?:it|they) (?:was|were) running on|node (?:was|has been) (?:dead|marked dead|terminated)"
        ),
        "a machine of the run went down and took {worker} with it",
        "continue the run with --resume once the machine is back",
    ),
)
#: An exception of its own explains itself better than a sign of violence somewhere else in the text.
_NEEDS_NO_OTHER_ERROR = ("killed from outside", "died suddenly", "went down", "segmentation fault")


def explain(name: str, text: str) -> tuple[str, str] | None:
    """The sentence and the remedy for a known failure, or None.

    Args:
        name: The class of the original exception; empty where none was found.
        text: The exception with its traceback.
    """
    text = _BOILERPLATE.sub("", text)
    for cause in _CAUSES:
        match = cause.pattern.search(text)
        if match and not (name and any(words in cause.message for words in _NEEDS_NO_OTHER_ERROR)):
            detail = match.groupdict().get("detail") or ""
            shown = f" ({detail[0].lower()}{detail[1:]})" if detail else ""
            return cause.message.format(detail=shown, worker=_worker(text)), cause.remedy
    return None


def _worker(text: str) -> str:
    match = _ACTOR_CLASS.search(text)
    return f"the worker process {match['name'].rpartition('.')[2]}" if match else "a worker process"
