"""The report holds what a reader needs, nothing from the network, and no text of a model as markup."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser

import pytest

from harness.records.generations import Generation, write_generations
from harness.records.metrics import MetricsWriter
from harness.records.run_folder import RunFolder
from harness.records.status import StatusWriter
from harness.report.html import render, write_report


class _Page(HTMLParser):
    """Tags with their attributes, and the text without scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._quiet = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._quiet = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._quiet = False

    def handle_data(self, data):
        self.text += "" if self._quiet else data


def test_the_report_is_small_self_contained_and_in_its_place(demo):
    path = write_report(demo)
    assert path == demo.report
    html = path.read_text()
    assert len(html) < 150_000
    page = _Page(html)
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object"), tag
        assert "src" not in attributes, attributes
        assert not re.match(r"\w+:|//", attributes.get("href") or ""), attributes
    assert "url(" not in html
    assert "@import" not in html


def test_it_says_how_the_run_went(demo):
    text = _Page(render(demo)).text
    for part in ("quickstart", "done", demo.run_id, "0.340", "0.680", "accuracy rose by 0.340", "95 % interval",
                 "100 held-out prompts", "40 of 40", "grpo", "SmolLM2-135M-Instruct", "Training reward", "mean of 5 steps",
                 "Validation", "Response length", "Entropy", "KL to the reference model", "Gradient norm",
                 "Where the time of a step goes", "actor update", "weight sync", "learning rate", "2e-05",
                 "prompts a step", "KL loss coefficient", "experiment=quickstart", "harness train experiment=quickstart", "algorithm=ppo",
                 "9f2c51e07ab4"):  # fmt: skip
        assert part in text, part


def test_text_of_the_model_is_shown_not_run(demo, hostile):
    html = render(demo)
    page = _Page(html)
    assert hostile in page.text
    assert hostile not in html
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "U+200B" in page.text, "an invisible character is spelled out"


def test_only_the_reports_own_script_may_run(demo):
    policies = [a["content"] for tag, a in _Page(render(demo)).tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert re.search(r"script-src 'sha256-[\w+/=]+'", policies[0])


def test_a_report_is_the_same_whenever_it_is_written(demo):
    assert render(demo) == render(demo)


def test_a_failed_run_says_why_first(tmp_path, make_demo_run):
    folder = make_demo_run(tmp_path, steps=5, prompts=10, end="failed")
    text = _Page(render(folder)).text
    assert text.index("could not convert '12a'") < text.index("Curves")
    assert "let the reward function return 0.0" in text
    assert "stage: reward" in text


def test_a_killed_run_is_reported_as_dead(demo):
    status = StatusWriter(demo)
    status.running()
    values = demo.status.read_text().replace(status.status.pid_started, "an earlier boot/1")
    demo.status.write_text(values)
    text = _Page(render(demo)).text
    assert "failed" in text
    assert "is gone and recorded no end" in text


def test_a_run_that_has_only_just_begun_has_a_report(tmp_path):
    text = _Page(render(RunFolder.create(tmp_path, "demo"))).text
    assert "pending" in text
    assert "nothing was measured yet" in text


def test_a_run_without_validation_speaks_of_the_reward(tmp_path):
    folder = RunFolder.create(tmp_path, "demo")
    writer = MetricsWriter(folder.metrics)
    for step in (1, 2, 3):
        writer.write(step, {"critic/score/mean": 0.2 * step, "actor/grad_norm": float("nan")})
    text = _Page(render(folder)).text
    assert "training reward" in text
    assert "+0.400 from step 1 to step 3" in text
    assert "Gradient norm" not in text, "a chart without a number is left out"


def test_without_single_scores_the_verdict_claims_no_interval(demo):
    shutil.rmtree(demo.generations)
    text = _Page(render(demo)).text
    assert "no single scores, so no interval" in text
    assert "held-out prompts" not in text


def test_no_clear_change_is_called_so(tmp_path):
    folder = RunFolder.create(tmp_path, "demo")
    for step, right in ((0, 5), (10, 6)):
        samples = [Generation(i, f"q{i}", "a", "b", float(i < right or i == step)) for i in range(20)]
        write_generations(folder.generations, step, samples)
        MetricsWriter(folder.metrics).write(step, {"val-core/x/reward/mean@1": 0.3, "critic/score/mean": 0.1})
    assert "no clear change: +0.100" in _Page(render(folder)).text


def test_samples_of_an_abandoned_attempt_are_not_taken_for_the_end(demo):
    write_generations(demo.generations, 99, [Generation(0, "q", "from the future", "b", 1.0)])
    assert "from the future" not in render(demo)


def test_a_single_validation_shows_its_samples(tmp_path):
    folder = RunFolder.create(tmp_path, "demo")
    write_generations(folder.generations, 0, [Generation(0, "q", "only answer", "b", 1.0)])
    MetricsWriter(folder.metrics).write(0, {"val-core/x/acc/mean@1": 1.0})
    text = _Page(render(folder)).text
    assert "only answer" in text
    assert "measured once, at step 0" in text


def test_a_long_run_with_long_answers_stays_below_the_limit(tmp_path, make_demo_run):
    folder = make_demo_run(tmp_path, steps=5000, prompts=20)
    long = [Generation(i, f"q{i}" * 9000, "<b> \t\n" * 40_000, "b", 0.0, extra={"acc": 0.0}) for i in range(20)]
    for step in (0, 5000):
        write_generations(folder.generations, step, long)
    html = render(folder)
    assert len(html.encode()) < 1_500_000
    assert "characters left out" in html


def test_a_secret_override_is_masked(demo):
    demo.overrides.write_text("- tracking.api_key=very-secret\n")
    demo.config.write_text("tracking:\n  api_key: very-secret\n")
    assert "very-secret" not in render(demo)


@pytest.mark.parametrize("text", ["\ud800", "\x00", "\u202e", "]]>", "{{ 7 * 7 }}", "&amp;"])
def test_odd_text_survives(demo, text):
    last = max(int(path.stem) for path in demo.generations.iterdir())
    for step in (0, last):
        write_generations(demo.generations, step, [Generation(i, f"q{i}", text, "b", 0.0) for i in range(3)])
    page = _Page(write_report(demo).read_text())
    shown = text if text.isprintable() else f"U+{ord(text):04X}"
    assert shown in page.text
