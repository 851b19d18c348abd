"""What a run wrote at a validation, a value a sample: so that two runs can be compared prompt by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import orjson

from harness.compare.reading import Reader
from harness.records.generations import Generation, read_generations

CORRECT = "acc"  # what every reward function of the harness returns beside its score


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of one validation; arrays of one length.

    Attributes:
        index: Which example of the data set each answers; one that was sampled several times comes several times.
        score: The reward; NaN where it was none.
        correct: Whether it was right, 1 or 0 (or a share of 1); NaN where the reward function did not say.
        prompt: A number for what was asked: equal for equal texts of one data source.
        source: The place of its data source in `sources`.
        sources: Names of data sources; an empty one where the record does not say.
    """

    index: np.ndarray
    score: np.ndarray
    correct: np.ndarray
    prompt: np.ndarray
    source: np.ndarray
    sources: tuple[str, ...]
    _means: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)

    @cached_property
    def asked(self) -> tuple[np.ndarray, np.ndarray]:
        """The examples' indices, ascending, and the prompt of each."""
        examples, first = np.unique(self.index, return_index=True)
        return examples, self.prompt[first]

    def of(self, sources: Sequence[str]) -> Samples:
        """Those of these data sources; all of them where the record does not say whose they are."""
        wanted = [place for place, name in enumerate(self.sources) if name in sources or not name]
        if len(wanted) == len(self.sources):
            return self
        kept = np.isin(self.source, wanted)
        index, prompt, source = self.index[kept], self.prompt[kept], self.source[kept]
        return Samples(index, self.score[kept], self.correct[kept], prompt, source, self.sources)

    def by_example(self, quantity: str) -> tuple[np.ndarray, np.ndarray]:
        """The mean over the samples of each example; computed once.

        Args:
            quantity: ``score`` or ``correct``.

        Returns:
            The examples' indices, ascending, and their means; examples without a value are left out.
        """
        if quantity not in self._means:
            values = getattr(self, quantity)
            there = ~np.isnan(values)
            examples, place = np.unique(self.index[there], return_inverse=True)
            counts = np.bincount(place, minlength=len(examples))
            self._means[quantity] = examples, np.bincount(place, values[there], minlength=len(examples)) / counts
        return self._means[quantity]


def samples_of(found: Sequence[Generation]) -> Samples:
    """The numbers of generations.

    Raises:
        ValueError: An index is no number of an example.
    """
    sources = list(dict.fromkeys(each.source for each in found))
    scores = [np.nan if each.score is None else each.score for each in found]
    try:
        index = np.array([each.index for each in found], np.int64)
    except OverflowError as error:
        raise ValueError(f"an index is no number of an example: {error}") from error
    return Samples(
        index=index,
        score=np.array(scores, np.float64),
        correct=np.array([_correct(each.extra.get(CORRECT)) for each in found], np.float64),
        prompt=np.array([_number(each) for each in found], np.uint64),
        source=np.array([sources.index(each.source) for each in found], np.int64),
        sources=tuple(sources),
    )


def _number(asked: Generation) -> int:
    text = f"{asked.source}\0{asked.input}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def _correct(value: object) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


def _parse(file: Path) -> bytes:
    found = samples_of(read_generations(file.parent, int(file.stem)))
    head = orjson.dumps({"sources": found.sources, "samples": len(found.index)})
    arrays = (found.index, found.score, found.correct, found.prompt, found.source)
    return b"".join([len(head).to_bytes(8, "little"), head, *(array.tobytes() for array in arrays)])


def _unpacked(content: memoryview) -> Samples:
    cut = 8 + int.from_bytes(content[:8], "little")
    head = orjson.loads(content[8:cut])
    index, score, correct, prompt, source = np.frombuffer(content, np.int64, offset=cut).reshape(5, head["samples"])
    return Samples(
        index, score.view(np.float64), correct.view(np.float64), prompt.view(np.uint64), source, tuple(head["sources"])
    )


#: The samples of validations, ``generations/<step>.jsonl``.
SAMPLES = Reader("samples", _parse, _unpacked)
