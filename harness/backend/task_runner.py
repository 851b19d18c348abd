"""The Ray actor that owns a training: it builds the trainer and the rollout, and runs them.

After `verl.trainer.main_ppo.TaskRunnerV1`, which cannot be subclassed (it is a Ray actor class) and takes its trainer
from a registry that refuses another ``sync``. verl is imported inside, so that the driver need not import it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from harness.errors import ConfigurationError
from harness.records.stacks import answer_with_stacks
from harness.tracking.process import verls_trackers


class TaskRunner:
    """Runs one training to its end.

    Args:
        config: The resolved configuration.
    """

    def __init__(self, config: DictConfig) -> None:
        self.config = config
        self.trainer: Any = None
        answer_with_stacks()  # verl's import, which does it everywhere else, may be what hangs

    def run(self) -> dict[str, Any]:
        """Build everything, train, close everything.

        Returns:
            ``{"step": the last step, "total_steps": …}``.
        """
        from harness.backend.recorder import Recorder

        Recorder(Path(self.config.run_dir)).stage("importing verl")
        import transfer_queue as tq
        from verl.utils.logging_utils import configure_verl_logging

        from harness.backend.rewards import install_reward_bridge
        from harness.backend.trainer import TRAINERS

        configure_verl_logging()
        config = self.config
        config.transfer_queue.enable = True
        # W&B is told by a process of its own, see harness.tracking
        config.trainer.logger = [name for name in verls_trackers(config.trainer.logger) if name != "wandb"]
        rollout = config.actor_rollout_ref.rollout
        if rollout.name == "vllm" and config.trainer.device == "cpu":
            rollout.enable_sleep_mode = False  # verl's default is on, and vLLM refuses it on a CPU
        install_reward_bridge(config)
        tq.init(config.transfer_queue)
        succeeded = False
        try:
            self.trainer = TRAINERS[config.trainer.v1.trainer_mode](config)
            self.trainer.init()
            self.trainer.fit(self._rollout_manager())
            succeeded = True
            return {"step": self.trainer.global_steps, "total_steps": self.trainer.total_training_steps}
        finally:
            self._close(succeeded)
            tq.close()

    def _rollout_manager(self) -> Any:
        from harness.backend.advantages import wants_greedy
        from harness.backend.batch_rollout import BatchRolloutManager, batch_rollout_applies
        from harness.backend.reward_setup import wants_whole_batches

        trainer = self.trainer
        with_greedy = wants_greedy(trainer.advantage_fn)
        if with_greedy and wants_whole_batches(self.config):
            raise ConfigurationError(
                "advantage_fn needs greedy_scores, and a reward_manager that scores whole batches gives none.",
                "Choose a manager that scores each response, or another algorithm.",
            )
        if batch_rollout_applies(self.config, trainer.processor):
            return BatchRolloutManager(
                self.config,
                trainer.tokenizer,
                _model_type(self.config),
                trainer.llm_server_manager.server_handles,
                trainer.get_reward_handles(),
                with_greedy,
            )
        return self._verl_manager_class(with_greedy).create(
            config=self.config,
            llm_client=trainer.get_llm_client(),
            teacher_client=trainer.get_teacher_client(),
            reward_loop_worker_handles=trainer.get_reward_handles(),
        )

    def _verl_manager_class(self, with_greedy: bool) -> Any:
        from verl.trainer.ppo.v1 import AgentLoopManagerTQ
        from verl.utils.import_utils import load_class_from_fqn

        name = self.config.actor_rollout_ref.rollout.agent.get("agent_loop_manager_class")
        if name and with_greedy:
            raise ConfigurationError(
                f"actor_rollout_ref.rollout.agent.agent_loop_manager_class={name} does not generate the greedy "
                "response to each prompt that advantage_fn needs (greedy_scores).",
                "Leave it null, or choose another algorithm.",
            )
        if with_greedy:
            from harness.backend.greedy_baseline import GreedyBaselineManager

            return GreedyBaselineManager
        return load_class_from_fqn(name, "AgentLoopManager") if name else AgentLoopManagerTQ

    def _close(self, succeeded: bool) -> None:
        tracking = getattr(self.trainer, "_logger", None)
        if tracking is not None:
            tracking.finish(exit_code=0 if succeeded else 1)


def _model_type(config: DictConfig) -> str | None:
    path = Path(config.actor_rollout_ref.model.path) / "config.json"
    return json.loads(path.read_text()).get("model_type") if path.is_file() else None


def frozen(config: DictConfig) -> DictConfig:
    """A resolved copy that verl may add its own keys to."""
    copy = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    OmegaConf.set_struct(copy, False)
    return copy
