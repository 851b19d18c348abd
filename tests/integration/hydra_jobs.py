"""Jobs of a Hydra application for the launcher's tests, handed to it as a sweeper would."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from omegaconf import DictConfig

FATES = ("return", "raise", "exit", "kill", "return")


def task(config: DictConfig) -> Any:
    """End as the configuration says."""
    if config.fate == "raise":
        raise ValueError("made to fail")
    if config.fate == "exit":
        raise SystemExit(3)
    if config.fate == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES")


def launch(folder: Path, launcher: str, overrides: Sequence[str] = ()) -> list[JobReturn]:
    """Every fate at once."""
    (folder / "config.yaml").write_text("fate: return\n")
    words = [f"hydra/launcher={launcher}", f"hydra.sweep.dir={folder}/sweep", *overrides]
    try:
        with initialize_config_dir(config_dir=str(folder), version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            config = loader.load_configuration("config", overrides=words, run_mode=RunMode.MULTIRUN)
    finally:
        GlobalHydra.instance().clear()
    context = HydraContext(config_loader=loader, callbacks=Callbacks())
    made = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)
    return list(made.launch([[f"fate={fate}"] for fate in FATES], initial_job_idx=0))


def outcome(returned: JobReturn) -> str:
    """What a job's return says, in a word or a line."""
    try:
        return "returned" if returned.return_value else "nothing"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
