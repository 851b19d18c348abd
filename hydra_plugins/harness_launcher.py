"""The harness's launcher, where Hydra looks for launchers: in the namespace package ``hydra_plugins`` alone.

Any Hydra application can choose it: ``hydra/launcher=harness_local``, ``harness_slurm`` or ``harness_debug``. Its
options are called as those of the harness's section ``cluster``. Every composition imports this file, so what launching
needs is imported when something is launched.

No ``__future__`` import puts annotations off here: Hydra runs this file before Python knows it as a module, and that is
where dataclasses look postponed ones up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class HarnessLauncher(Launcher):
    """Runs what a sweeper hands over, a batch at a time, and returns when all of it has ended.

    Args:
        options: The fields of `Options`.
    """

    def __init__(self, **options: Any) -> None:
        self.options = OmegaConf.create(options)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by the sweeper, once."""
        self.context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a batch.

        Args:
            job_overrides: The overrides of each job.
            initial_job_idx: The first one's number.

        Returns:
            What became of each job, in their order. A job that failed or died has its exception; it takes no other
            job's result along.
        """
        from harness.launch.hydra_jobs import Application, run_jobs
        from harness.launch.sweepers.trainings import Trainings

        if isinstance(self.task_function, Trainings):  # of `harness train -m`
            return self.task_function.run_batch(job_overrides)
        application = Application(self.context, self.config, self.task_function)
        return run_jobs(application, self.options, job_overrides, initial_job_idx)


@dataclass
class Options:
    """How jobs are run; what is None is left to Slurm, or is without a limit.

    Attributes:
        launcher: ``local`` (processes of this machine), ``slurm``, or ``debug`` (in this process, one after another).
        folder: Where jobs, results and logs are kept.
        at_once: Jobs that run at the same time.
        time: Limit of a job: minutes, HH:MM:SS or D-HH:MM:SS.
        setup: Shell lines that come first.
        grace_seconds: Before the limit, when Slurm warns.
        requeues: After time limits and preemptions.
        extra: Further options of sbatch.
    """

    _target_: str = f"{__name__}.{HarnessLauncher.__name__}"
    launcher: str = "local"
    folder: str = "${hydra.sweep.dir}/.submitit"
    at_once: int | None = None
    time: str | None = None
    nodes: int = 1
    gpus_per_node: int = 0
    gpu_type: str | None = None
    cpus_per_node: int | None = None
    memory_gb: float | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    grace_seconds: int = 300
    requeues: int = 5
    setup: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


for _launcher, _time in (("local", None), ("slurm", "24:00:00"), ("debug", None)):
    _node = Options(launcher=_launcher, time=_time)
    ConfigStore.instance().store(group="hydra/launcher", name=f"harness_{_launcher}", node=_node, provider="harness")
