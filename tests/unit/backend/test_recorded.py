"""What is noted of validation's prompts before they are generated under random names."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from harness.backend.recorded import Asked, _NumberedRollout
from harness.records.generations import Generation, read_generations, write_generations


@pytest.fixture
def rollout():
    asked: dict[str, Asked] = {}
    return _NumberedRollout(SimpleNamespace(generate_sequences=lambda prompts: None, name="verl's"), asked), asked


def test_examples_are_numbered_over_the_batches_with_their_sources(rollout) -> None:
    manager, asked = rollout
    for uids, sources in ((["u", "v"], ["gsm8k", "math"]), (["w"], ["math"])):
        batch = {"validate": True, "uid": np.array(uids, object), "data_source": np.array(sources, object)}
        manager.generate_sequences(batch)
    assert asked == {"u": (0, "gsm8k"), "v": (1, "math"), "w": (2, "math")}
    assert manager.name == "verl's"


def test_a_data_set_without_sources_and_a_training_batch(rollout) -> None:
    manager, asked = rollout
    manager.generate_sequences({"uid": np.array(["t"], object)})
    manager.generate_sequences({"validate": True, "uid": np.array(["u"], object)})
    assert asked == {"u": (0, "")}


def test_the_source_is_recorded(tmp_path) -> None:
    written = [Generation(0, "in", "out", "4", 1.0, 3, source="math"), Generation(1, "in", "out", "4", 1.0, 3)]
    path = write_generations(tmp_path, 3, written)
    assert read_generations(tmp_path, 3) == written
    assert path.read_text().count('"data_source": "math"') == 1
