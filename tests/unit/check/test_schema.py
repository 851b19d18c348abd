"""What is read from verl's source is what verl has when it is imported."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from harness.check import schema
from harness.check.schema import verl_schema

if TYPE_CHECKING:
    import pytest


def test_dataclasses() -> None:
    from verl.trainer import config as trainer_config
    from verl.workers import config as worker_config

    found = 0
    for module in (worker_config, trainer_config):
        for name, cls in vars(module).items():
            if isinstance(cls, type) and dataclasses.is_dataclass(cls) and name in verl_schema().classes:
                fields = {field.name for field in dataclasses.fields(cls)}
                assert fields <= set(verl_schema().classes[name]), name
                found += 1
    assert found > 30


def test_names() -> None:
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY
    from verl.utils.tracking import Tracking

    names = verl_schema().names
    assert set(ADV_ESTIMATOR_REGISTRY) - {"harness"} <= set(names["estimator"])
    assert {name for name in POLICY_LOSS_REGISTRY if POLICY_LOSS_REGISTRY[name].__module__.startswith("verl.")} == set(
        names["policy loss"]
    )
    assert set(Tracking.supported_backend) == set(names["tracker"])
    assert {"vllm", "sglang"} <= set(names["rollout"])


def test_it_is_kept_under_verls_version(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    first = schema.verl_schema.__wrapped__()
    assert first.seconds > 0
    (file,) = tmp_path.glob("verl-*.json")
    again = schema.verl_schema.__wrapped__()
    assert (again.seconds, again.classes, again.names) == (0.0, first.classes, first.names)
    file.write_text(json.dumps({"torn": 1}))
    assert schema.verl_schema.__wrapped__().names == first.names
