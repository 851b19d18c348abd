"""Numbers and times as a person reads them."""

from __future__ import annotations

import pytest

from harness.terminal import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (11220, "3 h 07 min"),
    ],
)
def test_seconds(value, shown):
    assert text.seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.0, "0.000"), (0.5, "0.500"), (0.00012, "1.2e-04"), (-3.25, "-3.250"), (12345.6, "12,346")],
)
def test_numbers(value, shown):
    assert text.number(value) == shown


def test_signs():
    assert (text.signed(0.25), text.signed(-0.25)) == ("+0.250", "−0.250")


def test_sparkline():
    assert text.sparkline([]) == ""
    assert text.sparkline([1, 1, 1]) == "▄▄▄"
    assert text.sparkline(range(8)) == "▁▂▃▄▅▆▇█"
    assert len(text.sparkline(range(1000), width=24)) == 24
