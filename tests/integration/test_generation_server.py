"""Built-in generation servers as Ray actors: beside training workers, and on their own with weights over gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

SCRIPT = Path(__file__).with_name("generation_cluster.py")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[LlamaForCausalLM, Path]:
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=61,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            initializer_range=0.5,
            eos_token_id=None,
            pad_token_id=0,
            tie_word_embeddings=True,
        )
    ).eval()
    folder = tmp_path_factory.mktemp("policy")
    model.save_pretrained(folder)
    return model, folder


@pytest.fixture(scope="module")
def seen(model: tuple[LlamaForCausalLM, Path]) -> dict:
    """What happened on the cluster."""
    environment = {
        **os.environ,
        "VERL_PLATFORM": "cpu",
        "VERL_USE_EXTERNAL_MODULES": "harness.backend.plugin",
        "PYTHONPATH": str(SCRIPT.parents[2]),
        "HARNESS_CPU_THREADS": "2",
    }
    with tempfile.TemporaryDirectory(prefix="ray") as ray_folder:  # short: a socket's path is limited to 107 bytes
        result = subprocess.run(
            [sys.executable, SCRIPT, model[1], ray_folder],
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    assert result.returncode == 0, result.stderr[-6000:]
    return json.loads(result.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def texts(model: tuple[LlamaForCausalLM, Path]) -> list[list[int]]:
    """Greedy text of the model with its weights doubled 0, 1, 2, … times."""
    found = []
    for _ in range(5):
        output = model[0].generate(torch.tensor([[5, 6]]), do_sample=False, max_new_tokens=8)
        found.append(output[0, 2:].tolist())
        with torch.no_grad():
            for parameter in model[0].parameters():
                parameter.mul_(2)
    return found


def test_every_training_worker_feeds_its_own_server(seen: dict, texts: list[list[int]]) -> None:
    assert texts[0] != texts[1]
    assert seen["hybrid"]["addresses"] == ["builtin_server_0", "builtin_server_1"]
    assert seen["hybrid"]["first"] == [[texts[0], 1]] * 2
    assert seen["hybrid"]["second"] == [[texts[1], 2]] * 2


def test_a_batch_has_the_same_bits_each_time(seen: dict) -> None:
    assert seen["hybrid"]["equal batches"]


def test_errors_reach_the_caller_as_themselves(seen: dict) -> None:
    for place, kind, part in (
        ("before weights", "TrainingError", "no complete weights"),
        ("wrong parameter", "ConfigurationError", "min_p"),
        ("nonsense", "TrainingError", "not in the server's model: nonsense"),
    ):
        *kinds, message = seen["hybrid"][place]
        assert kind in kinds
        assert part in message


def test_a_standalone_server_gets_its_weights_over_gloo(seen: dict, texts: list[list[int]]) -> None:
    assert seen["standalone"]["address"] == "builtin_server_2"
    assert seen["standalone"]["step 3"] == [texts[1], 3]
    assert seen["standalone"]["step 4"] == [texts[2], 4]


def test_abort_and_resume_over_ray(seen: dict, texts: list[list[int]]) -> None:
    assert seen["standalone"]["rejected"] == [[], 4]
    assert seen["standalone"]["answered while paused"] == 0
    assert seen["standalone"]["resumed"] == [texts[2], 4]
