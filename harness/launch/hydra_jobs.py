"""Runs the jobs of any Hydra application through submitit: in processes of this machine, on Slurm, or in this process.

Every job has an end here: its result, the exception it raised, or how its process died, which is noticed within a
second on this machine and by asking Slurm there (submitit alone waits for a result that will never be written).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import submitit
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from omegaconf import OmegaConf, open_dict

from harness.config.durations import minutes
from harness.errors import HarnessError
from harness.launch.slurm.script import resources
from harness.launch.slurm.submit import array_limit
from harness.launch.slurm.view import view_jobs

if TYPE_CHECKING:
    from omegaconf import DictConfig

POLL_SECONDS, ASK_SLURM_SECONDS = 0.1, 2.0
LATE_SECONDS = 10.0  # that a shared file system may take to show the result of a job that has ended
UNLIMITED_MINUTES = 10 * 365 * 24 * 60


@dataclass(frozen=True)
class Application:
    """What Hydra gives a launcher: its context, the composed configuration, and the function to be run."""

    context: Any
    config: DictConfig
    function: Callable[[DictConfig], Any]


@dataclass(frozen=True)
class HydraJob:
    """One call of the function, as submitit pickles it.

    Attributes:
        application: What it belongs to.
        overrides: Its own.
        number: Its number in the sweep.
        state: Hydra's singletons and OmegaConf's resolvers, where it runs in another process.
        devices: ``CUDA_VISIBLE_DEVICES`` of the process that launches; submitit's local executor empties it.
    """

    application: Application
    overrides: tuple[str, ...]
    number: int
    state: Any = None
    devices: str | None = None

    def __call__(self) -> JobReturn:
        """Run it."""
        if self.state is not None:
            self._prepare_process()
        setup_globals()
        context = self.application.context
        config = context.config_loader.load_sweep_config(self.application.config, list(self.overrides))
        with open_dict(config.hydra.job):
            config.hydra.job.id = submitit.JobEnvironment().job_id if self.state is not None else str(self.number)
            config.hydra.job.num = self.number
        return run_job(
            hydra_context=context,
            task_function=self.application.function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )

    def _prepare_process(self) -> None:
        Singleton.set_state(self.state)
        if os.environ.get("SUBMITIT_EXECUTOR") == "local":
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
            if self.devices is not None:
                os.environ["CUDA_VISIBLE_DEVICES"] = self.devices

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """What Slurm starts again after a time limit or a preemption: the same call."""
        return submitit.helpers.DelayedSubmission(self)


def run_jobs(
    application: Application, options: DictConfig, job_overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Run a batch of jobs.

    Args:
        application: What they belong to.
        options: Those of the launcher.
        job_overrides: The overrides of each job.
        first: The first one's number.

    Returns:
        What became of each, in their order.
    """
    setup_globals()
    hydra = application.config.hydra
    configure_log(hydra.hydra_logging, hydra.verbose)
    Path(str(hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
    away = options.launcher != "debug"
    state = Singleton.get_state() if away else None
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    jobs = [
        HydraJob(application, tuple(overrides), number, state, devices)
        for number, overrides in enumerate(job_overrides, first)
    ]
    if options.launcher == "slurm":
        return _on_slurm(jobs, options)
    return _in_processes(jobs, options) if away else _in_this_process(jobs, hydra)


def _in_this_process(jobs: Sequence[HydraJob], hydra: DictConfig) -> list[JobReturn]:
    returns = []
    for job in jobs:
        try:
            returns.append(job())
        except Exception as error:  # noqa: BLE001  such as one of composing; what the function raises is in its return
            returns.append(_failed(job, error))
        configure_log(hydra.hydra_logging, hydra.verbose)
    return returns


def _in_processes(jobs: Sequence[HydraJob], options: DictConfig) -> list[JobReturn]:
    executor = submitit.LocalExecutor(folder=str(options.folder))
    limit = minutes(options.time) if options.time else UNLIMITED_MINUTES
    executor.update_parameters(timeout_min=limit, setup=list(options.setup), stderr_to_stdout=True)
    waiting, going, returns = list(range(len(jobs))), dict[int, submitit.Job[JobReturn]](), dict[int, JobReturn]()
    try:
        while waiting or going:
            while waiting and len(going) < (options.at_once or len(jobs)):
                index = waiting.pop(0)
                going[index] = executor.submit(jobs[index])
            time.sleep(POLL_SECONDS)
            for index in [index for index, job in going.items() if job.done()]:
                returns[index] = _return_of(jobs[index], going.pop(index), "its process ended")
    finally:
        for job in going.values():
            job.cancel()
    return [returns[index] for index in range(len(jobs))]


def _on_slurm(jobs: Sequence[HydraJob], options: DictConfig) -> list[JobReturn]:
    executor = submitit.SlurmExecutor(folder=str(options.folder), max_num_timeout=int(options.requeues))
    together = options.at_once or len(jobs)
    executor.update_parameters(job_name="hydra", array_parallelism=together, **resources(options))
    submitted = _submitted(executor, jobs)
    returns: dict[int, JobReturn] = {}
    gone: dict[int, float] = {}  # when a job was first seen to have ended without a result
    while True:
        views = view_jobs([job.job_id for index, job in enumerate(submitted) if index not in returns])
        for index in [index for index in range(len(jobs)) if index not in returns]:
            view = views.get(submitted[index].job_id) if views is not None else None
            if views is not None and not (view and (view.is_waiting or view.is_going)):
                gone.setdefault(index, time.monotonic())
            else:
                gone.pop(index, None)
            late = index in gone and time.monotonic() - gone[index] > LATE_SECONDS
            if late or submitted[index].paths.result_pickle.exists():
                how = f"Slurm says {view.state} {view.why}".strip() if view else "Slurm has no such job any more"
                returns[index] = _return_of(jobs[index], submitted[index], how)
        if len(returns) == len(jobs):
            break
        time.sleep(ASK_SLURM_SECONDS)
    return [returns[index] for index in range(len(jobs))]


def _submitted(executor: submitit.Executor, jobs: Sequence[HydraJob]) -> list[submitit.Job[JobReturn]]:
    """As arrays of what the cluster takes at most; ``at_once`` counts for each."""
    submitted: list[submitit.Job[JobReturn]] = []
    most = array_limit()
    for first in range(0, len(jobs), most):
        with executor.batch():
            submitted += [executor.submit(job) for job in jobs[first : first + most]]
    return submitted


def _return_of(job: HydraJob, submitted: submitit.Job[JobReturn], how: str) -> JobReturn:
    """The job's own return, or one that says how it ended without."""
    log = submitted.paths.stdout
    if not submitted.paths.result_pickle.exists():
        lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
        last = f"; its last line: {lines[-1]}" if lines else ""
        message = f"job {submitted.job_id} ({' '.join(job.overrides) or 'no overrides'}) left no result: {how}{last}."
        return _failed(job, HarnessError(message, f"See {log}."))
    try:
        return submitted.result()
    except Exception as error:  # noqa: BLE001  whatever it is, it is this job's alone
        return _failed(job, error)


def _failed(job: HydraJob, error: Exception) -> JobReturn:
    overrides: Any = list(job.overrides)
    returned = JobReturn(overrides=overrides, cfg=OmegaConf.create(), status=JobStatus.FAILED)
    returned.return_value = error
    return returned
