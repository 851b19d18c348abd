"""The built wheel brings everything that runs: the code, the configuration tree, the command and verl's plugin."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Yield the wheel of this tree, built offline with the locked backend."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
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
