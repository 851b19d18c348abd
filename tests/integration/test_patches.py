"""Each patch of verl is still needed; a test that fails here says that one can be deleted."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys

import pytest
import torch
import torch.distributed

from harness.backend import patches


def original(function):
    """What verl ships, whether or not this process has been patched."""
    return inspect.unwrap(function)


def test_the_patches_are_for_the_installed_version() -> None:
    assert importlib.metadata.version("verl") in patches.VERSIONS


def test_torch_refuses_the_process_group_verl_asks_for(tmp_path) -> None:
    import verl.utils.distributed as distributed

    assert 'f"cpu:gloo,{get_device_name()}:{get_nccl_backend()}"' in inspect.getsource(
        original(distributed.initialize_global_process_group_ray)
    )
    with pytest.raises(ValueError, match=r"[Dd]uplicate"):
        torch.distributed.init_process_group(
            "cpu:gloo,cpu:gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
        )


def test_the_critic_asks_for_flash_attention() -> None:
    import verl.utils.model as model

    source = inspect.getsource(original(model.load_valuehead_model))
    assert 'attn_implementation="flash_attention_2"' in source


def test_the_reference_pins_memory() -> None:
    from verl.workers.engine.fsdp import transformer_impl

    source = inspect.getsource(transformer_impl.FSDPEngine._build_fsdp_module)
    assert "CPUOffloadPolicy(pin_memory=True)" in source


def test_without_flash_attn_log_probs_are_as_coarse_as_the_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    import verl.utils.torch_functional as torch_functional

    coarse = original(torch_functional.logprobs_from_logits_v2)
    monkeypatch.setattr(torch_functional, "logprobs_from_logits_v2", coarse)  # put back what is set below
    torch.manual_seed(0)
    logits = (torch.randn(3, 5, 4000) * 2).bfloat16()
    labels = torch.randint(4000, (3, 5))
    exact = logits.double().log_softmax(-1).gather(-1, labels[..., None])[..., 0]
    assert coarse(logits, labels).dtype == torch.bfloat16
    assert (coarse(logits, labels) - exact).abs().max() > 5e-3
    patches._log_probs_in_float32()
    ours = torch_functional.logprobs_from_logits(logits, labels)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.double(), exact, atol=1e-5, rtol=1e-5)


def test_ray_init_does_not_take_the_program_that_starts_workers() -> None:
    import ray
    from ray._private.parameter import RayParams

    assert "setup_worker_path" in inspect.signature(RayParams).parameters
    assert "setup_worker_path" not in inspect.signature(ray.init).parameters
    with patches.ray_workers_started_by("mine.py"):
        assert RayParams().setup_worker_path == "mine.py"
    assert RayParams().setup_worker_path != "mine.py"


@pytest.mark.parametrize(("body", "apart"), [("contextlib.nullcontext", False), ("ray_draws_nothing", True)])
def test_forks_draw_the_same_once_a_class_is_an_actors(body: str, apart: bool) -> None:
    script = (
        "import contextlib, ray\n"
        "from harness.backend.fork.server import _forks_draw_apart\n"
        "from harness.backend.patches import ray_draws_nothing\n"
        f"with {body}(): ray.remote(type('Worker', (), {{}}))\n"
        "print(_forks_draw_apart())\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(apart)


def test_verl_tells_a_sampler_of_ones_own_nothing_of_filter_groups() -> None:
    """Why `harness.backend.replay` gives verl's buffer another class."""
    from verl.trainer.ppo.v1.trainer_base import PPOTrainer

    source = inspect.getsource(PPOTrainer._build_replay_buffer)
    assert "if not has_custom_sampler:\n            filter_groups_metric" in source
