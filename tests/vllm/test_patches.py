"""Each patch for vLLM on a CPU is still needed; a test that fails here says that one can be deleted."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import inspect

import pytest
import torch
from vllm.model_executor.layers import utils
from vllm.model_executor.layers.linear import UnquantizedLinearMethod

from harness.backend import patches


@pytest.fixture(autouse=True)
def unpatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shipped, whether or not this process has been patched; put back afterwards."""
    for module, name in ((importlib.metadata, "version"), (utils, "dispatch_cpu_unquantized_gemm")):
        monkeypatch.setattr(module, name, inspect.unwrap(getattr(module, name)))


def test_verl_knows_vllm_by_one_name() -> None:
    spec = importlib.util.find_spec("verl.workers.rollout.vllm_rollout")
    with pytest.raises((ValueError, importlib.metadata.PackageNotFoundError)):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    patches._vllm_by_its_name_on_cpus()
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_vllm_drops_weights_that_it_has_packed() -> None:
    layers = [torch.nn.Linear(64, 32, bias=False) for _ in range(2)]
    weights = [layer.weight.detach().clone() for layer in layers]
    UnquantizedLinearMethod().process_weights_after_loading(layers[0])
    assert layers[0].weight.numel() == 0
    patches._weights_kept_beside_packed_ones()
    UnquantizedLinearMethod().process_weights_after_loading(layers[1])
    torch.testing.assert_close(layers[1].weight, weights[1], atol=0, rtol=0)
    inputs = torch.randn(3, 64)
    packed = layers[1].cpu_linear(inputs, layers[1].weight, None)
    torch.testing.assert_close(packed, inputs @ weights[1].T, atol=1e-5, rtol=1e-4)
