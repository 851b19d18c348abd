"""Saves a comparison as a report in W&B."""

from __future__ import annotations

from importlib.util import find_spec

from harness.compare.study import Study
from harness.compare.wandb_report.content import report
from harness.compare.wandb_report.places import Placed, placed
from harness.errors import ConfigurationError
from harness.tracking.key import missing_key
from harness.tracking.service import end_with_this_process

LONGEST = 300  # characters of what W&B says


def publish(study: Study) -> str:
    """Save it; every call makes another report.

    Returns:
        Its address, and a line for each thing that it lacks.

    Raises:
        ConfigurationError: The package is not installed, there is no key, none of the runs is in W&B, or W&B cannot be
            reached or does not take it.
    """
    if find_spec("wandb_workspaces") is None:
        raise ConfigurationError(
            "No report in W&B: the package wandb-workspaces is not installed.", "pip install 'rl-harness[wandb-report]'"
        )
    where = placed(study)
    if why := missing_key():
        raise ConfigurationError(f"No report in W&B: {why}.", "Run `wandb login`, or set WANDB_API_KEY.")
    return "\n".join([f"W&B report: {_saved(study, where)}", *(f"! {note}" for note in where.notes)])


def _saved(study: Study, where: Placed) -> str:
    """Save it and return its address."""
    end_with_this_process()
    made = report(study, where)
    try:
        return str(made.save().url)
    except Exception as error:
        said = " ".join(str(error).split()).rstrip(".")[:LONGEST]
        raise ConfigurationError(
            f"No report in W&B: it could not be saved in {'/'.join(where.home)}: {said}.",
            "Look at the network, `wandb login` (or WANDB_API_KEY), your rights in the project, and WANDB_BASE_URL for "
            "a server of one's own.",
        ) from error
