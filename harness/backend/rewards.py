"""The bridge to ``reward_manager`` and ``reward_fn``: a verl reward manager that builds and calls ours.

verl loads it in every reward worker through ``reward.reward_manager.source=importlib``. Without a node of ours it is
verl's manager of the name the user gave, with the functions of ``reward_fn`` as its scorer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf, open_dict
from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from harness.components.instantiate import instantiate
from harness.reward_managers.per_sample import PerSampleRewardManager, WeightedFunction
from harness.reward_managers.sample import RewardSample

if TYPE_CHECKING:
    from verl import DataProto

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
    """verl's interface over the configured reward manager."""

    def __init__(
        self, config: DictConfig, tokenizer: Any, compute_score: Callable[..., Any] | None, **router: Any
    ) -> None:
        super().__init__(config, tokenizer, compute_score)
        trusted = config.get("trusted_modules") or ()
        self.functions = build_reward_functions(config.reward_fn, compute_score, trusted)
        self.verl_manager = None
        if not scores_text(config):
            self.verl_manager = _verl_manager(config, tokenizer, self.functions, router)
        elif config.reward_manager.get("_target_"):
            self.manager = instantiate(config.reward_manager, "reward_manager", trusted, functions=self.functions)
        else:
            self.manager = PerSampleRewardManager(self.functions)

    async def run_single(self, data: DataProto | TextSamples) -> dict[str, Any]:
        """Score one response.

        Returns:
            ``{"reward_score": float, "reward_extra_info": {...}}``.
        """
        if self.verl_manager is not None:
            return await self.verl_manager.run_single(data)
        sample = data.samples[-1] if isinstance(data, TextSamples) else await self._read_sample(data)
        result = await self.loop.run_in_executor(None, self.manager.score, sample)
        return {"reward_score": result.score, "reward_extra_info": dict(result.extra)}

    async def _read_sample(self, data: DataProto) -> RewardSample:
        item = data[-1]
        width = item.batch["responses"].shape[-1]
        length = int(item.batch["attention_mask"][-width:].sum())
        ids = item.batch["responses"][:length]
        text = await self.loop.run_in_executor(None, partial(self.tokenizer.decode, ids, skip_special_tokens=True))
        return sample_from_row(item.non_tensor_batch, text, length)


def sample_from_row(row: Mapping[str, Any], response_text: str, response_length: int) -> RewardSample:
    """A `RewardSample` from a data set's row and the response to it."""
    messages = tuple(row.get("raw_prompt", ()))
    return RewardSample(
        input_text="\n".join(str(message["content"]) for message in messages),
        response_text=response_text,
        data_source=row.get("data_source", ""),
        ground_truth=(row.get("reward_model") or {}).get("ground_truth"),
        extra_info=row.get("extra_info") or {},
        response_length=response_length,
        messages=messages,
    )


def build_reward_functions(
    nodes: Mapping[str, Any], compute_score: Callable[..., Any] | None, trusted: Sequence[str]
) -> list[WeightedFunction]:
    """Build the functions of ``reward_fn``; a node without a target stands for verl's own scorer."""
    built = []
    for name, node in nodes.items():
        parameters = {key: value for key, value in node.items() if key != "weight"}
        if parameters.get("_target_"):
            function = instantiate(OmegaConf.create(parameters), f"reward_fn.{name}", trusted)
        else:
            function = _verl_scorer(compute_score)
        built.append(WeightedFunction(name, _classic(function), float(node.get("weight", 1.0))))
    return built


def _verl_scorer(compute_score: Callable[..., Any] | None) -> Callable[..., Any]:
    if compute_score is not None:
        return compute_score
    from verl.utils.reward_score import default_compute_score

    return default_compute_score


def _classic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function with verl's signature (``solution_str``) the harness's (``input_text, response_text``)."""
    if "solution_str" not in inspect.signature(function).parameters and not _is_verl_partial(function):
        return function

    def from_text(input_text: str, response_text: str, **kwargs: Any) -> Any:
        return function(solution_str=response_text, **kwargs)

    return from_text


def _is_verl_partial(function: Callable[..., Any]) -> bool:
    """verl hands a user's scorer over as ``partial(_call_with_kwargs, scorer, kwargs)``."""
    return isinstance(function, partial) and function.func.__module__.startswith("verl.")


def _verl_manager(
    config: DictConfig, tokenizer: Any, functions: list[WeightedFunction], router: dict[str, Any]
) -> RewardManagerBase:
    chosen = config[VERL_MANAGER_KEY]
    if chosen["source"] == "register":
        manager_class = get_reward_manager_cls(chosen["name"])
    else:
        from verl.utils.import_utils import load_extern_object

        manager_class = load_extern_object(module_path=chosen["module"]["path"], object_name=chosen["name"])
    scorer = PerSampleRewardManager(functions)

    def compute_score(
        data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None, **_: Any
    ) -> dict[str, Any]:
        sample = RewardSample("", solution_str, data_source, ground_truth, extra_info or {})
        result = scorer.score(sample)
        return {"score": result.score, **result.extra}

    return manager_class(config=config, tokenizer=tokenizer, compute_score=compute_score, **router)
