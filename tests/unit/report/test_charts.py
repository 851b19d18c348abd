"""Charts: round ticks, gaps where values are missing, and the numbers for the pointer."""

from __future__ import annotations

import json
import re
from html import unescape
from xml.etree import ElementTree

import pytest

from harness.report.charts import Series, line_chart, stacked_chart
from harness.report.scales import Scale, bucket_means, moving_mean, nice_ticks, padded_range, tick_label


def _data(svg: str) -> dict:
    return json.loads(unescape(re.search(r'data-chart="([^"]*)"', svg)[1]))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0, 0.5, 1.0]),
        (0.32, 0.79, [0.2, 0.4, 0.6, 0.8]),
        (3.0, 97.0, [0, 50, 100]),
        (-0.3, 0.3, [-0.4, -0.2, 0.0, 0.2, 0.4]),
        (0.00011, 0.00019, [0.0001, 0.00012, 0.00014, 0.00016, 0.00018, 0.0002]),
    ],
)
def test_ticks_are_round_and_cover_the_range(low, high, ticks):
    found = nice_ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert found == pytest.approx(ticks)


def test_a_flat_curve_has_an_axis():
    assert padded_range([2.0, 2.0]) == pytest.approx((1.8, 2.2))
    low, high = padded_range([0.0])
    assert low < 0 < high


def test_a_scale_maps_ends_to_ends():
    scale = Scale(0, 10, 100, 200)
    assert (scale(0), scale(5), scale(10)) == (100, 150, 200)


def test_labels_are_short():
    assert [tick_label(value) for value in (0, 0.25, 1200, 20000, 0.0001)] == ["0", "0.25", "1200", "20k", "1.0e-4"]


def test_means_over_windows_and_buckets_pass_over_gaps():
    assert moving_mean([1.0, None, 3.0, 5.0], 2) == [1.0, 1.0, 3.0, 4.0]
    assert moving_mean([None, 2.0], 1) == [None, 2.0]
    assert bucket_means([1.0, 3.0, None, None, 5.0, 7.0], 3) == [2.0, None, 6.0]
    assert bucket_means([1.0, None], 5) == [1.0, None]


def test_a_line_is_broken_where_a_value_is_missing():
    svg = line_chart("Reward", [Series("reward", [1, 2, 3, 4], [0.1, 0.2, None, 0.4])], 4)
    path = re.search(r'class="line s0" d="([^"]*)"', svg)[1]
    assert path.count("M") == 2
    assert _data(svg)["series"][0]["y"] == [0.1, 0.2, None, 0.4]
    ElementTree.fromstring(svg)


def test_values_lie_where_the_axis_says():
    svg = line_chart("Reward", [Series("reward", [0, 10], [0.0, 1.0], kind="points")], 10)
    dots = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg)]
    ticks = {label: float(y) for y, label in re.findall(r'y="([\d.]+)" dy=".32em" text-anchor="end">([\d.]+)<', svg)}
    assert dots[0][1] == pytest.approx(ticks["0"])
    assert dots[1][1] == pytest.approx(ticks["1"])
    data = _data(svg)
    assert (dots[0][0], dots[1][0]) == (data["start"], data["end"])


def test_a_single_value_is_a_dot_and_none_is_no_chart():
    assert "<circle" in line_chart("Reward", [Series("reward", [1], [0.5])], 1)
    assert line_chart("Reward", [Series("reward", [1, 2], [None, None])], 2) == ""
    assert line_chart("Reward", [], 1) == ""
    assert stacked_chart("Time", [], {}) == ""


def test_labels_cannot_break_out_of_the_picture():
    svg = line_chart('"><script>', [Series("</svg><script>", [1, 2], [1.0, 2.0])], 2)
    assert "<script" not in svg
    ElementTree.fromstring(svg)
    assert _data(svg)["series"][0]["l"] == "</svg><script>"


def test_bars_stand_on_each_other():
    svg = stacked_chart("Time", [1, 2], {"gen": [2.0, 2.0], "other": [1.0, 0.0]})
    ElementTree.fromstring(svg)
    low = re.search(r'class="bar f0" d="([^"]*)"', svg)[1]
    high = re.search(r'class="bar f7" d="([^"]*)"', svg)[1]
    assert low.count("M") == 2
    assert high.count("M") == 1, "an empty part is not drawn"
    assert re.search(r"V([\d.]+)", low)[1] == re.match(r"M[\d.]+ ([\d.]+)", high)[1]


def test_a_long_series_is_thinned():
    svg = line_chart("Reward", [Series("reward", range(5000), [0.5] * 4999 + [1.0])], 5000)
    assert len(_data(svg)["series"][0]["x"]) == 400
    assert len(svg) < 30_000
