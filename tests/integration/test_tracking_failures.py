"""W&B fails, each kind of request in some way and in each way some kind: the training spends nothing on it.

All of them, and longer ones, are in benchmarks/tracking_failures.py.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from wandb_cases import LONGEST_END_SECONDS, Outcome, outcome
from wandb_failures import WAYS
from wandb_server import KINDS

AT_ONCE = 4
CASES = [
    ("login", "reject"),
    ("features", "malformed"),
    ("resume", "error"),
    ("run", "forbid"),
    ("run", "drop"),
    ("stream", "limit"),
    ("stream", "large"),
    ("files", "reset"),
    ("upload", "full"),
    ("artifact", "slow"),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Outcome]:
    """All cases side by side, as most of the time is waiting; each training ends once its request has failed."""

    folders = {case: tmp_path_factory.mktemp("-".join(case)) for case in CASES}  # pytest's is not for threads

    def tried(case: tuple[str, str]) -> Outcome:
        return outcome(folders[case], *case, until=lambda server, run: server.failed.total(), patience=90)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(CASES, pool.map(tried, CASES), strict=True))


def test_each_kind_and_each_way_is_tried() -> None:
    assert {kind for kind, _ in CASES} == set(KINDS)
    assert {way for _, way in CASES} == set(WAYS)


@pytest.mark.parametrize("case", CASES)
def test_a_training_spends_nothing_on_it_and_nothing_is_lost(
    case: tuple[str, str], outcomes: dict[tuple[str, str], Outcome]
) -> None:
    found = outcomes[case]
    assert found.met, "the request was never made"
    assert found.start_s < 1
    assert found.slowest_step_s < 1
    assert found.end_s < LONGEST_END_SECONDS
    assert not found.missing, found
    assert not found.lost, found
