"""A comparison's report in a real browser: it draws what the numbers say, answers, runs nothing of a model, and is quick."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.compare.report import write_report
from harness.compare.report.curves import band
from harness.compare.study import Study

pytestmark = pytest.mark.browser

_DEMO = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "unit/compare/report/demo_study.py")))
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr", "--v=0",
)  # fmt: skip
_LOAD_SECONDS = 2.0

#: Uses the page as a person does and leaves what it saw in the markup, for all tests at once.
_PROBE = r"""
<script>
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const shown = (selector) => all(selector).filter((each) => !each.hidden);
const labels = () => shown("#group-table tbody tr").map((row) => row.dataset.label);
const head = (key) => all("#group-table [data-sort]").find((button) => button.dataset.sort === key);
const type = (input, text) => { input.value = text; input.dispatchEvent(new Event("input", {bubbles: true})); };
const change = (input, value) => { input.value = value; input.dispatchEvent(new Event("change", {bubbles: true})); };
const lines = () => all("#chart path.line[data-group]").map((line) => line.dataset.group);
const axis = () => document.querySelector("#chart .axis-name").textContent;
const tip = () => document.getElementById("tip").innerText.replaceAll("\n", "|");
const saw = {};
saw.loaded = performance.now();
saw.first = labels();
saw.drawn = lines();
saw.bands = all("#chart path.band").length;
saw.means = groupBand(groupCurves(curveData.groups[0], 1), curveData.t);

head("mean").click();
saw.byMean = [labels(), head("mean").closest("th").getAttribute("aria-sort")];
head("mean").click();
saw.byMeanAgain = [labels(), head("mean").closest("th").getAttribute("aria-sort")];
const filter = document.querySelector("[data-filter]");
type(filter, "1 FAILED");
saw.filtered = [labels(), document.querySelector("[data-count]").textContent];
type(filter, "");

const chart = document.getElementById("chart");
const box = chart.getBoundingClientRect();
chart.dispatchEvent(new PointerEvent("pointermove", {clientX: box.right - 20, clientY: box.top + 60, bubbles: true}));
saw.tip = tip();
chart.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft", bubbles: true}));
saw.tipBefore = tip();
chart.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));
saw.tipGone = document.getElementById("tip").hidden;

const key = all("#keys button")[1];
key.click();
saw.toggled = [lines(), key.getAttribute("aria-pressed")];
document.querySelector("[data-groups=none]").click();
saw.none = chart.innerText;
document.querySelector("[data-groups=all]").click();
saw.everyGroup = lines();
saw.axes = ["tokens", "seconds", "steps"].map((name) => { document.querySelector(`[value=${name}]`).click(); return axis(); });
document.getElementById("single").click();
saw.single = all("#chart path.single").length;
change(document.getElementById("metric"), curveData.metrics.findIndex((each) => each.name === "actor/entropy"));
saw.metric = document.querySelector("#chart svg").getAttribute("aria-label");
type(document.getElementById("window"), "7");
saw.smoothing = [document.getElementById("smoothing").textContent, all("#chart path.raw").length];

