"""verl's own schema, read from its source: types of its dataclasses, and the names it registers.

Importing verl takes seven seconds and torch; parsing these files takes a fraction of one. The result is kept in the
user's cache under verl's version.
"""

from __future__ import annotations

import ast
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from harness.config.cache_folder import cache_root
from harness.records.atomic import write_text

FORM = 1  # of the cached file; raise it when what is read changes
CLASSES = ("workers/config", "trainer/config", "utils/profiler/config.py", "utils/skip", "base_config.py")
GETS = re.compile(r"""\.get\(\s*["'](\w+)["']""")  # keys that are read although no YAML of verl's has them
PLAIN = {"int": "int", "float": "float", "bool": "bool", "str": "str", "list": "list", "List": "list",
         "tuple": "list", "Sequence": "list", "dict": "dict", "Dict": "dict", "DictConfig": "dict"}  # fmt: skip


@dataclass
class Schema:
    """What verl takes.

    Attributes:
        classes: Dataclass → field → the types it takes: int, float, bool, str, list, dict, none, any, or ``=value``.
        names: What is registered, by what it is: estimators, policy losses, reward managers, …
        seconds: What reading it took; 0 where it came from the cache.
    """

    classes: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0


@cache
def verl_schema() -> Schema:
    """The installed verl's schema."""
    file = cache_root() / f"verl-{version('verl')}-schema-{FORM}.json"
    try:
        kept = json.loads(file.read_text())
        return Schema(kept["classes"], kept["names"])
    except (OSError, ValueError, KeyError):
        pass
    start = time.perf_counter()
    schema = _read(verl_folder())
    schema.seconds = time.perf_counter() - start
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(asdict(schema)))
    except OSError:
        pass  # a read-only home: it is read again next time
    return schema


def verl_folder() -> Path:
    """Where verl is installed."""
    spec = find_spec("verl")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _read(verl: Path) -> Schema:
    bases: dict[str, list[str]] = {}
    own: dict[str, dict[str, list[str]]] = {}
    for path in _files(verl):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
                own[node.name] = dict(_fields(node))
    return Schema({name: _with_bases(name, own, bases) for name in own}, _names(verl))


def _files(verl: Path) -> Iterator[Path]:
    for part in CLASSES:
        path = verl / part
        yield from sorted(path.glob("**/*.py")) if path.is_dir() else [path] if path.is_file() else []


def _with_bases(name: str, own: dict, bases: dict) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for base in bases.get(name, ()):
        fields |= _with_bases(base, own, bases)
    return fields | own.get(name, {})


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, list[str]]]:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            types = set(_types(item.annotation))
            if isinstance(item.value, ast.Constant) and item.value.value is None:
                types.add("none")
            yield item.target.id, sorted(types)


def _types(annotation: ast.expr) -> Iterator[str]:
    if isinstance(annotation, ast.Constant):
        if isinstance(annotation.value, str):
            yield from _types(ast.parse(annotation.value, mode="eval").body)
        else:
            yield "none"
    elif isinstance(annotation, ast.BinOp):
        yield from (*_types(annotation.left), *_types(annotation.right))
    elif isinstance(annotation, ast.Subscript):
        yield from _subscripted(annotation)
    else:
        name = annotation.attr if isinstance(annotation, ast.Attribute) else getattr(annotation, "id", "Any")
        config = name.endswith(("Config", "Cfg"))
        yield PLAIN.get(name, "dict" if config else "any")
        if config:
            yield "none"


def _subscripted(annotation: ast.Subscript) -> Iterator[str]:
    name = getattr(annotation.value, "id", getattr(annotation.value, "attr", ""))
    parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    if name in ("Optional", "Union"):
        for part in parts:
            yield from _types(part)
        if name == "Optional":
            yield "none"
    elif name == "Literal":
        yield from (f"={ast.literal_eval(part)}" for part in parts)
    else:
        yield PLAIN.get(name, "any")


def _names(verl: Path) -> dict[str, list[str]]:
    algorithms = ast.parse((verl / "trainer/ppo/core_algos.py").read_text())
    managers = sorted((verl / "experimental/reward_loop/reward_manager").glob("*.py"))
    rollouts = _assigned(ast.parse((verl / "workers/rollout/base.py").read_text()), "_ROLLOUT_REGISTRY")
    trackers = _assigned(ast.parse((verl / "utils/tracking.py").read_text()), "supported_backend")
    return {
        "estimator": _enum(algorithms, "AdvantageEstimator"),
        "policy loss": sorted(_registered([algorithms], "register_policy_loss")),
        "aggregation": _compared(algorithms, "agg_loss", "loss_agg_mode"),
        "kl penalty": _compared(algorithms, "kl_penalty_forward", "kl_penalty"),
        "reward manager": sorted(_registered((ast.parse(path.read_text()) for path in managers), "register")),
        "rollout": sorted({name for name, _ in ast.literal_eval(rollouts)} if rollouts else ()),
        "read": sorted({name for path in _readers(verl) for name in GETS.findall(path.read_text())}),
        "tracker": ast.literal_eval(trackers) if trackers else [],
    }


def _readers(verl: Path) -> Iterator[Path]:
    """The modules that a V1 training runs and that read configuration."""
    for folder in ("trainer/ppo", "workers", "utils", "experimental/agent_loop", "experimental/reward_loop"):
        yield from (path for path in (verl / folder).glob("**/*.py") if "config" not in path.parts)


def _enum(tree: ast.Module, name: str) -> list[str]:
    node = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    return [ast.literal_eval(item.value) for item in node.body if isinstance(item, ast.Assign)]


def _registered(trees: Iterable[ast.Module], decorator: str) -> Iterator[str]:
    for tree in trees:
        for node in ast.walk(tree):
            for each in getattr(node, "decorator_list", ()):
                if isinstance(each, ast.Call) and getattr(each.func, "id", "") == decorator:
                    yield ast.literal_eval(each.args[0])


def _compared(tree: ast.Module, function: str, name: str) -> list[str]:
    """The texts that a function compares one of its parameters with."""
    body = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    found = []
    for node in ast.walk(body):
        if isinstance(node, ast.Compare) and getattr(node.left, "id", "") == name:
            found += [part.value for side in node.comparators for part in getattr(side, "elts", [side])]
    return sorted({text for text in found if isinstance(text, str)})


def _assigned(tree: ast.Module, name: str) -> ast.expr | None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == name for target in node.targets):
            return node.value
    return None
