"""Packed sequences do not see each other; on a CPU, the same code around PyTorch's ordinary attention."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from harness.backend.cuda.attention import NAME, packed_attention, register
from harness.errors import ConfigurationError

SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def models(kind: type, config: type, **more: object) -> tuple:
    """The same weights twice: with ours, and with transformers' eager attention."""
    register()
    torch.manual_seed(0)
    plain = kind._from_config(config(**SIZES, **more), attn_implementation="eager")
    ours = kind._from_config(config(**SIZES, **more), attn_implementation=NAME)
    ours.load_state_dict(plain.state_dict())
    return ours, plain


@pytest.mark.parametrize(
    ("kind", "config", "more"),
    [
        (LlamaForCausalLM, LlamaConfig, {}),
        (MistralForCausalLM, MistralConfig, {"sliding_window": 3}),
        (MistralForCausalLM, MistralConfig, {"sliding_window": 100}),
    ],
)
def test_packed_equals_apart(kind: type, config: type, more: dict) -> None:
    ours, plain = models(kind, config, **more)
    sequences = [torch.randint(50, (1, length)) for length in (7, 1, 4, 12)]
    positions = torch.cat([torch.arange(ids.shape[1]) for ids in sequences])[None]
    packed = ours(torch.cat(sequences, 1), attention_mask=None, position_ids=positions).logits
    apart = torch.cat([plain(ids).logits for ids in sequences], 1)
    torch.testing.assert_close(packed, apart, atol=1e-5, rtol=1e-5)
    weights = torch.randn_like(apart)
    for logits in (packed, apart):
        (logits * weights).sum().backward()
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-4)


def test_rows_padded_on_the_right() -> None:
    ours, plain = models(LlamaForCausalLM, LlamaConfig)
    ids = torch.randint(50, (3, 9))
    mask = torch.arange(9) < torch.tensor([[9], [4], [1]])
    padded = ours(ids, attention_mask=mask.long(), position_ids=torch.arange(9).expand(3, -1)).logits
    torch.testing.assert_close(padded[mask], plain(ids, attention_mask=mask.long()).logits[mask], atol=1e-5, rtol=1e-5)


def test_what_the_kernels_lack_is_refused() -> None:
    tensor = torch.randn(1, 2, 3, 4)
    layer = torch.nn.Module()
    with pytest.raises(ConfigurationError, match="softcap"):
        packed_attention(layer, tensor, tensor, tensor, None, softcap=30.0)
