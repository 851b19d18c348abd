"""The script for bash, in a bash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.completion.shells import SCRIPTS, script
from harness.errors import ConfigurationError


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("harness sweep st", ["status "]),
        ("harness train -m algorithm=grpo,dp", ["grpo,dppo "]),  # readline's word begins behind the =
        ("harness compare nothing_of_ours", []),
    ],
)
def test_bash_gets_what_its_word_may_become(line: str, offered: list[str]) -> None:
    lines = [
        SCRIPTS["bash"],
        f"COMP_LINE='{line} and what stands behind'; COMP_POINT={len(line)}",
        '_harness; printf "%s\\n" "${COMPREPLY[@]}"',
    ]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = subprocess.run(
        ["bash", "-c", "\n".join(lines)], env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True
    )
    assert [word for word in said.stdout.split("\n") if word] == offered


def test_another_shell_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Allowed: bash, zsh"):
        script("fish")
