"""Pictures are well-formed, hold every group on one scale, and differ in more than colour."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from harness.compare.report import static_figures
from harness.compare.report.figures import PALETTE, shown_first, styles
from harness.compare.report.intervals import common_scale, picture
from harness.compare.report.parallel import parallel_coordinates
from harness.compare.report.words import bounds, difference, places, value
from harness.compare.statistics.intervals import Interval
from harness.compare.study import study_of


def test_figures_as_files_of_their_own(study, tmp_path):
    files = static_figures(study, tmp_path / "figures")
    assert [file.name for file in files] == [
        f"{name}.{kind}" for name in ("curves", "intervals") for kind in ("svg", "pdf", "png")
    ]
    for file in (each for each in files if each.suffix == ".svg"):
        drawn = file.read_text()
        root = ElementTree.fromstring(drawn)
        assert root.get("width") == "234pt", "as wide as a column"
        assert all(f"<!-- {row.group.label} -->" in drawn for row in study.rows), "each group is named"
        assert all(colour in drawn for colour in PALETTE[:4])
    assert len(re.findall("stroke-dasharray", files[0].read_text())) >= 6, "lines and keys of three groups are dashed"
    again = static_figures(study, tmp_path / "again")
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in again]


def test_pictures_fit_for_print(study, tmp_path):
    for file in (each for each in static_figures(study, tmp_path) if each.suffix == ".png"):
        with Image.open(file) as picture:
            assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            assert picture.width == 975, "3.25 inches"
            pixels = np.asarray(picture.convert("RGB"))
        assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all(), "white to the corners"
        dark = (pixels.max(2) < 60).mean()
        assert 0.01 < dark < 0.2, "axes and names are there"
        seen = {tuple(int(colour[n : n + 2], 16) for n in (1, 3, 5)) for colour in PALETTE[:4]}
        assert seen <= {tuple(each) for each in np.unique(pixels.reshape(-1, 3), axis=0).tolist()}
    fonts = (tmp_path / "curves.pdf").read_bytes()
    assert b"/Type3" not in fonts
    assert b"/FontFile2" in fonts, "TrueType"


def test_names_are_no_formulas(make_study, demo, tmp_path):
    long = "algorithm=" + "a_rather_long_name/" * 6
    study = make_study(demo.Point(("algorithm=$x^{",), 0.5), demo.Point((long,), 0.6), prompts=0)
    drawn = [file.read_text() for file in static_figures(study, tmp_path) if file.suffix == ".svg"]
    assert all("algorithm=$x^{" in each for each in drawn)
    assert all("algorithm=a_rather_long" in each for each in drawn)
    for each in drawn:
        assert ElementTree.fromstring(each).get("width") == "234pt"


def test_a_study_without_a_curve_has_intervals_alone(make_study, demo, tmp_path):
    study = make_study(demo.Point(("algorithm=<b>",), 0.5), prompts=0)
    sources = study.compared.members
    first = [
        replace(
            run, steps=run.steps[:1], times=run.times[:1], metrics={name: run.metrics[name][:1] for name in sources}
        )
        for run in study.runs
    ]
    study = study_of(first, study.options)
    assert [file.name for file in static_figures(study, tmp_path)] == [
        "intervals.svg",
        "intervals.pdf",
        "intervals.png",
    ]


def test_styles_go_to_what_is_drawn_first(make_study, demo):
    study = make_study(
        *(demo.Point((f"algorithm=a{n:02d}",), 0.3 + 0.01 * (n % 5)) for n in range(24)), prompts=0, seeds=(1,)
    )
    first = shown_first(study)
    assert len(first) == 8
    assert first[0] == 0
    looks = styles(study)
    assert [looks[number][0] for number in first] == list(range(8))
    assert len(set(looks)) == 24


def test_an_interval_on_the_common_scale():
    one = Interval(0.5, 0.25, 0.75, 0.95, "t", (3,))
    scale = common_scale([0.0, 1.0])
    drawn = picture(one, [0.25, np.nan], scale, 2, "<said>")
    assert re.findall(r'class="(\w+)[^"]*" (?:x1|cx)="([\d.]+)"', drawn) == [
        ("zero", "14.0"), ("span", "67.0"), ("run", "67.0"), ("mean", "120.0"),
    ]  # fmt: skip
    assert "&lt;said&gt;" in drawn
    assert picture(one, [], None, 0, "") == ""
    assert common_scale([np.nan]) is None


@pytest.mark.parametrize(("algorithms", "rates", "lines"), [("a b", "1e-6 1e-5", 8), ("a", "1e-6", 0)])
def test_the_sweep_at_a_glance(make_study, demo, algorithms, rates, lines):
    study = make_study(*demo.grid(rates.split(), algorithms.split(), ["0", "0.1"]), seeds=(1,), prompts=0)
    drawn = parallel_coordinates(study, "accuracy")
    assert drawn.count('class="way') == lines
    if lines:
        root = ElementTree.fromstring(drawn)
        names = [each.text for each in root.iter("text") if each.get("class") == "name"]
        assert names == ["algorithm", "lr", "kl_loss_coef", "accuracy"]


def test_many_numbers_of_a_key_share_a_scale(make_study, demo):
    rates = [f"{10 ** (-6 + n / 5):.3g}" for n in range(12)]
    points = [demo.Point((f"actor_rollout_ref.actor.optim.lr={rate}",), 0.4) for rate in rates]
    drawn = parallel_coordinates(make_study(*points, seeds=(1,), prompts=0), "accuracy")
    starts = sorted(float(y) for y in re.findall(r' d="M[\d.]+ ([\d.]+)', drawn))
    assert np.allclose(np.diff(starts), np.diff(starts)[0], atol=0.6), "evenly spaced on a logarithmic scale"


def test_numbers_in_words():
    assert (value(-0.001, 2), value(-0.126, 2), value(np.nan)) == ("0.00", "−0.13", "–")
    assert difference(Interval(0.0731, 0.0312, 0.115, 0.95, "t", (3,))) == "+0.073 [0.031, 0.115]"
    assert bounds(Interval(1, np.nan, np.nan, 0.95, "none", (1,)), 2) == "–"
    assert (places(0.5), places(20.0), places(np.nan)) == (2, 0, 3)
