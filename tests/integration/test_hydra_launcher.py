"""The launcher in Hydra applications that are not the harness's: Hydra's own suites, and jobs that die."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hydra import version
from hydra.test_utils.launcher_common_tests import BatchedSweeperTestSuite, IntegrationTestSuite, LauncherTestSuite
from hydra_jobs import launch, outcome
from runs import environment


@pytest.fixture(autouse=True)
def as_in_a_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Composing for other tests has told Hydra which version's defaults hold in this process."""
    monkeypatch.setattr(version.VersionBase.instance(), "version_base", version._UNSPECIFIED_)


@pytest.mark.parametrize(("launcher_name", "overrides"), [("harness_local", []), ("harness_debug", [])])
class TestLauncher(LauncherTestSuite):
    pass


@pytest.mark.parametrize(
    ("launcher_name", "overrides"),
    [(name, ["hydra.sweeper.max_batch_size=2"]) for name in ("harness_local", "harness_debug")],
)
class TestBatches(BatchedSweeperTestSuite):
    pass


@pytest.mark.parametrize("task_launcher_cfg", [{}])
@pytest.mark.parametrize("extra_flags", [["-m", f"hydra/launcher=harness_{name}"] for name in ("local", "debug")])
class TestApplications(IntegrationTestSuite):
    @pytest.fixture(autouse=True)
    def variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])


def test_a_job_that_dies_takes_no_result_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((environment()["PYTHONPATH"], str(Path(__file__).parent))))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    returns = launch(tmp_path, "harness_local", ["hydra.launcher.at_once=3"])
    told = [outcome(returned) for returned in returns]
    assert told[0] == told[4] == "returned"
    assert told[1] == "ValueError: made to fail"
    assert told[2].startswith("HarnessError: job ")
    assert "(fate=exit) left no result: its process ended" in told[2]
    assert "(fate=kill) left no result: its process ended" in told[3]
    (first, devices), (last, _) = returns[0].return_value, returns[4].return_value
    assert len({first, last, os.getpid()}) == 3
    assert devices == "3"  # submitit's own executor hides every device


def test_debug_stays_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hydra_jobs.FATES", ("return", "raise", "return"))
    returns = launch(tmp_path, "harness_debug")
    assert [outcome(returned) for returned in returns] == ["returned", "ValueError: made to fail", "returned"]
    assert returns[0].return_value[0] == returns[2].return_value[0] == os.getpid()
