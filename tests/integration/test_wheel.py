"""The built wheel brings everything that runs: the code, the configuration tree, the command and verl's plugin."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this tree, offline, with the locked backend."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(wheel_file: Path) -> Iterator[zipfile.ZipFile]:
    """Open it."""
    with zipfile.ZipFile(wheel_file) as archive:
        yield archive


def tracked(folder: str, pattern: str) -> set[str]:
    """Return the files of a folder of the checkout, without caches."""
    files = (ROOT / folder).rglob(pattern)
    return {file.relative_to(ROOT).as_posix() for file in files if "__pycache__" not in file.parts}


def test_the_code_and_its_types_are_inside(wheel: zipfile.ZipFile) -> None:
    assert tracked("harness", "*.py") | {"harness/py.typed"} <= set(wheel.namelist())


def test_the_configuration_tree_is_inside(wheel: zipfile.ZipFile) -> None:
    shipped = {f"harness/{path}" for path in tracked("conf", "*.yaml")}

    assert shipped
    assert shipped <= set(wheel.namelist())


def test_nothing_else_is_inside(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0] for name in wheel.namelist()} - {"experiments"} == {
        "harness",
        "hydra_plugins",
        next(name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name),
    }


def test_the_command_and_the_plugin_are_announced(wheel: zipfile.ZipFile) -> None:
    (announced,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    entry_points = configparser.ConfigParser()
    entry_points.read_string(wheel.read(announced).decode())

    assert entry_points["console_scripts"]["harness"] == "harness.cli:main"
    assert entry_points["verl.plugins"]["harness"] == "harness.backend.plugin"


def test_the_licence_is_inside(wheel: zipfile.ZipFile) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


@pytest.fixture(scope="module")
def installed(wheel_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Install it alone into a new environment that borrows this one's libraries; return its command and variables."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel_file]
    subprocess.run(install, check=True)
    # a folder of PYTHONPATH, unlike site-packages itself, has no .pth files read: this checkout stays out
    libraries = sysconfig.get_paths()["purelib"]
    return folder / "bin" / "harness", os.environ | {"PYTHONPATH": libraries}


OWN_EXPERIMENT = """# @package _global_
# My own experiment on the tiny quick start.
defaults:
  - quickstart_tiny
  - override /reward_fn: [reasoning_gym, brevity]
  - _self_
name: mine
trainer: {total_training_steps: 1, test_freq: 1}
data: {train_batch_size: 4, val_max_samples: 8}
actor_rollout_ref:
  rollout: {n: 4}
  actor: {ppo_mini_batch_size: 4, ppo_micro_batch_size_per_gpu: 16}
"""
OWN_REWARD = """# @package reward_fn.brevity
# Short answers are better.
_target_: my_rewards.brevity
weight: 0.1
"""


def test_installed_and_used_from_a_users_own_project(installed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    command, variables = installed
    for path, text in (
        ("conf/experiment/mine.yaml", OWN_EXPERIMENT),
        ("conf/reward_fn/brevity.yaml", OWN_REWARD),
        (
            "my_rewards.py",
            "def brevity(input_text, response_text, **kwargs):\n    return 1.0 / (1 + len(response_text))\n",
        ),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    def harness(*words: str) -> str:
        result = subprocess.run(
            [command, *words], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=600, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    where = "import harness; print(harness.__file__)"
    found = subprocess.run(
        [command.parent / "python", "-c", where],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(command.parent.parent) in found.stdout

    listed = harness("list")
    assert "My own experiment on the tiny quick start (yours)" in listed
    assert "quickstart_tiny" in listed
    assert "_target_: my_rewards.brevity" in harness("show", "experiment=mine")
    run = harness("train", "experiment=mine", "trusted_modules=[my_rewards]").strip().splitlines()[-1]
    assert run.startswith("run: outputs/mine/")
    assert (tmp_path / run.removeprefix("run: ") / "report.html").is_file()
