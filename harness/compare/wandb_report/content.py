"""What a report in W&B holds: the verdict and its table as text, a run set a group, and panels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.compare.export import as_markdown
from harness.compare.report.figures import shown_first
from harness.compare.report.quantities import label
from harness.compare.report.verdicts import headline
from harness.compare.study import Study
from harness.compare.wandb_report.panels import deciding_keys, line_plots, parallel_plot, themes
from harness.compare.wandb_report.places import Placed
from harness.config.words import short_keys

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import Report, Runset

LONGEST_TITLE = 128  # characters, by W&B's rules
OTHERS = "the other groups"
BANDS = (
    "Lines are the means of a group's runs, bands one standard error, as W&B draws them. What decides are the 95 % "
    "intervals of the table."
)


def report(study: Study, where: Placed) -> Report:
    """The report, not saved yet; naming a run set's project asks W&B for it only when it is.

    Args:
        study: The comparison.
        where: Its runs in W&B.
    """
    from wandb_workspaces.reports.v2 import H2, MarkdownBlock, P, PanelGrid, Report, RunComparer

    entity, project = where.home
    sets = run_sets(study, where)
    blocks: list[Any] = [MarkdownBlock(text(study, where)), P(BANDS)]
    for title, metrics in themes(study).items():
        blocks += [H2(title), PanelGrid(runsets=sets, panels=[*line_plots(study, metrics)])]
    whole = [_run_set(name, "/".join(name), ids, ()) for name, ids in where.projects.items()]
    if found := parallel_plot(study):
        blocks += [H2("The sweep at a glance"), PanelGrid(runsets=whole, panels=[*found])]
    comparer = RunComparer(diff_only="split")
    comparer.layout.w, comparer.layout.h = 24, 12
    blocks += [H2("Keys that differ"), MarkdownBlock(keys_table(study)), PanelGrid(runsets=whole, panels=[comparer])]
    return Report(
        entity=entity, project=project, title=title_of(study), description=headline(study).text, blocks=blocks,
        width="fluid",
    )  # fmt: skip


def title_of(study: Study) -> str:
    """Metric and swept keys, without slashes: it becomes a part of the address."""
    keys = ", ".join(short_keys(study.grouping.keys))
    return f"{label(study.metric)}{f' by {keys}' if keys else ''}".replace("/", " ")[:LONGEST_TITLE]


def text(study: Study, where: Placed) -> str:
    """The verdict, the table and what to mind, as Markdown."""
    first = headline(study)
    counts = "".join(f"\n- {sign} {decision}: {count}" for sign, decision, count in first.counts)
    notes = "".join(f"- {note}\n" for note in where.notes)
    said = " ".join(filter(None, [first.sign, first.text]))
    return f"**{said}**{counts}\n\n{as_markdown(study)}{notes}"


def keys_table(study: Study) -> str:
    """What was swept, a line a group."""
    rows = [("group", *study.grouping.keys)]
    rows += [(row.group.label, *(row.group.values.get(key, "") for key in study.grouping.keys)) for row in study.rows]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def run_sets(study: Study, where: Placed) -> list[Runset]:
    """One a group, grouped by what was swept: a line a group. Of many groups, the lesser ones share one.

    A run set is of one project, so that a group of runs in two projects has two.
    """
    keys = [f"config.{key}" for key in deciding_keys(study)] or ["group"]
    drawn = shown_first(study)
    found: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for (number, entity, project), ids in where.groups.items():
        key = (study.rows[number].group.label if number in drawn else OTHERS, entity, project)
        found[key] = (*found.get(key, ()), *ids)
    names = Counter(name for name, *_ in found)
    return [
        _run_set((entity, project), f"{name} in {entity}/{project}" if names[name] > 1 else name, ids, keys)
        for (name, entity, project), ids in found.items()
    ]


def _run_set(place: tuple[str, str], name: str, ids: Sequence[str], keys: Sequence[str]) -> Runset:
    from wandb_workspaces.reports.v2 import Runset

    # its own objects become text without escapes, which a quote or an equals sign in an id would break
    texts = ", ".join(repr(each).replace("=", r"\x3d") for each in ids)
    chosen = f'Metric("ID") in [{texts}]'
    return Runset(entity=place[0], project=place[1], name=name, filters=chosen, groupby=list(keys))
