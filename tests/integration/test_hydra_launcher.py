"""The launcher in Hydra applications that are not the harness's: Hydra's own suites, and jobs that die."""

from __future__ import annotations

import pytest
from hydra.test_utils.launcher_common_tests import BatchedSweeperTestSuite, IntegrationTestSuite, LauncherTestSuite
from runs import environment


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
