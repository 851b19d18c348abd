"""oneDNN's linear layers against PyTorch's."""

from __future__ import annotations

import pytest
import torch

from harness.backend.generation.linear import OneDNNLinear, use_onednn

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("bias", [True, False])
def test_same_results_as_pytorch_after_every_change(dtype, bias):
    torch.manual_seed(0)
    layer = torch.nn.Linear(256, 320, bias=bias).to(dtype)
    model = torch.nn.Sequential(layer)
    packed = use_onednn(model)
    with torch.no_grad():
        for _ in range(2):
            layer.weight.copy_(torch.randn(320, 256) / 16)
            for module in packed:
                module.pack()
            for shape in ((7, 256), (33, 1, 256)):
                x = torch.randn(shape, dtype=dtype)
                wanted = torch.nn.functional.linear(x, layer.weight, layer.bias)
                torch.testing.assert_close(model(x), wanted, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def test_layers_keep_their_names_and_small_ones_stay():
    model = torch.nn.ModuleDict({"large": torch.nn.Linear(256, 320), "small": torch.nn.Linear(8, 8)})
    names = set(model.state_dict())
    assert use_onednn(model) == [model["large"]]
    assert isinstance(model["large"], OneDNNLinear)
    assert type(model["small"]) is torch.nn.Linear
    assert set(model.state_dict()) == names


def test_float64_stays_with_pytorch():
    assert use_onednn(torch.nn.Sequential(torch.nn.Linear(256, 320).double())) == []
