"""What W&B is told about a run, from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.records.provenance import read_provenance
from harness.records.run_folder import RunFolder

MOST, LONGEST_GROUP = 64, 128  # characters of a tag and of a group, by W&B's rules
BESIDE = ("seed=", "run_id=", "output_root=", "experiment=", "cluster", "tracking")  # words that make no other group


@dataclass(frozen=True)
class Identity:
    """A run in W&B's terms.

    Attributes:
        id: The same for every start of a run, so that a resumed run goes on in W&B.
        name, project, entity, notes: As the section ``tracking`` says.
        group: What the run repeats with another seed.
        job_type: ``train`` or ``evaluate``.
        tags: Algorithm, model, data and seed, and the user's own.
        config: The resolved configuration, and under ``harness`` where it comes from.
    """

    id: str
    name: str
    project: str
    entity: str | None = None
    notes: str | None = None
    group: str | None = None
    job_type: str = "train"
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict, repr=False)


def identity_of(run: RunFolder) -> Identity:
    """Read it from ``config.yaml``, ``overrides.yaml`` and ``provenance.json``."""
    config = _yaml(run.config) or {}
    provenance = read_provenance(run)
    words = _yaml(run.overrides) or []
    about = config.get("tracking") or {}
    config["harness"] = {
        "fingerprint": provenance.get("fingerprint"),
        "command": provenance.get("command"),
        "code": provenance.get("code"),
        "versions": provenance.get("versions"),
        "machine": provenance.get("machine"),
        "devices": provenance.get("devices"),
        "run": str(run.path.absolute()),
    }
    evaluates = bool(_at(config, "trainer.val_only"))
    return Identity(
        id=str(about.get("id") or "-".join([config.get("name", "run"), *_sweep(run), run.run_id, *_beginnings(run)])),
        name=str(about.get("name") or run.run_id),
        project=str(about.get("project") or _at(config, "trainer.project_name") or "harness"),
        entity=about.get("entity"),
        notes=about.get("notes"),
        group=about.get("group") or _group(config, words, run),
        job_type=str(about.get("job_type") or ("evaluate" if evaluates else "train")),
        tags=tuple(dict.fromkeys([*_tags(config), *(about.get("tags") or ())])),
        config=config,
    )


def _sweep(run: RunFolder) -> list[str]:
    """The sweep's folder, where the run is in one: runs' own folders are alike in all sweeps of an experiment."""
    return [run.path.absolute().parent.name] if (run.path.parent / "sweep.yaml").is_file() else []


def _beginnings(run: RunFolder) -> list[str]:
    """Which one it is, of a run that has begun again: W&B would keep the steps of the one before."""
    earlier = sum(1 for _ in run.path.glob("earlier/*"))
    return [str(earlier + 1)] if earlier else []


def _group(config: Mapping[str, Any], words: list[str], run: RunFolder) -> str:
    """The experiment and what was asked of it, without the seed; in a sweep, the sweep too."""
    said = [word for word in words if not word.lstrip("+").startswith(BESIDE)]
    return " ".join([str(config.get("name", "run")), *_sweep(run), *said])[:LONGEST_GROUP]


def _tags(config: Mapping[str, Any]) -> list[str]:
    files = _at(config, "data.train_files")
    data = files[0] if isinstance(files, list) and files else files
    loss = _at(config, "actor_rollout_ref.actor.policy_loss.loss_mode")
    found = {
        "algorithm": _at(config, "tracking.choices.algorithm") or _at(config, "algorithm.adv_estimator"),
        "loss": None if loss == "vanilla" else loss,
        "model": _last(_at(config, "actor_rollout_ref.model.path")),
        "data": Path(str(data)).parent.name if data else None,
        "seed": config.get("seed"),
    }
    return [f"{key}:{value}"[:MOST] for key, value in found.items() if value not in (None, "")]


def _last(path: Any) -> str | None:
    return str(path).rstrip("/").rpartition("/")[2] if path else None


def _at(tree: Any, key: str) -> Any:
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _yaml(path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(), Loader=loader) if path.is_file() else None
