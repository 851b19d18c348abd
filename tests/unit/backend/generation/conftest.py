"""Small models made on the spot, as the trainer has them and as the generation engine has them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from harness.backend.generation.engine import GenerationEngine
from harness.backend.generation.limits import EngineLimits
from harness.backend.generation.model import GenerationModel
from harness.backend.generation.weights import WeightSegment, write_weights

VOCABULARY = 61
EOS = 2
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "initializer_range": 0.5,  # far from uniform, so that a wrong cache changes the text
    "bos_token_id": 1,
    "eos_token_id": EOS,
    "pad_token_id": 0,
}


@dataclass
class Pair:
    """The same weights twice: an ordinary Hugging Face model, and the engine's."""

    reference: PreTrainedModel
    model: GenerationModel
    segment: WeightSegment

    def engine(self, eos: int | list[int] | None = None, **limits: int) -> GenerationEngine:
        return GenerationEngine(self.model.module, eos, EngineLimits(**limits))


def make_pair(kind: str = "llama", dtype: torch.dtype = torch.float64, tied: bool = True, seed: int = 0) -> Pair:
    torch.manual_seed(seed)
    if kind == "llama":
        reference = LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=2, tie_word_embeddings=tied))
    else:
        reference = Qwen2ForCausalLM(Qwen2Config(**SIZES, num_key_value_heads=1, tie_word_embeddings=tied))
    reference = reference.to(dtype).eval().requires_grad_(False)
    model = GenerationModel(reference.config, dtype)
    segment = WeightSegment.create(model.named_weights(), model.tied_names())
    model.replace(segment.tensors)
    write_weights(segment, reference.state_dict().items())
    model.weights_changed()
    return Pair(reference, model, segment)


@pytest.fixture(scope="session")
def make() -> Callable[..., Pair]:
    return make_pair


@pytest.fixture(scope="session")
def llama() -> Pair:
    return make_pair("llama")


@pytest.fixture(scope="session")
def prompts() -> list[list[int]]:
    """Prompts of many lengths, the first tokens alike in some."""
    generator = random.Random(0)
    common = [generator.randrange(3, VOCABULARY) for _ in range(12)]
    own = [[generator.randrange(3, VOCABULARY) for _ in range(generator.randrange(1, 20))] for _ in range(14)]
    return [[*common, *tokens] if index % 2 else tokens for index, tokens in enumerate(own)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
