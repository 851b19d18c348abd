"""The report in a real browser: it draws, answers the pointer, runs nothing that a model wrote, and fits a phone."""

from __future__ import annotations

import re
import runpy
import struct
from pathlib import Path

import pytest
from browser import browse

from harness.records.run_folder import RunFolder
from harness.report.html import write_report

pytestmark = pytest.mark.browser

_DEMO = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "report" / "demo_run.py"))
#: Asks the page for what only a browser knows, and leaves the answers in its markup.
_PROBE = """
<script>
const chart = document.querySelector("svg[data-chart]");
const box = chart.getBoundingClientRect();
const at = {clientX: box.left + box.width / 2, clientY: box.top + 20, bubbles: true};
chart.dispatchEvent(new PointerEvent("pointermove", at));
const tip = document.getElementById("tip");
const answers = {
  tip: tip.hidden ? "" : tip.innerText.replaceAll("\\n", "|"),
  width: document.documentElement.scrollWidth,
  window: window.innerWidth,
  flat: [...document.querySelectorAll("svg.chart")].filter((svg) => svg.getBoundingClientRect().height < 60).length,
  charts: document.querySelectorAll("svg.chart").length,
  background: getComputedStyle(document.body).backgroundColor,
};
for (const [name, value] of Object.entries(answers)) document.body.dataset["answer" + name] = value;
</script>
</body>"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    folder = _DEMO["make_demo_run"](tmp_path_factory.mktemp("outputs"))
    write_report(folder)
    return folder


def _answers(chromium: Path, run: RunFolder, tmp_path: Path, *flags: str) -> dict[str, str]:
    """The probe's answers, from a copy of the report whose policy lets the probe run."""
    html = run.report.read_text().replace("script-src 'sha256-", "script-src 'unsafe-inline' 'x-", 1)
    page = tmp_path / "probe.html"
    page.write_text(html.replace("</body>", _PROBE))
    document, _ = browse(chromium, page, tmp_path / "profile", "--dump-dom", *flags)
    return dict(re.findall(r'data-answer(\w+)="([^"]*)"', document))


def test_the_page_loads_without_an_error_and_shows_markup_of_a_model_as_text(chromium, run, tmp_path):
    document, console = browse(chromium, run.report, tmp_path / "profile", "--dump-dom")
    assert console == ""
    assert re.search(r"<title>quickstart · [\w-]+</title>", document), "a script of the model would have changed it"
    assert "&lt;script&gt;document.title='owned'&lt;/script&gt;" in document
    assert "<img" not in document


def test_the_policy_stops_a_script_that_got_in(chromium, run, tmp_path):
    page = tmp_path / "broken.html"
    page.write_text(run.report.read_text().replace("</main>", "</main>" + _DEMO["HOSTILE"]))
    document, console = browse(chromium, page, tmp_path / "profile", "--dump-dom")
    assert "<title>owned" not in document
    assert "Content Security Policy" in console


def test_the_pointer_shows_values_and_every_chart_is_drawn(chromium, run, tmp_path):
    answers = _answers(chromium, run, tmp_path, "--window-size=1280,2400")
    assert re.match(r"step \d+\|each step\|0\.\d+\|mean of 5 steps\|0\.\d+", answers["tip"]), answers
    assert (answers["charts"], answers["flat"]) == ("7", "0")


@pytest.mark.parametrize("width", [500, 800, 1280])
def test_nothing_is_wider_than_the_window(chromium, run, tmp_path, width):
    answers = _answers(chromium, run, tmp_path, f"--window-size={width},1200")
    assert int(answers["width"]) <= int(answers["window"])


def test_light_and_dark_differ(chromium, run, tmp_path):
    def brightness(scheme: int) -> int:
        answers = _answers(chromium, run, tmp_path, f"--blink-settings=preferredColorScheme={scheme}")
        return sum(map(int, re.findall(r"\d+", answers["background"])))

    assert brightness(0) < 3 * 60
    assert brightness(1) > 3 * 200


def test_it_can_be_pictured_and_printed(chromium, run, tmp_path):
    picture, document = tmp_path / "report.png", tmp_path / "report.pdf"
    browse(chromium, run.report, tmp_path / "a", f"--screenshot={picture}", "--window-size=1280,2400")
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    assert (width, height) == (1280, 2400)
    assert picture.stat().st_size > 50_000, "an empty page compresses to next to nothing"
    browse(chromium, run.report, tmp_path / "b", f"--print-to-pdf={document}")
    assert document.read_bytes().startswith(b"%PDF")
