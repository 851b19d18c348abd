"""What a search is told of a run that has ended: one number for each of its objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from harness.config.origins import Origins
from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError, HarnessError
from harness.records.metrics import read_metrics
from harness.records.quantities import number, validation_headline, validation_metric
from harness.records.run_folder import RunFolder

VALIDATION = "validation"
DIRECTION = "hydra.sweeper.direction"


@dataclass(frozen=True)
class Objective:
    """Metrics, and which of their values over a run's steps counts.

    Attributes:
        metrics: Names; ``validation`` is the mean over data sources, as in a run's summary.
        highest: For each, whether the highest value is the best.
    """

    metrics: tuple[str, ...]
    highest: tuple[bool, ...]

    def of(self, run: RunFolder) -> float | list[float]:
        """The run's value; a list where there are several objectives.

        Raises:
            HarnessError: It has none, or none that is a number.
        """
        records = [record.metrics for record in read_metrics(run.metrics)]
        found = [_best(run, records, name, high) for name, high in zip(self.metrics, self.highest, strict=True)]
        return found[0] if len(found) == 1 else found


def _best(run: RunFolder, records: Sequence[Mapping[str, Any]], name: str, highest: bool) -> float:
    of_validation = name == VALIDATION
    values = [validation_headline(metrics) if of_validation else number(metrics, (name,)) for metrics in records]
    finite = [value for value in values if value is not None]
    if finite:
        return max(finite) if highest else min(finite)
    written = {
        str(value)
        for metrics in records
        for key, value in metrics.items()
        if key == name or (of_validation and validation_metric(key))
    }
    if written:
        found = ", ".join(sorted(written))
        raise HarnessError(f"{run.shown()}: {name} is never a number but {found}.", f"See {run.log}.")
    names = sorted({key for metrics in records for key in metrics})
    remedy = "Validate, with trainer.test_freq=N." if of_validation else did_you_mean(name, names)
    raise HarnessError(f"{run.shown()} has recorded no {name}, which sweep.metric asks for.", remedy)


def objective_of(config: DictConfig, words: Sequence[str]) -> Objective:
    """What the configuration says; a sweeper with a direction that nobody gave gets the one that fits.

    Args:
        config: The composition with Hydra's node, whose ``sweeper.direction`` may be changed.
        words: Of the command.

    Raises:
        ConfigurationError: There are not as many directions as metrics.
    """
    metric, best = config.sweep.metric, config.sweep.best
    metrics = tuple(metric) if isinstance(metric, ListConfig) else (str(metric),)
    usual = "minimize" if best == "min" else "maximize"
    directions = [usual] * len(metrics)
    sweeper = config.hydra.sweeper
    if "direction" in sweeper and not Origins(tuple(words), Path.cwd()).of(DIRECTION):
        with open_dict(config.hydra):  # Optuna's own is to minimise
            sweeper.direction = directions if len(metrics) > 1 else usual
    elif "direction" in sweeper:
        given = OmegaConf.to_container(config.hydra)["sweeper"]["direction"]
        directions = [str(getattr(each, "name", each)) for each in (given if isinstance(given, list) else [given])]
        if len(directions) != len(metrics):
            raise ConfigurationError(
                f"{DIRECTION} has {len(directions)}, sweep.metric has {len(metrics)}: as many are needed.",
                "Such as hydra.sweeper.direction=[maximize,minimize] 'sweep.metric=[validation,response_length/mean]'.",
            )
    return Objective(metrics, tuple(best == "max" if best else each == "maximize" for each in directions))
