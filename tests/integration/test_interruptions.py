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
    given, draw, left = words(STEPS, SEED), random.Random(SEED), 3
    whole = undisturbed(tmp_path, given)
    while left:  # a training that ends before as many is followed by another
        run, made = interrupted(tmp_path, given, most=left, longest=45.0, draw=draw)
        left -= len(made)
        for before, each in itertools.pairwise(made):
            assert each.begun is None or each.begun >= before.saved, "what was saved is not done again"
        assert differences(run, whole, STEPS) == []
        assert len(without_record(run, STEPS)) <= len(made)
