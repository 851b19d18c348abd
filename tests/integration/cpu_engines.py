"""One mini-batch through verl's FSDP engine and through the CPU's; prints what each computed as JSON.

Run by `runs.script_result`: cpu_engines.py FOLDER_OF_THE_MODEL
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from typing import Any

import numpy as np
import torch
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine import EngineRegistry
from verl.workers.utils.losses import ppo_loss, value_loss
from verl.workers.utils.padding import response_from_nested

from harness.backend.cpu.engine import LAYOUT, use_cpu_engines
from harness.backend.patches import apply_engine_patches
from harness.config.compose import compose_config, resolve

GROUPS = ((5, [3, 1, 4]), (9, [2]), (3, [6, 6, 2]))  # prompt length, lengths of the responses


def batch(vocabulary: int, **settings: Any):
    """A mini-batch as verl's trainer sends it."""
    rng = np.random.default_rng(0)
    ids = partial(rng.integers, 1, vocabulary)
    prompts = [prompt for length, lengths in GROUPS for prompt in [torch.from_numpy(ids(length))] * len(lengths)]
    responses = [torch.from_numpy(ids(length)) for _, lengths in GROUPS for length in lengths]
    order = rng.permutation(len(prompts))
    prompts, responses = [prompts[i] for i in order], [responses[i] for i in order]

    def nested(make) -> torch.Tensor:
        return torch.nested.as_nested_tensor([make(r) for r in responses], layout=torch.jagged)

    def noise(response: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(rng.normal(size=len(response))).float()

    tensors = {
        "prompts": torch.nested.as_nested_tensor(prompts, layout=torch.jagged),
        "responses": nested(lambda r: r),
        "input_ids": torch.nested.as_nested_tensor(
            [torch.cat(pair) for pair in zip(prompts, responses, strict=True)], layout=torch.jagged
        ),
        "position_ids": torch.nested.as_nested_tensor(
            [torch.arange(len(p) + len(r)) for p, r in zip(prompts, responses, strict=True)], layout=torch.jagged
        ),
        "response_mask": nested(lambda r: torch.ones(len(r), dtype=torch.int64)),
        "loss_mask": nested(lambda r: torch.ones(len(r), dtype=torch.int64)),
        **{name: nested(noise) for name in ("advantages", "returns", "values")},
        "multi_modal_inputs": [{}] * len(prompts),
    }
    return tu.get_tensordict(
        tensors,
        non_tensor_dict={
            "use_remove_padding": False,
            "use_dynamic_bsz": False,
            "micro_batch_size_per_gpu": len(prompts),
            "global_batch_size": len(prompts),
            "calculate_entropy": True,
            **settings,
        },
    )


def build(kind: str, config: Any):
    """An engine of verl's registry, as its worker builds it."""
    section = config.actor_rollout_ref.actor if kind == "language_model" else config.critic
    worker = omega_conf_to_dataclass(section)
    engine_config = worker.fsdp_config if kind == "language_model" else worker.fsdp
    model = omega_conf_to_dataclass(config.actor_rollout_ref.model if kind == "language_model" else config.critic.model)
    model.model_type = kind
    worker.optim.total_training_steps = 10
    torch.manual_seed(0)
    engine = EngineRegistry.new(
        model_type=kind,
        backend="fsdp2",
        model_config=model,
        engine_config=engine_config,
        optimizer_config=worker.optim,
        checkpoint_config=worker.checkpoint,
    )
    engine.initialize()
    return engine, partial(ppo_loss if kind == "language_model" else value_loss, worker)


def measure(kind: str, config: Any, temperature: float) -> dict[str, Any]:
    """Scores, loss, gradient norm, and scores after one update."""
    engine, loss = build(kind, config)
    data = batch(engine.module.config.vocab_size, temperature=temperature)
    packed = LAYOUT in engine.prepare_model_inputs(data)[1]

    def scores() -> dict[str, torch.Tensor]:
        with engine.eval_mode():
            output = engine.infer_batch(data)["model_output"]
        return {name: response_from_nested(value, data["response_mask"]) for name, value in output.items()}

    before = scores()
    if kind == "language_model":
        data["old_log_probs"] = before["log_probs"]
    with engine.train_mode():
        trained = engine.train_batch(data, loss_function=loss)
    return {
        "class": type(engine).__name__,
        "packed": packed,
        "fused": bool(engine.optimizer.param_groups[0].get("fused")),
        "before": {name: value.values().tolist() for name, value in before.items()},
        "loss": trained["loss"],
        "grad_norm": trained["metrics"]["grad_norm"],
        "after": {name: value.values().tolist() for name, value in scores().items()},
    }


def main() -> None:
    """Measure verl's engines, then the CPU's."""
    apply_engine_patches(cpu=True)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tempfile.mkdtemp()}/store", rank=0, world_size=1)
    config = resolve(
        compose_config(
            [
                "algorithm=ppo",
                f"actor_rollout_ref.model.path={sys.argv[1]}",
                "data.train_files=none",
                "data.val_files=none",
                "actor_rollout_ref.actor.entropy_coeff=0.01",
                "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=7",
                "run_dir=none",
            ]
        )
    )
    result = {}
    for engines in ("verl", "cpu"):
        if engines == "cpu":
            use_cpu_engines()
        result[engines] = {kind: measure(kind, config, 0.7) for kind in ("language_model", "value_model")}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
