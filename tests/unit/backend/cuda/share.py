"""One of several processes that share a packed row: `python share.py RANK SHARES FOLDER`; see test_attention.py."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from transformers import LlamaConfig, LlamaForCausalLM
from verl.utils.ulysses import set_ulysses_sequence_parallel_group

from harness.backend.cuda.attention import NAME, register

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
    plain = kind._from_config(config(**{**SIZES, **more}), attn_implementation="eager")
    ours = kind._from_config(config(**{**SIZES, **more}), attn_implementation=NAME)
    ours.load_state_dict(plain.state_dict())
    return ours, plain


def computed(kv_heads: int, ids: torch.Tensor, positions: torch.Tensor, weights: torch.Tensor) -> tuple:
    """The logits of these tokens, and the gradients that they give."""
    ours, _ = models(LlamaForCausalLM, LlamaConfig, num_key_value_heads=kv_heads)
    logits = ours(ids, attention_mask=None, position_ids=positions.clone()).logits
    (logits * weights).sum().backward()
    return logits.detach(), [parameter.grad for parameter in ours.parameters()]


def main(rank: int, shares: int, folder: Path) -> None:
    """Compute one share of the row, for models with fewer KV heads than shares and with as many."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=shares)
    set_ulysses_sequence_parallel_group(dist.group.WORLD)
    row = torch.load(folder / "row.pt")
    results = {}
    for kv_heads in (1, 2):
        logits, gradients = computed(kv_heads, *(part.chunk(shares, dim=1)[rank] for part in row))
        for gradient in gradients:
            dist.all_reduce(gradient)
        results[kv_heads] = logits, gradients
    torch.save(results, folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
