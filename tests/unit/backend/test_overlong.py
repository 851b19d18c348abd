"""Which responses were cut off."""

from __future__ import annotations

import torch

from harness.backend.overlong import truncated, without_rows

END = 2


def nested(*rows: list[float]) -> torch.Tensor:
    return torch.nested.as_nested_tensor([torch.tensor(row) for row in rows], layout=torch.jagged)


def test_truncated_is_full_length_without_an_end() -> None:
    responses = nested([5, 6, 7, 8], [5, 6, 7, END], [5, END], [5, 6])
    assert truncated(responses, 4, frozenset({END})).tolist() == [True, False, False, False]


def test_rows_become_zero_and_keep_their_length() -> None:
    left = without_rows(nested([1, 1, 1], [1], [1, 1]), torch.tensor([True, False, True]))
    assert [row.tolist() for row in left.unbind()] == [[0, 0, 0], [1], [0, 0]]
