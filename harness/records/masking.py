"""Keeps passwords and tokens out of records: which keys and values are secret, and what stands in their place."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MASK = "***"

#: Only variables whose names begin so are recorded, and of these none that is secret by its name or value.
RECORDED_VARIABLES = (
    "CUDA_", "HARNESS_", "HIP_", "MASTER_", "MKL_", "NCCL_", "NVIDIA_VISIBLE", "OMP_", "PYTORCH_", "RAY_",
    "ROCR_", "SLURM_", "TOKENIZERS_PARALLELISM", "TORCH_", "VERL_", "VLLM_", "WANDB_MODE", "WANDB_PROJECT",
    "HF_HUB_OFFLINE", "HF_HOME", "PYTHONHASHSEED",
)  # fmt: skip
#: Files that usually hold credentials: never copied into a record, wherever they lie.
SECRET_FILES = (
    ".env", ".env.*", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "id_rsa*", "id_ed25519*", "id_ecdsa*",
    ".netrc", ".pypirc", ".npmrc", "*credentials*", "*secrets.y*ml", "*secrets.json", "*.token",
)  # fmt: skip

_SECRET_LAST_WORD = re.compile("token|password|passwd|passphrase|secret|credentials?|apikey|pat")
_SECRET_KEY_KIND = re.compile("api|access|private|secret|account|auth|signing|encryption")
_VOCABULARY = re.compile("eos|bos|pad|unk|sep|cls|mask|image|video|audio|stop|start|end|per")  # eos_token is no secret
_SECRET_VALUE = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
    r"|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,})"
)
_SECRET_BYTES = re.compile(_SECRET_VALUE.pattern.encode())
_LOGIN_IN_URL = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
_KEY = re.compile(r"(?P<key>[\w.@/-]+)(?P<quote>[\"']?)(?P<separator>\s*[=:]\s*)(?!/)")
_VALUE = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s,}\])]+")


def is_secret_key(key: str) -> bool:
    """Whether a configuration key or variable holds a secret by its name.

    ``HF_TOKEN``, ``tracking.api_key`` and ``--password`` do; ``max_tokens``, ``eos_token``, ``tokenizer`` and
    ``data.prompt_key`` do not.
    """
    words = [word for word in re.split(r"[^a-z0-9]+", key.lower().split(".")[-1]) if word]
    if not words:
        return False
    before = words[-2] if len(words) > 1 else ""
    if words[-1] == "key":
        return bool(_SECRET_KEY_KIND.fullmatch(before))
    return bool(_SECRET_LAST_WORD.fullmatch(words[-1])) and not _VOCABULARY.fullmatch(before)


def mask_text(text: str) -> str:
    """``text`` with the values of secret keys, well-known token formats and log-ins in addresses masked.

    Understands ``key=value`` and ``{key: value}``, nested as in Hydra's overrides.
    """
    masked, position = [], 0
    while match := _KEY.search(text, position):
        masked.append(text[position : match.end()])
        position = match.end()
        value = _VALUE.match(text, position)
        if value and is_secret_key(match["key"]):
            masked.append(MASK)
            position = value.end()
    masked.append(text[position:])
    return _LOGIN_IN_URL.sub(MASK, _SECRET_VALUE.sub(MASK, "".join(masked)))


def mask_added_lines(patch: bytes) -> bytes:
    """A patch in which no added line holds a well-known token; it still applies."""
    lines = patch.split(b"\n")
    return b"\n".join(_SECRET_BYTES.sub(MASK.encode(), line) if line.startswith(b"+") else line for line in lines)


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """The words of a command line, masked; ``--token VALUE`` in two words is understood too."""
    masked: list[str] = []
    for position, argument in enumerate(arguments):
        flag = arguments[position - 1] if position else ""
        is_value = flag.startswith("--") and "=" not in flag and is_secret_key(flag)
        masked.append(MASK if is_value else mask_text(argument))
    return masked


def recorded_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that matter to a run, by an allow-list of prefixes, secrets left out altogether."""
    return {
        name: mask_text(value)
        for name, value in sorted(environment.items())
        if name.startswith(RECORDED_VARIABLES) and not is_secret_key(name)
    }


def is_secret_file(name: str) -> bool:
    """Whether a file of this name usually holds credentials."""
    return any(fnmatch.fnmatchcase(name.lower(), pattern) for pattern in SECRET_FILES)
