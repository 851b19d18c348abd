"""In CI a skipped test fails the run; elsewhere it does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent.parent / "conftest.py"
TESTS = {
    "test_marked.py": "import pytest\n\n@pytest.mark.skip(reason='reason 1')\ndef test_it(): pass\n",
    "test_called.py": "import pytest\n\ndef test_it(): pytest.skip('reason 2')\n",
    "test_fixture.py": "import pytest\n\n@pytest.fixture\ndef gpu(): pytest.skip('reason 3')\n\ndef test_it(gpu): pass\n",
    "test_module.py": "import pytest\n\npytest.skip('reason 4', allow_module_level=True)\n",
    "test_expected_failure.py": "import pytest\n\n@pytest.mark.xfail\ndef test_it(): assert False\n",
}


def run_pytest(folder: Path, ci: bool) -> subprocess.CompletedProcess[str]:
    """Run the tests above beside this project's conftest.py in a pytest of their own."""
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = integration\n")
    for name, source in TESTS.items():
        (folder / name).write_text(source)
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | ({"CI": "true"} if ci else {})
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--continue-on-collection-errors", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


def test_every_kind_of_skip_fails_in_ci_with_its_reason(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, ci=True)

    assert result.returncode == pytest.ExitCode.TESTS_FAILED, result.stdout
    assert "1 failed, 1 xfailed, 3 errors in" in result.stdout  # pytest calls it an error where set-up or import skips
    for number in range(1, 5):
        assert f"reason {number}" in result.stdout
    assert result.stdout.count("skipped, which CI does not allow") >= 4


def test_a_skip_is_a_skip_elsewhere(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, ci=False)

    assert result.returncode == pytest.ExitCode.OK, result.stdout
    assert "4 skipped, 1 xfailed in" in result.stdout
