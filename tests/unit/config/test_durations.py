"""Time limits as sbatch takes them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.config.durations import minutes
from harness.errors import ConfigurationError


# `man sbatch`: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes, days-hours:minutes:seconds
@pytest.mark.parametrize(
    ("value", "wanted"),
    [(90, 90), ("90", 90), ("10:30", 11), ("1:00:00", 60), ("24:00:00", 1440), ("1-12", 2160), ("1-12:30", 2190),
     ("2-00:00:30", 2881), ("0:0:1", 1)],
)  # fmt: skip
def test_the_forms(value: Any, wanted: int) -> None:
    assert minutes(value) == wanted


@pytest.mark.parametrize("value", [0, -5, None, True, 1.5, "", "4h", "1:2:3:4", "infinite", 10**9])
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"cluster.time=.*is needed"):
        minutes(value)
