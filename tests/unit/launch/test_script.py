"""The sbatch script, held to a file; `python tests/unit/launch/test_script.py` writes the file anew."""

from __future__ import annotations

import difflib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.config.compose import compose_config, resolve
from harness.launch.slurm.script import Array, gpu_hours, hours_to_book, sbatch_script

GOLDEN = Path(__file__).parent / "golden" / "sweep.sbatch"
WORDS = ["experiment=quickstart", "cluster=slurm", "cluster.partition=train", "cluster.account=lab", "cluster.nodes=2",
         "cluster.gpus_per_node=8", "cluster.gpu_type=h100", "cluster.cpus_per_node=96", "cluster.memory_gb=900",
         "cluster.time=1-12:00:00", "cluster.constraint=ib", "cluster.at_once=4", "cluster.setup=[module load cuda]",
         "cluster.extra=['--exclude=node7','--exclusive']"]  # fmt: skip


def script() -> str:
    cluster = resolve(compose_config(WORDS)).cluster
    array = Array([0, 1, 2, 5], Path("/shared/my sweep"), "quickstart", Path("/shared/my sweep/code"))
    return sbatch_script(cluster, array).replace(sys.executable, "PYTHON")


def test_it_is_as_recorded() -> None:
    recorded, made = GOLDEN.read_text(), script()
    difference = "\n".join(difflib.unified_diff(recorded.splitlines(), made.splitlines(), "recorded", "made", n=1))
    assert made == recorded, f"\n{difference}\nIf this is meant: python {Path(__file__).relative_to(Path.cwd())}"


def test_it_is_a_script() -> None:
    bash = shutil.which("bash")
    assert bash
    subprocess.run([bash, "-n"], input=script(), text=True, check=True)


@pytest.mark.parametrize(
    ("word", "line", "there"),
    [
        ("cluster.gpus_per_node=0", "gpus-per-node", False),
        ("cluster.gpu_type=null", "--gpus-per-node=8", True),
        ("cluster.cpus_per_node=null", "--cpus-per-task", False),
        ("cluster.memory_gb=0", "--mem=0", True),
        ("cluster.memory_gb=null", "--mem", False),
        ("cluster.at_once=null", "%4", False),
        ("cluster.memory_gb=1.5", "--mem=1536M", True),
        ("cluster.extra=['--signal=B:TERM@60']", "--signal=B:TERM@60", True),
    ],
)
def test_options_that_are_left_out_or_given(word: str, line: str, there: bool) -> None:
    cluster = resolve(compose_config([*WORDS, word])).cluster
    assert (line in sbatch_script(cluster, Array([0], Path("/x"), "name"))) == there


def test_a_run_beyond_the_clusters_largest_task() -> None:
    cluster = resolve(compose_config(WORDS)).cluster
    made = sbatch_script(cluster, Array([0, 1], Path("/x"), "name", offset=1001))
    assert "--array=0-1%4" in made
    assert made.rstrip().endswith("harness.launch.job /x $((SLURM_ARRAY_TASK_ID + 1001))")


def test_gpu_hours() -> None:
    cluster = resolve(compose_config(WORDS)).cluster
    assert gpu_hours(cluster, 4) == 4 * 16 * 36
    assert hours_to_book(cluster, 4) == (
        "at most 2,304 GPU hours up to the first time limits, 13,824 with every requeue (cluster.requeues=5)"
    )
    cluster.requeues = 0
    assert hours_to_book(cluster, 4) == "at most 2,304 GPU hours"


if __name__ == "__main__":
    GOLDEN.write_text(script())
