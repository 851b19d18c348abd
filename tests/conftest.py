"""What every test shares: tiers by folder, no skips in CI, no uploads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from harness.components import registered

UNIT_SECONDS = 60
TESTS = Path(__file__).parent

os.environ.setdefault("WANDB_MODE", "offline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by its folder and hold unit tests to a short limit."""
    for item in items:
        if item.path.is_relative_to(TESTS / "integration"):
            item.add_marker(pytest.mark.integration)
        elif item.path.is_relative_to(TESTS / "vllm"):
            item.add_marker(pytest.mark.vllm)
        elif item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(UNIT_SECONDS))


@pytest.fixture(autouse=True)
def own_registrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    known = {kind: dict(names) for kind, names in registered._registered.items()}
    monkeypatch.setattr(registered, "_registered", known)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test fails: what could not run there has not been tested."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped, which CI does not allow: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI a module that skips itself fails."""
    report = yield
    if os.environ.get("CI") and report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped, which CI does not allow: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Return headless Chromium's program; skip where it is not installed."""
    found = shutil.which("chromium")
    if not found:
        pytest.skip("chromium is not installed: apt-get install chromium")
    return Path(found)
