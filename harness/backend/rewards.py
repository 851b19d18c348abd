"""The bridge to ``reward_manager`` and ``reward_fn``: a verl reward manager that builds and calls ours.

verl loads it in every reward worker through ``reward.reward_manager.source=importlib``. Without a node of ours it is
verl's manager of the name the user gave, with the functions of ``reward_fn`` as its scorer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf, open_dict
from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from harness.backend.reward_setup import VERL_SCORER, limits_of, scoring_setup, wants_whole_batches
from harness.errors import ConfigurationError
from harness.reward_managers.sample import RewardSample
from harness.reward_managers.spread import with_note
from harness.scoring.service import ScoringService

if TYPE_CHECKING:
    from verl import DataProto

_INTERNAL = ("extra_fields", "multi_modal_inputs", "session_id")  # what the rollout notes of a response, no columns
VERL_MANAGER_KEY = "verl_reward_manager"  # root key: what reward.reward_manager was before the bridge took its place


class TextSamples:
    """Responses as text, sliced as verl's reward worker slices a `DataProto`, without its tensors."""

    def __init__(self, samples: Sequence[RewardSample]) -> None:
        self.samples = list(samples)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: slice) -> TextSamples:
        return TextSamples(self.samples[index])


def install_reward_bridge(config: DictConfig) -> None:
    """Point verl's reward manager at `HarnessRewardManager`, keeping what the user had chosen."""
    with open_dict(config):
        config[VERL_MANAGER_KEY] = OmegaConf.to_container(config.reward.reward_manager)
        config.reward.reward_manager.source = "importlib"
        config.reward.reward_manager.name = "HarnessRewardManager"
        config.reward.reward_manager.module.path = "pkg://harness.backend.rewards"


def scores_text(config: DictConfig) -> bool:
    """Whether the reward needs only text, so that a batch can be scored without tensors."""
    manager = config.get(VERL_MANAGER_KEY) or config.reward.reward_manager
    ours = bool(config.reward_manager.get("_target_"))
    return ours or (manager["source"] == "register" and manager["name"] == "naive")


class HarnessRewardManager(RewardManagerBase):
    """verl's interface over the configured reward manager, which scores in processes of its own."""

    def __init__(
        self, config: DictConfig, tokenizer: Any, compute_score: Callable[..., Any] | None, **router: Any
    ) -> None:
        super().__init__(config, tokenizer, compute_score)
        self.verl_manager = None
        self.later = wants_whole_batches(config)
        if self.later:
            return
        if config.reward.reward_model.enable:  # its functions talk to servers of verl's, from this process
            _require_verls_own(config)
            self.verl_manager = _verl_manager_class(config)(
                config=config, tokenizer=tokenizer, compute_score=compute_score, **router
            )
            return
        self.service = ScoringService(scoring_setup(config), limits_of(config))
        if not scores_text(config):
            self.verl_manager = _verl_manager(config, tokenizer, self.service, router)

    async def run_single(self, data: DataProto | TextSamples) -> dict[str, Any]:
        """Score one response.

        Returns:
            ``{"reward_score": float, "reward_extra_info": {...}}``; a reward of 0 where the trainer scores the whole
            batch later.
        """
        if self.later:
            return {"reward_score": 0.0, "reward_extra_info": {}}
        if self.verl_manager is not None:
            return await self.verl_manager.run_single(data)
        sample = data.samples[-1] if isinstance(data, TextSamples) else await self._read_sample(data)
        result = await self.loop.run_in_executor(self.service.executor, self.service.score, sample)
        return {"reward_score": result.score, "reward_extra_info": with_note(result)}

    async def _read_sample(self, data: DataProto) -> RewardSample:
        item = data[-1]
        width = item.batch["responses"].shape[-1]
        length = int(item.batch["attention_mask"][-width:].sum())
        ids = item.batch["responses"][:length]
        text = await self.loop.run_in_executor(None, partial(self.tokenizer.decode, ids, skip_special_tokens=True))
        return sample_from_row(item.non_tensor_batch, text, length)


def sample_from_row(row: Mapping[str, Any], response_text: str, response_length: int, **further: Any) -> RewardSample:
    """A `RewardSample` from a data set's row and the response to it, with ``further`` of its fields."""
    messages = tuple(row.get("raw_prompt", ()))
    return RewardSample(
        input_text="\n".join(str(message["content"]) for message in messages),
        response_text=response_text,
        data_source=row.get("data_source", ""),
        ground_truth=(row.get("reward_model") or {}).get("ground_truth"),
        extra_info={**(row.get("extra_info") or {}), **_of_the_rollout(row)},
        response_length=response_length,
        messages=messages,
        uid=str(row.get("uid", "")),
        **further,
    )


def sample_for_a_batch(
    row: Mapping[str, Any], response_text: str, prompt_ids: Sequence[int], response_ids: Sequence[int]
) -> RewardSample:
    """The same for a manager that scores whole batches, which gets tokens and all columns too."""
    ids = {"prompt_ids": tuple(prompt_ids), "response_ids": tuple(response_ids)}
    columns = {name: value for name, value in row.items() if name not in _INTERNAL}
    return sample_from_row(row, response_text, len(response_ids), columns=columns, **ids)


def _of_the_rollout(row: Mapping[str, Any]) -> dict[str, Any]:
    """What verl's managers add to ``extra_info``. Source: verl.experimental.reward_loop.reward_manager.naive."""
    found = {"num_turns": row.get("__num_turns__"), "rollout_reward_scores": row.get("reward_scores")}
    found |= row.get("tool_extra_fields") or {}
    return {name: value for name, value in found.items() if value is not None}


def _verl_manager_class(config: DictConfig) -> Any:
    chosen = config[VERL_MANAGER_KEY]
    if chosen["source"] == "register":
        return get_reward_manager_cls(chosen["name"])
    from verl.utils.import_utils import load_extern_object

    return load_extern_object(module_path=chosen["module"]["path"], object_name=chosen["name"])


def _require_verls_own(config: DictConfig) -> None:
    """A reward model of verl's works with verl's reward functions and managers alone."""
    targets = [node.get("_target_") for node in config.reward_fn.values()]
    if targets != [VERL_SCORER] or config.reward_manager.get("_target_"):
        raise ConfigurationError(
            "reward.reward_model.enable=true works with reward_fn=[verl] and reward_manager=verl.",
            "Choose those, with a scorer of yours in reward.custom_reward_function, or set it to false.",
        )


def _verl_manager(
    config: DictConfig, tokenizer: Any, service: ScoringService, router: dict[str, Any]
) -> RewardManagerBase:
    def compute_score(
        data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None, **_: Any
    ) -> dict[str, Any]:
        sample = RewardSample("", solution_str, data_source, ground_truth, extra_info or {})
        result = service.executor.submit(service.score, sample).result()
        return {"score": result.score, **result.extra}

    return _verl_manager_class(config)(config=config, tokenizer=tokenizer, compute_score=compute_score, **router)
