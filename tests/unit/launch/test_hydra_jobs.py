"""Jobs of other Hydra applications on a cluster: arrays of a size that it takes, and a silence that ends nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import submitit

from harness.launch.hydra_jobs import _submitted

if TYPE_CHECKING:
    from tests.unit.launch.conftest import Programs


def test_arrays_are_split_at_the_clusters_limit(tmp_path: Path, programs: Programs) -> None:
    programs.say("sbatch", 'echo "Submitted batch job $(wc -l < "$(dirname "$0")/calls")"')
    programs.say("scontrol", "echo 'MaxArraySize            = 3'")
    executor = submitit.SlurmExecutor(folder=str(tmp_path / "jobs"))
    executor.update_parameters(array_parallelism=2)
    jobs: Any = [print] * 5  # anything that pickles
    submitted = _submitted(executor, jobs)
    assert len({job.job_id for job in submitted}) == 5
    scripts = [path.read_text() for path in (tmp_path / "jobs").glob("*_submission.sh")]
    arrays = [line for text in scripts for line in text.splitlines() if "--array" in line]
    assert sorted(arrays) == ["#SBATCH --array=0-1%2", "#SBATCH --array=0-2%2"]
