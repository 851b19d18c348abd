"""A micro-batch laid out so that a prompt shared by several responses is computed once.

Rows of the layout hold a prompt followed by its responses, side by side; each token sees the prompt and its own
response only, so that the arithmetic is that of separate sequences. Short groups share a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

MAX_WIDTH = 512  # beyond it attention over other responses' tokens, masked but computed, costs more than is saved
_EMPTY = -1


@dataclass(frozen=True)
class SharedPrefixLayout:
    """Where the tokens of a micro-batch go.

    Attributes:
        cells: (rows, width), for each place the token's index in the batch's flat tokens; −1 where empty.
        attention_mask: (rows, 1, width, width), whether the query in the third dimension sees the key in the fourth.
        readers: (targets,), index in the flattened layout of the token that predicts each response token.
        targets: (targets,), index of each response token in the batch's flat tokens.
    """

    cells: torch.Tensor
    attention_mask: torch.Tensor
    readers: torch.Tensor
    targets: torch.Tensor

    def place(self, values: torch.Tensor, fill: int = 0) -> torch.Tensor:
        """(tokens,) values of the batch as (rows, width)."""
        return torch.where(self.cells >= 0, values[self.cells.clamp(min=0)], fill)


@dataclass(frozen=True)
class _Group:
    """A prompt with responses to it, as (first, end) ranges of flat tokens."""

    prompt: tuple[int, int]
    responses: tuple[tuple[int, int], ...]

    @property
    def width(self) -> int:
        return sum(end - first for first, end in (self.prompt, *self.responses))


def share_prefixes(tokens: torch.Tensor, offsets: torch.Tensor, prompt_lengths: torch.Tensor) -> SharedPrefixLayout:
    """Lay a micro-batch out.

    Args:
        tokens: (tokens,), prompt and response of each sequence, one sequence after the other.
        offsets: (sequences + 1,), where each sequence begins.
        prompt_lengths: (sequences,), at least 1 each.
    """
    flat = tokens.cpu().numpy()
    spans = list(pairwise(offsets.tolist()))
    splits = [first + length for (first, _), length in zip(spans, prompt_lengths.tolist(), strict=True)]
    width = max(MAX_WIDTH, *(end - first for first, end in spans))
    groups = _groups(flat, spans, splits, width)
    rows = _pack([group.width for group in groups], min(width, max(group.width for group in groups)))
    return _lay_out([[groups[number] for number in row] for row in rows])


def _groups(flat: np.ndarray, spans: list[tuple[int, int]], splits: list[int], width: int) -> list[_Group]:
    """Sequences by prompt, in the order the prompts first appear; a group wider than allowed is divided."""
    by_prompt: dict[bytes, list[int]] = {}
    for number, ((first, _), split) in enumerate(zip(spans, splits, strict=True)):
        by_prompt.setdefault(flat[first:split].tobytes(), []).append(number)
    groups = []
    for members in by_prompt.values():
        prompt = (spans[members[0]][0], splits[members[0]])
        room, responses = width - (prompt[1] - prompt[0]), list[tuple[int, int]]()
        for number in members:
            response = (splits[number], spans[number][1])
            if responses and sum(end - first for first, end in [*responses, response]) > room:
                groups.append(_Group(prompt, tuple(responses)))
                responses = []
            responses.append(response)
        groups.append(_Group(prompt, tuple(responses)))
    return groups


def _pack(widths: list[int], capacity: int) -> list[list[int]]:
    """First-fit decreasing: which items share a row of this capacity."""
    rows: list[list[int]] = []
    room: list[int] = []
    for item in sorted(range(len(widths)), key=lambda item: -widths[item]):
        row = next((row for row, free in enumerate(room) if free >= widths[item]), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(capacity)
        rows[row].append(item)
        room[row] -= widths[item]
    return rows


def _lay_out(rows: list[list[_Group]]) -> SharedPrefixLayout:
    width = max(sum(group.width for group in row) for row in rows)
    cells = np.full((len(rows), width), _EMPTY, dtype=np.int64)
    group_of, branch_of = np.full_like(cells, _EMPTY), np.zeros_like(cells)  # branch 0 is the prompt
    readers, targets = [], []
    for row, groups in enumerate(rows):
        place = 0
        for number, group in enumerate(groups):
            last_of_prompt = row * width + place + group.prompt[1] - group.prompt[0] - 1
            for branch, (first, end) in enumerate((group.prompt, *group.responses)):
                here = slice(place, place + end - first)
                cells[row, here], group_of[row, here], branch_of[row, here] = np.arange(first, end), number, branch
                if branch and end > first:
                    start = row * width + place
                    readers.append(np.array([last_of_prompt, *range(start, start + end - first - 1)]))
                    targets.append(np.arange(first, end))
                place = here.stop
    return SharedPrefixLayout(
        cells=torch.from_numpy(cells),
        attention_mask=_mask(torch.from_numpy(group_of), torch.from_numpy(branch_of)),
        readers=torch.from_numpy(np.concatenate(readers)) if readers else torch.zeros(0, dtype=torch.int64),
        targets=torch.from_numpy(np.concatenate(targets)) if targets else torch.zeros(0, dtype=torch.int64),
    )


def _mask(group: torch.Tensor, branch: torch.Tensor) -> torch.Tensor:
    """Causal within a group; a response sees the prompt and itself. Empty places see each other: none is blind."""
    width = group.shape[1]
    same_group = group[:, :, None] == group[:, None, :]
    visible = (branch[:, None, :] == 0) | (branch[:, :, None] == branch[:, None, :])
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    return (same_group & visible & causal)[:, None]
