"""The set-up where there is no compiler: one package is left out, and all but what uses it works."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["gcc", "libc6-dev"]


@pytest.fixture
def setup_env(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    spec = importlib.util.spec_from_file_location("setup_env", ROOT / "scripts/setup_env.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def environment(setup_env: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """One whose packages come from nowhere; the last lock's lines are written down as they are for an installer."""
    for name in ("install_torch", "install_project", "compile", "has_uv", "pip_install"):
        monkeypatch.setattr(setup_env.Environment, name, lambda *_, **__: None)
    monkeypatch.setattr(setup_env.Environment, "create", lambda self: (self.path / SITE).mkdir(parents=True))
    path = tmp_path / "venv"
    (path / "bin").mkdir(parents=True)
    (path / "bin/python").symlink_to(sys.executable)
    return setup_env.Environment(path)


SITE = f"lib/python3.{sys.version_info.minor}/site-packages"


def user(setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch, missing: list[str], may_install: bool) -> None:
    monkeypatch.setattr(setup_env.debian, "missing_compiler", lambda: missing)
    monkeypatch.setattr(setup_env.debian, "may_install", lambda: may_install)


def pinned(environment: object) -> set[str]:
    lines = (environment.path / "requirements.txt").read_text().splitlines()  # type: ignore[attr-defined]
    return {line.partition("==")[0] for line in lines if "==" in line}


def test_without_a_compiler_and_root_pycosat_is_left_out_and_it_is_said(
    setup_env: ModuleType, environment: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    user(setup_env, monkeypatch, PACKAGES, may_install=False)
    setup_env.set_up(environment, setup_env.LOCKS["cpu"])
    said = capsys.readouterr().out
    assert "pycosat is left out: all works but reasoning-gym's zebra_puzzles" in said
    assert "sudo apt-get install gcc libc6-dev, then make setup again" in said
    assert "reasoning-gym" in pinned(environment)
    assert "pycosat" not in pinned(environment)
    setup_env.set_up(environment, setup_env.LOCKS["cpu"])
    assert not capsys.readouterr().out, "a second call does nothing"


def test_once_there_is_a_compiler_the_environment_is_made_whole(
    setup_env: ModuleType, environment: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    user(setup_env, monkeypatch, PACKAGES, may_install=False)
    setup_env.set_up(environment, setup_env.LOCKS["cpu"])
    user(setup_env, monkeypatch, [], may_install=False)
    monkeypatch.setattr(setup_env.Environment, "create", lambda self: None)
    setup_env.set_up(environment, setup_env.LOCKS["cpu"])
    assert "pycosat" in pinned(environment)
    user(setup_env, monkeypatch, PACKAGES, may_install=False)
    capsys.readouterr()
    setup_env.set_up(environment, setup_env.LOCKS["cpu"])
    assert not capsys.readouterr().out, "a whole environment stays whole where the compiler has gone"


def test_the_library_works_without_it_and_zebra_puzzles_say_what_to_install(
    setup_env: ModuleType, tmp_path: Path
) -> None:
    site = tmp_path / SITE
    site.mkdir(parents=True)
    setup_env.Environment(tmp_path).stand_in(PACKAGES)
    script = (
        "from reasoning_gym import create_dataset\n"
        "print(create_dataset('chain_sum', size=1, seed=1)[0]['answer'])\n"
        "try: create_dataset('zebra_puzzles', size=1, seed=1)[0]\n"
        "except RuntimeError as error: print(error)\n"
    )
    variables = os.environ | {"PYTHONPATH": str(site)}
    result = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True)
    answer, told = result.stdout.strip().splitlines()
    assert answer.lstrip("-").isdigit()
    assert "Install one (on Debian or Ubuntu: gcc libc6-dev), then run `make setup` again." in told
