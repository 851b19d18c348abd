"""Templates, and what they make of the databases."""

from __future__ import annotations

import re

from experiments.reward_sql.data.filters import FILTERS
from experiments.reward_sql.data.outputs import OUTPUTS
from experiments.reward_sql.data.questions import SETS, difficulty, templates
from experiments.reward_sql.data.schemas import HELD_OUT, SEEN, names, tables_of

# Words that questions are made of, which no table or column may have for a name.
FRAME_WORDS = set(
    re.findall(
        r"[a-z]+",
        "list what is the of show and for all which different do have every once how many are there count find among "
        "percentage highest lowest has in ascending descending order each per average total largest smallest more than "
        "most fewest year over under at least with whose not any but or between after before begins contains that "
        "without above below both no from on",
    )
)


def parts(template: str) -> set[str]:
    """Return what a template is put together from."""
    return {part for part in re.split(r"[|+,]", template) if part}


def test_each_part_of_a_held_out_template_is_in_others_that_are_trained_on() -> None:
    trained = {part for template, held_out in templates().items() if not held_out for part in parts(template)}
    held_out = {part for template, held_out in templates().items() if held_out for part in parts(template)}

    assert held_out <= trained
    assert trained == {*FILTERS, *OUTPUTS, *SETS}


def test_a_sixth_of_the_templates_is_held_out_and_of_every_output() -> None:
    held_out = [template for template, held in templates().items() if held]

    assert len(templates()) > 400
    assert 1 / 8 < len(held_out) / len(templates()) < 1 / 4
    assert {template.split("|")[0] for template in held_out} == {*OUTPUTS, *SETS}


def test_databases_are_realistic_and_held_out_ones_are_others() -> None:
    assert len(SEEN) >= 8
    assert len(HELD_OUT) >= 3
    assert not set(SEEN) & set(HELD_OUT)
    for db_id in (*SEEN, *HELD_OUT):
        tables = tables_of(db_id)
        assert len(tables) >= 4
        assert sum(len(table.of_kind("ref")) for table in tables.values()) >= 3
        assert {"id", "ref", "label", "cat", "date"} <= {c.kind for table in tables.values() for c in table.columns}


def test_names_are_no_words_that_questions_are_made_of() -> None:
    assert set(names()) & FRAME_WORDS == set()
    categories = {
        v for d in (*SEEN, *HELD_OUT) for t in tables_of(d).values() for c in t.of_kind("cat") for v in c.detail
    }
    assert categories & (FRAME_WORDS | {"c1", "n", "year"}) == set()


def test_difficulty_rises_with_what_a_question_is_put_together_from() -> None:
    assert [difficulty(weight) for weight in range(1, 7)] == ["easy", "easy", "medium", "hard", "extra", "extra"]
