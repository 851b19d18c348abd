"""A training that is killed at random moments ends with the very numbers of one that is not.

Fifty interruptions are ``benchmarks/interruptions.py``.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path

from interruptions import differences, interrupted, undisturbed, without_record, words

STEPS, SEED = 8, 11


def test_three_interruptions(tmp_path: Path) -> None:
    given = words(STEPS, SEED)
    run, made = interrupted(tmp_path, given, most=3, longest=45.0, draw=random.Random(SEED))
    whole = undisturbed(tmp_path, given)
    assert made, "nothing was interrupted"
    for before, each in itertools.pairwise(made):
        assert each.step >= before.saved, "what was saved is not done again"
    assert differences(run, whole, STEPS) == []
    assert len(without_record(run, STEPS)) <= len(made)
