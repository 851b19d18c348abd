"""The direction of imports, and what the commands that do not train may load.

The allowed directions are the contracts under ``[tool.importlinter]`` in pyproject.toml.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "verl", "ray", "transfer_queue", "tensordict", "transformers", "vllm", "sglang"}
TRAINING_ONLY = {"backend", "advantages", "policy_losses"}  # the only packages that may load any of them when imported

# Imports the modules named on its standard input, one after the other, and prints which heavy packages each brought in.
WATCH = f"""
import importlib, json, sys
heavy, brought = {sorted(HEAVY)!r}, {{}}
for name in sys.stdin.read().split():
    before = set(sys.modules)
    importlib.import_module(name)
    new = [package for package in heavy if package in sys.modules and package not in before]
    if new:
        brought[name] = new
print(json.dumps(brought))
"""


def light_modules() -> list[str]:
    """Return every module that `check`, `show`, `list`, `sweep` and `compare` may import."""
    files = sorted((ROOT / "harness").rglob("*.py"))
    parts = [file.relative_to(ROOT).with_suffix("").parts for file in files]
    names = {".".join(part for part in module if part not in ("__init__", "__main__")) for module in parts}
    return sorted(name for name in names if not TRAINING_ONLY & set(name.split(".")[1:2]))


def test_import_contracts_hold() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


def test_importing_what_does_not_train_loads_no_torch_verl_or_ray() -> None:
    names = light_modules()
    assert {"harness", "harness.cli", "harness.config.compose", "harness.records.run_folder"} <= set(names)

    command = [sys.executable, "-c", WATCH]
    result = subprocess.run(command, cwd=ROOT, input="\n".join(names), capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {}
