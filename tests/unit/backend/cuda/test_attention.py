"""Packed sequences do not see each other; on a CPU, the same code around PyTorch's ordinary attention."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from harness.backend.cuda.attention import packed_attention
from harness.errors import ConfigurationError

SHARE = Path(__file__).with_name("share.py")
models, computed = map(runpy.run_path(str(SHARE)).get, ("models", "computed"))


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


@pytest.mark.timeout(240)  # two processes import verl
def test_sequences_spread_over_processes(tmp_path: Path) -> None:
    lengths, shares = (7, 1, 4, 12), 2
    positions = torch.cat([torch.arange(length) for length in lengths])[None]
    row = torch.randint(50, (1, sum(lengths))), positions, torch.randn(1, sum(lengths), 50)
    torch.save(row, tmp_path / "row.pt")
    words = [sys.executable, str(SHARE)]
    processes = [subprocess.Popen([*words, str(rank), str(shares), str(tmp_path)]) for rank in range(shares)]
    assert [process.wait() for process in processes] == [0] * shares
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in range(shares)]
    for kv_heads in (1, 2):
        logits, gradients = computed(kv_heads, *row)
        shared = torch.cat([part[kv_heads][0] for part in parts], 1)
        torch.testing.assert_close(shared, logits, atol=1e-5, rtol=1e-5)
        for part in parts:
            for mine, whole in zip(part[kv_heads][1], gradients, strict=True):
                torch.testing.assert_close(mine, whole, atol=1e-4, rtol=1e-4)
