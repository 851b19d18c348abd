"""Where configuration files lie: the user's project first, then what the harness ships.

A user's own `conf/` and `experiments/*/conf` are found from the current folder and overlay the shipped tree file by
file. In a checkout the shipped trees are the repository's own; in an installed wheel they lie inside the package.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def shipped_conf() -> Path:
    """The shipped ``conf``: inside the package in a wheel, beside it in a checkout."""
    inside = PACKAGE / "conf"
    return inside if inside.is_dir() else PACKAGE.parent / "conf"


def shipped_folders() -> list[Path]:
    """Every shipped folder of YAML; ``experiments`` lies beside the package in a wheel and in a checkout."""
    return [shipped_conf(), *sorted(PACKAGE.parent.glob("experiments/*/conf"))]


def config_folders(project: Path | None = None) -> list[Path]:
    """Every folder that is searched for YAML, the one that wins first.

    Args:
        project: The user's project; the current folder if not given.
    """
    project = (project or Path.cwd()).resolve()
    own = [project / "conf", *sorted(project.glob("experiments/*/conf"))]
    return [folder for folder in dict.fromkeys((*own, *shipped_folders())) if folder.is_dir()]


def verl_trainer_configs() -> dict[str, Path]:
    """verl's flattened trainer configurations by engine, found without importing verl.

    Returns:
        ``{"dp": …, "megatron": …, …}``; empty where verl is not installed.
    """
    from importlib.util import find_spec

    spec = find_spec("verl")
    if spec is None or not spec.submodule_search_locations:
        return {}
    folder = Path(spec.submodule_search_locations[0]) / "trainer" / "config"
    found = {}
    for path in sorted(folder.glob("_generated_ppo*_trainer.yaml")):
        engine = path.stem.removeprefix("_generated_ppo_").removesuffix("trainer").strip("_")
        found[engine or "dp"] = path
    return found
