"""The report says which was better first, needs nothing from the network, and shows no text of a model as markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from harness.compare.measure import Measure
from harness.compare.report import write_report
from harness.compare.report.html import render
from harness.compare.study import Options, study_of
from harness.report.page import content_hash


class Page(HTMLParser):
    """Tags with their attributes, and the text without scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._quiet = False
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._quiet = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._quiet = False

    def handle_data(self, data):
        self.text += "" if self._quiet else data + " "

    def ids(self, tag):
        return [attributes["id"] for name, attributes in self.tags if name == tag and "id" in attributes]


def data(html: str, name: str):
    return json.loads(re.search(f'id="{name}">(.*?)</script>', html, re.S)[1])


@pytest.fixture(scope="module")
def html(study):
    return render(study)


def test_it_is_one_file_that_needs_no_network(study, tmp_path):
    path = write_report(study, tmp_path / "new" / "report.html")
    html = path.read_text()
    assert len(html) < 500_000
    for tag, attributes in Page(html).tags:
        assert tag not in ("link", "img", "iframe", "object"), tag
        assert not {"src", "href", "onclick", "onerror"} & set(attributes), attributes
    assert "url(" not in html.replace("url(#frame)", "")
    assert "@import" not in html


def test_only_its_own_script_may_run_and_data_cannot_leave_its_element(html, demo):
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", html, re.S)
    assert [attributes.strip() for attributes, _ in scripts] == [
        'type="application/json" id="curve-data"', 'type="application/json" id="prompt-data"', "",
    ]  # fmt: skip
    assert f"script-src '{content_hash(scripts[-1][1])}'" in html
    assert html.count("</script") == 3
    assert "<img" not in html
    assert any(demo.HOSTILE in text for text in data(html, "prompt-data")["texts"])


def test_the_order_is_that_of_a_readers_questions(html):
    assert Page(html).ids("h2") == ["groups", "curves", "tasks", "prompts", "differences", "rerun"]
    assert html.index('id="verdict"') < html.index('id="comparisons"') < html.index('id="groups"')


def test_every_comparison_has_its_sentence_and_its_decision_in_words(study, html):
    page = Page(html)
    for one in study.comparisons:
        assert one.sentence in page.text
        assert re.search(f"[▲▼≈?] {one.decision} {one.a} against {one.b}", page.text)
        assert all(warning in page.text for warning in one.warnings)
    assert {one.decision for one in study.comparisons} == {"better", "worse", "no difference shown"}
    assert "1 of 3 groups is better than algorithm=grpo ▲ 1 better ▼ 1 worse ≈ 1 no difference shown" in page.text
    assert re.search(r"To decide: .*\d+ more pairs of seeds \(\d+ instead of 5\)", page.text)


def test_the_groups_are_there_with_what_became_of_them(study, html):
    text = Page(html).text
    for row in study.rows:
        assert re.search(f"{row.group.label}( baseline| seed)? .*?{row.interval.estimate:.3f} ", text), row.group.label
    assert text.count("baseline") == 1
    assert "4 done, 1 failed" in text
    assert "4 of 5" in text
    assert "algorithm=dapo: 1 of 5 runs has no value: 1 crashed (ValueError)" in text
    assert "seed 4: crashed at step 30 of 60: ValueError: made to fail" in text


def test_data_sources_findings_and_commands(study, html):
    text = Page(html).text
    assert re.search(
        r"Task by task .* gsm8k compared math compared algorithm=grpo 0\.\d+ \[0\.\d+, 0\.\d+\] 0\.\d+ \[", text
    )
    for run in study.runs:
        assert f"harness rerun {run.where}" in html
    assert all(run.where in text for run in study.runs)
    assert "Nothing else is known to differ." not in text
    assert "⚠ Repetitions that are missing, or did not come to their end failed or stopped runs: 1 of 5 of" in text


def test_nothing_to_mind_is_said(make_study):
    assert "Nothing else is known to differ." in Page(render(make_study())).text


def test_what_differs_beside_the_sweep_is_a_warning(study):
    versions = {"versions": {"torch": "9.9", "verl": "0.9.1"}}
    runs = [replace(run, provenance={**run.provenance, **versions}) if run.seed == 2 else run for run in study.runs]
    found = study_of(runs, study.options)
    text = Page(render(found)).text
    assert "⚠ Within a group: its runs are not repetitions of one experiment" in text
    assert found.grouping.findings
    assert all(finding.text in text for finding in found.grouping.findings)


@pytest.mark.parametrize(
    ("seeds", "decision"), [((1,), "too few seeds"), ((1, 2), "too few seeds"), ((1, 2, 3), "better")]
)
def test_few_seeds(make_study, seeds, decision):
    text = Page(render(make_study(seeds=seeds))).text
    assert f"{decision} algorithm=dapo against algorithm=grpo" in text


def test_one_group_all_pairs_and_no_samples(make_study, demo):
    one = Page(render(make_study(demo.Point(("algorithm=grpo",), 0.5), prompts=0)))
    assert "One group: there is nothing to hold it against" in one.text
    assert "prompts" not in one.ids("h2")
    assert "baseline" not in one.text


def test_all_pairs(study):
    every = Page(render(study_of(study.runs, replace(study.options, pairs="all")))).text
    assert re.search(r"\d of 6 pairs differ", every)


def test_many_comparisons_are_folded_the_decided_first(make_study, demo):
    points = [demo.Point((f"algorithm=grpo{n}",), 0.3 + 0.03 * n) for n in range(9)]
    html = render(make_study(*points, prompts=0))
    assert "The other 2 comparisons" in html
    assert html.index("better</span>") < html.index("no difference shown</span>") if "no difference" in html else True
    assert 'class="chart parallel"' in html


def test_steps_until_a_threshold_are_named_as_such(make_study):
    study = make_study(options=Options(measure=Measure("until", "steps", 0.3)))
    text = Page(render(study)).text
    assert "steps until 0.3 of accuracy, mean of the sources" in text
    assert "compared by steps until 0.3 of each run" in text


def test_labels_are_text(make_study, demo):
    hostile = demo.Point(("algorithm=<img src=x onerror=alert(1)>",), 0.5)
    html = render(make_study(hostile, demo.Point(("algorithm=dapo",), 0.6)))
    assert "<img" not in html
    assert (
        "<img src=x onerror=alert(1)> against" in Page(html).text or "against algorithm=<img src=x" in Page(html).text
    )


def test_runs_without_a_folder_a_seed_or_a_step(make_study):
    study = make_study()
    runs = [
        replace(run, folder=None, seed=None, words=(), provenance={}, where="wandb:us/sums/1") for run in study.runs
    ]
    nothing = replace(runs[-1], steps=runs[-1].steps[:0], times=runs[-1].times[:0], metrics={})
    text = Page(render(study_of([*runs[:-1], nothing], Options()))).text
    assert "wandb:us/sums/1" in text
    assert "its record does not say which versions it ran with" in text


def test_odd_text_survives(make_study, demo, tmp_path):
    study = make_study()
    for file in (tmp_path / "outputs").rglob("generations/*.jsonl"):
        file.write_text(file.read_text().replace("Let us", "\\ud800\\u202e{{ 7 * 7 }}"))
    path = write_report(study, tmp_path / "report.html")
    texts = data(path.read_text(), "prompt-data")["texts"]
    assert any("\ud800\u202e{{ 7 * 7 }}" in text for text in texts)