const opens = document.querySelector(".opens");
if (opens) {
  saw.prompts = shown("#prompt-table tbody tr").length;
  saw.titleBefore = document.title;
  opens.click();
  saw.opened = [opens.getAttribute("aria-expanded"), document.querySelector(".opened").innerText];
  const long = all(".opens").find((button) => /What is 3 \+ 10\?|What is 10 \+ 17\?|What is 17 \+ 24\?/.test(button.textContent));
  long.click();
  const more = document.querySelector(".more");
  const before = more.previousElementSibling.textContent.length;
  const inside = more.parentElement;
  more.click();
  saw.more = [before, inside.textContent.length];
  const wanted = all(".opens")[2].textContent;
  type(document.getElementById("prompt-filter"), wanted);
  saw.promptsLeft = shown("#prompt-table tbody tr:not(.opened)").map((row) => row.dataset.prompt === wanted);
  change(document.getElementById("pair"), 1);
  saw.pair = shown(".pair-said").map((each) => each.querySelector(".pair-name").innerText);
}
saw.images = all("img").length;
saw.title = document.title;
const dark = () => getComputedStyle(document.body).backgroundColor;
saw.backgrounds = [dark(), (document.getElementById("theme").click(), dark())];
saw.overflow = document.documentElement.scrollWidth - window.innerWidth;
document.body.dataset.saw = JSON.stringify(saw);
</script>
</body>"""


def _browse(chromium: Path, page: Path, profile: Path, *flags: str) -> tuple[str, str]:
    """Open ``page`` and return the document after its script ran, and what the browser complained of."""
    command = [str(chromium), *_FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return result.stdout, "\n".join(line for line in result.stderr.splitlines() if "CONSOLE" in line)


def _saw(chromium: Path, report: Path, folder: Path, *flags: str) -> dict:
    """What the probe saw, in a copy of the report whose policy lets the probe run."""
    html = report.read_text().replace("script-src 'sha256-", "script-src 'unsafe-inline' 'x-", 1)
    page = folder / "probe.html"
    page.write_text(html.replace("</body>", _PROBE))
    document, console = _browse(chromium, page, folder / "profile", "--dump-dom", *flags)
    found = re.search(r' data-saw="([^"]*)"', document)
    assert found, console
    return json.loads(unescape(found[1]))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    root = tmp_path_factory.mktemp("outputs")
    point = _DEMO.Point
    points = [
        point(("algorithm=grpo",), 0.52),
        point(("algorithm=dapo",), 0.60, failed=(4,)),
        point(("algorithm=ppo",), 0.40),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(root / "cache"))
        return _DEMO.Maker(root / "runs").study(points, (1, 2, 3, 4, 5))


@pytest.fixture(scope="module")
def report(study, tmp_path_factory) -> Path:
    return write_report(study, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def saw(chromium, report, tmp_path_factory) -> dict:
    return _saw(chromium, report, tmp_path_factory.mktemp("probe"), "--window-size=1280,3000")


def test_it_loads_without_an_error_and_stays_as_it_was(chromium, report, tmp_path):
    document, console = _browse(chromium, report, tmp_path / "profile", "--dump-dom")
    assert console == ""
    assert "<title>1 of 2 groups is better than algorithm=grpo</title>" in document
    assert 'aria-label="accuracy, mean of the sources over steps"' in document


def test_the_table_sorts_and_filters(saw):
    grpo, dapo, ppo = (f"algorithm={name}" for name in ("grpo", "dapo", "ppo"))
    assert saw["first"] == [grpo, dapo, ppo]
    assert saw["byMean"] == [[dapo, grpo, ppo], "descending"]
    assert saw["byMeanAgain"] == [[ppo, grpo, dapo], "ascending"]
    assert saw["filtered"] == [[dapo], "1 of 3"]


def test_the_script_computes_the_bands_that_python_does(study, saw):
    wanted = band(study.rows[0].group.runs, study.metric)
    for name in ("x", "mean", "low", "high", "runs"):
        assert saw["means"][name] == pytest.approx(getattr(wanted, name).tolist(), rel=1e-3, abs=2e-4), name


def test_curves_answer_the_pointer_and_the_keys(saw):
    assert (saw["drawn"], saw["bands"]) == (["0", "1", "2"], 3)
    assert re.match(r"60 steps\|algorithm=dapo \(4\)\|0\.\d+ \[0\.\d+, 0\.\d+\]\|algorithm=grpo \(5\)\|", saw["tip"])
    assert saw["tipBefore"].startswith("50 steps|")
    assert saw["tipGone"]


def test_groups_axes_metrics_single_runs_and_smoothing_are_chosen(saw):
    assert saw["toggled"] == [["0", "2"], "false"]
    assert saw["none"] == "No group is chosen."
    assert saw["everyGroup"] == ["0", "1", "2"]
    assert saw["axes"] == ["tokens", "seconds", "steps"]
    assert saw["single"] == 15
    assert saw["metric"] == "entropy, nats a token over steps"
    assert saw["smoothing"] == ["smoothed, window 7", 3]


def test_a_prompt_opens_with_both_sides_and_what_a_model_wrote_stays_text(saw):
    expanded, text = saw["opened"]
    assert expanded == "true"
    assert text.count(_DEMO.HOSTILE) == 6
    assert re.search(r"algorithm=dapo · seed 1\s+score [01]", text)
    assert "expected" in text
    assert (saw["images"], saw["title"]) == (0, saw["titleBefore"])
    assert saw["more"][0] <= 701 < saw["more"][1]
    assert saw["prompts"] > 10
    assert saw["promptsLeft"] == [True]
    assert saw["pair"] == ["algorithm=ppo against algorithm=grpo"]


@pytest.mark.parametrize("width", [500, 800])
def test_it_fits_the_window_in_both_themes(chromium, report, tmp_path, width):
    saw = _saw(chromium, report, tmp_path, f"--window-size={width},1200", "--blink-settings=preferredColorScheme=0")
    assert saw["overflow"] <= 0
    dark, light = (sum(map(int, re.findall(r"\d+", colour))) for colour in saw["backgrounds"])
    assert dark < 3 * 60 < 3 * 200 < light


def test_it_prints(chromium, report, tmp_path):
    document = tmp_path / "report.pdf"
    _browse(chromium, report, tmp_path / "profile", f"--print-to-pdf={document}")
    assert document.read_bytes().startswith(b"%PDF")
    assert document.stat().st_size > 50_000


def test_two_hundred_runs_open_at_once(chromium, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    points = _DEMO.grid(["1e-6", "3e-6", "1e-5", "3e-5", "1e-4"], ["grpo", "dapo"], ["0", "1e-3", "1e-2", "1e-1"])
    study = _DEMO.Maker(tmp_path / "runs", steps=300, prompts=10).study(points, (1, 2, 3, 4, 5))
    report = write_report(study, tmp_path / "report.html")
    assert report.stat().st_size < 8_000_000
    saw = _saw(chromium, report, tmp_path, "--window-size=1280,1200")
    assert len(saw["first"]) == 40
    assert (len(saw["drawn"]), len(saw["everyGroup"])) == (8, 40)
    assert 0 < saw["loaded"] < 1000 * _LOAD_SECONDS
