"""What W&B is told about a run, from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from harness.config.fingerprint import HASH, SEEDS
from harness.records.provenance import read_provenance
from harness.records.run_folder import RunFolder

LONGEST_ID = LONGEST_TAG = LONGEST_JOB_TYPE = 64  # by W&B's documentation of WANDB_RUN_ID, its client and its server
LONGEST_NAME = LONGEST_GROUP = 128  # by its server: "128 limit exceeded for GroupName"
#: Words that make no other group begin so.
BESIDE = (*(f"{key}=" for key in SEEDS), "run_id=", "output_root=", "experiment=", "cluster", "tracking", "sweep")


@dataclass(frozen=True)
class Identity:
    """A run in W&B's terms, each text as long at most as W&B takes it.

    Attributes:
        id: The same for every start of a run, so that a resumed run goes on in W&B.
        name, project, entity, notes: As the section ``tracking`` says.
        group: What the run repeats with another seed.
        job_type: ``train`` or ``evaluate``.
        tags: The chosen algorithm, the user's own advantage and loss, model, data and seed, and what else is asked for.
        config: The resolved configuration, and under ``harness`` where it comes from.
        commit, remote: Of the user's code, as recorded.
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
    commit: str | None = None
    remote: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What of it ``wandb.init`` takes as arguments; the code is a matter of its settings."""
        return {name: value for name, value in vars(self).items() if name not in ("commit", "remote")}


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
    itself = "-".join([str(config.get("name", "run")), *_sweep(run), run.run_id, *_beginnings(run)])
    tags = [tag for tag in [*_tags(config), *(about.get("tags") or ())] if tag]
    return Identity(
        id=shortened(str(about.get("id") or itself), LONGEST_ID),
        name=shortened(str(about.get("name") or run.run_id), LONGEST_NAME),
        project=str(about.get("project") or _at(config, "trainer.project_name") or "harness"),
        entity=about.get("entity"),
        notes=about.get("notes"),
        group=shortened(about.get("group") or _group(config, words, run), LONGEST_GROUP),
        job_type=shortened(str(about.get("job_type") or ("evaluate" if evaluates else "train")), LONGEST_JOB_TYPE),
        tags=tuple(dict.fromkeys(shortened(tag, LONGEST_TAG) for tag in tags)),
        config=config,
        commit=_at(provenance, "code.commit"),
        remote=_at(provenance, "code.remote"),
    )


def shortened(text: str, longest: int) -> str:
    """A text of so many bytes at most, which W&B may take for characters; a hash of the whole keeps two apart."""
    if len(text.encode()) <= longest:
        return text
    digest = sha256(text.encode()).hexdigest()[:8]
    return f"{text.encode()[: longest - len(digest) - 1].decode(errors='ignore')}-{digest}"


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
    return " ".join([str(config.get("name", "run")), *_sweep(run), *said])


def _tags(config: Mapping[str, Any]) -> list[str]:
    """What tells experiments apart: the chosen algorithm, and what stands in for its advantage or its loss.

    A file in place of an experiment (``--config``) chooses no algorithm; what it computes is told alone then.
    """
    chosen = _at(config, "tracking.choices.algorithm")
    loss = _at(config, "actor_rollout_ref.actor.policy_loss.loss_mode")
    files = _at(config, "data.train_files")
    data = files[0] if isinstance(files, list) and files else files
    found = {
        "algorithm": chosen,
        "advantage": _component(config, "advantage_fn") or (None if chosen else _at(config, "algorithm.adv_estimator")),
        "loss": _component(config, "policy_loss") or (None if loss == "vanilla" else loss),
        "model": _named(config, "model", _at(config, "actor_rollout_ref.model.path")),
        "data": _named(config, "data", str(Path(str(data)).parent) if data else None),
        "seed": config.get("seed"),
    }
    told = {key: value for key, value in found.items() if value not in (None, "")}
    return [f"{key}:{value}" for key, value in told.items() if key not in ("advantage", "loss") or value != chosen]


def _component(config: Mapping[str, Any], group: str) -> str | None:
    """The name of a component that is not verl's own; of one without an option (``custom``), the function's."""
    chosen, target = _at(config, f"tracking.choices.{group}"), _at(config, f"{group}._target_")
    if not target:
        return None
    return str(target).replace(":", ".").rpartition(".")[2] if chosen in (None, "custom") else str(chosen)


def _named(config: Mapping[str, Any], group: str, path: Any) -> str | None:
    """The last part of a path or of a hub's name; of what a recipe made, the option, as the hash covers the seed."""
    last = str(path).rstrip("/").rpartition("/")[2] if path else None
    if last is None or not HASH.search(last):
        return last
    return str(_at(config, f"tracking.choices.{group}") or HASH.sub("", last))


def _at(tree: Any, key: str) -> Any:
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _yaml(path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(), Loader=loader) if path.is_file() else None
