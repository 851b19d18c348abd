"""Weights through shared memory: complete or refused, cast on the way, and gone with their processes."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.backend.generation.memory import ModelHost
from harness.backend.generation.model import GenerationModel
from harness.backend.generation.requests import GenerationRequest
from harness.backend.generation.weights import WeightSegment, write_weights
from harness.errors import ConfigurationError, TrainingError

ROOT = Path(__file__).parents[4]


def text(engine):
    return engine.generate_batch([GenerationRequest([5, 6, 7], 8, temperature=0)])[0].token_ids


@pytest.mark.parametrize("tied", [True, False])
def test_new_weights_are_used(make, tied):
    pair, other = make(tied=tied), make(tied=tied, seed=1)
    engine = pair.engine()
    before = text(engine)
    write_weights(WeightSegment.attach(pair.segment.handle), other.reference.state_dict().items())
    pair.model.weights_changed()
    assert text(engine) == text(other.engine())
    assert text(engine) != before


def test_weights_are_cast_to_the_servers_type(make):
    pair = make("llama", torch.bfloat16)
    trained = make("llama", torch.float32, seed=1).reference.state_dict()
    write_weights(pair.segment, trained.items())
    for name, tensor in pair.segment.tensors.items():
        assert tensor.dtype == torch.bfloat16
        assert torch.equal(tensor, trained[name].to(torch.bfloat16))


def test_tied_weights_may_come_under_either_name_or_both(make):
    pair = make(tied=True)
    assert "lm_head.weight" not in pair.segment.tensors
    weights = make(tied=True, seed=1).reference.state_dict()
    assert {"lm_head.weight", "model.embed_tokens.weight"} <= set(weights)
    for absent in ("lm_head.weight", "model.embed_tokens.weight", None):
        write_weights(pair.segment, [(name, weight) for name, weight in weights.items() if name != absent])


def test_weights_that_do_not_fit_are_named_all_at_once(make):
    pair = make(tied=False)
    weights = pair.reference.state_dict()
    del weights["model.norm.weight"], weights["model.layers.1.mlp.up_proj.weight"]
    weights["model.layers.9.mlp.up_proj.weight"] = torch.zeros(2)
    weights["lm_head.weight"] = torch.zeros(3, 4)
    with pytest.raises(TrainingError) as caught:
        write_weights(pair.segment, weights.items())
    for name in (
        "missing: model.layers.1.mlp.up_proj.weight, model.norm.weight",
        "not in the server's model: model.layers.9.mlp.up_proj.weight",
        "of another shape: lm_head.weight [3, 4] instead of [61, 32]",
    ):
        assert name in str(caught.value)
    assert caught.value.stage == "weight sync"


def test_weights_are_read_to_the_end_before_anything_is_refused(make):
    """Producing a weight is collective over the training workers: stopping half-way would leave the others waiting."""
    pair = make()
    produced = []

    def weights():
        for name in ("wrong", "also wrong"):
            produced.append(name)
            yield name, torch.zeros(1)

    with pytest.raises(TrainingError):
        write_weights(pair.segment, weights())
    assert produced == ["wrong", "also wrong"]


@pytest.mark.parametrize("name", ["base_model.model.model.norm.weight", "model.layers.0.mlp.up_proj.lora_A.weight"])
def test_adapters_are_refused_with_the_remedy(make, name):
    pair = make()
    with pytest.raises(ConfigurationError, match=r"lora\.merge=True"):
        write_weights(pair.segment, [*pair.reference.state_dict().items(), (name, torch.zeros(1))])


WRITER = """
import pickle, sys
from harness.backend.generation.weights import WeightSegment
segment = WeightSegment.attach(pickle.load(sys.stdin.buffer))
for tensor in segment.tensors.values():
    tensor.fill_(0.5)
"""

OWNER = """
import pickle, signal, sys, torch
from harness.backend.generation.weights import WeightSegment
segment = WeightSegment.create([("weight", torch.empty(1000, 1000))], {})
sys.stdout.buffer.write(pickle.dumps(segment.handle))
sys.stdout.buffer.flush()
signal.pause()
"""


def test_another_process_writes_what_this_one_reads(make):
    pair = make()
    subprocess.run([sys.executable, "-c", WRITER], input=pickle.dumps(pair.segment.handle), cwd=ROOT, check=True)
    assert all(bool((parameter == 0.5).all()) for parameter in pair.model.module.parameters())


def test_a_killed_owner_leaves_nothing_behind():
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, cwd=ROOT) as owner:
        handle = pickle.load(owner.stdout)
        attached = WeightSegment.attach(handle)
        owner.kill()
    attached.tensors["weight"].fill_(1)  # what is mapped stays valid
    assert not Path(handle.path).exists()
    assert not list(Path("/dev/shm").glob("*harness-weights*"))
    with pytest.raises(TrainingError, match="the server has ended or runs on another host"):
        WeightSegment.attach(handle)


def test_closing_gives_the_descriptor_back():
    segment = WeightSegment.create([("weight", torch.empty(10))], {})
    path = Path(segment.handle.path)
    assert path.exists()
    segment.close()
    assert not path.exists()


def test_checkpoint_weights_are_used_until_the_trainer_sends_others(make, tmp_path):
    first, second = make("qwen2", torch.float32), make("qwen2", torch.float32, seed=1)
    first.reference.save_pretrained(tmp_path)
    model = GenerationModel(first.reference.config, torch.float32, checkpoint=str(tmp_path))
    host = ModelHost(model)
    assert host.filled
    engine = first.engine()
    engine._model = model.module
    assert text(engine) == text(make("qwen2", torch.float32).engine())
    write_weights(host.segment, second.reference.state_dict().items())
    host.finish_update()
    assert text(engine) == text(second.engine())
    host.abandon_update()
    assert not host.filled


def test_a_model_without_weights_says_so(make):
    host = ModelHost(GenerationModel(make().reference.config, torch.float32))
    assert not host.filled
    write_weights(host.segment, make("llama", torch.float32).reference.state_dict().items())
    host.finish_update()
    assert host.filled
