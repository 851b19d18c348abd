"""The training workers: verl's own, with the configured policy loss and the engine's patches.

verl's trainer makes its workers from `role_worker_mapping`; `with_components` puts these subclasses in their place.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from omegaconf import open_dict
from verl.experimental.separation.engine_workers import DetachActorWorker
from verl.single_controller.base.decorator import Dispatch, register
from verl.workers.engine_workers import ActorRolloutRefWorker, TrainingWorker

from harness.backend.cpu.engine import use_cpu_engines
from harness.backend.cuda import attention as packed_attention
from harness.backend.patches import apply_engine_patches
from harness.backend.policy_loss import use_policy_loss
from harness.records.signs import give_sign

COMPONENTS_KEY = "harness"  # under actor_rollout_ref: the nodes that worker processes build


def _prepare_process() -> None:
    on_cpu = os.environ.get("VERL_PLATFORM") == "cpu"
    apply_engine_patches(cpu=on_cpu)
    packed_attention.register()
    if on_cpu:
        use_cpu_engines()


class HarnessTrainingWorker(TrainingWorker):
    """verl's worker of one model: the critic, PRIME's process reward model, and the actor within the worker below."""

    def __init__(self, config: Any) -> None:
        _prepare_process()
        super().__init__(config)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def reset(self) -> None:
        """Build the model, or reload it; each pass through it is then a sign that the stage goes on."""
        super().reset()
        modules = self.engine.module  # Megatron has one for each stage of its pipeline
        for module in modules if isinstance(modules, Sequence) else (modules,):
            module.register_forward_pre_hook(lambda *_: give_sign())


class _ActorComponents:
    """Builds the policy loss of ``policy_loss`` before verl builds the actor."""

    actor_worker_cls = ref_worker_cls = HarnessTrainingWorker

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def init_model(self) -> None:
        """Build the components, then verl's models."""
        _prepare_process()
        nodes = self.config.get(COMPONENTS_KEY) or {}
        loss_mode = use_policy_loss(nodes)
        if loss_mode is not None:
            with open_dict(self.config):
                self.config.actor.policy_loss.loss_mode = loss_mode
        super().init_model()


class HarnessActorWorker(_ActorComponents, ActorRolloutRefWorker):
    """Actor, rollout adapter and reference policy in one process."""


class HarnessDetachActorWorker(_ActorComponents, DetachActorWorker):
    """The same for ``trainer_mode=separate_async``, which saves and restores weights on the CPU."""


def with_components(mapping: dict[Any, Any]) -> dict[Any, Any]:
    """verl's role → Ray actor class mapping with the harness's subclasses in it."""
    import ray

    ours = {
        ActorRolloutRefWorker: HarnessActorWorker,
        DetachActorWorker: HarnessDetachActorWorker,
        TrainingWorker: HarnessTrainingWorker,
    }
    return {role: ray.remote(ours[cls.__ray_actor_class__]) for role, cls in mapping.items()}
