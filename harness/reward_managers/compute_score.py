"""``compute_score`` as managers of verl's older kind call it: ours ``(input_text, response_text, …)`` and verl's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import ComponentError
from harness.reward_managers.matching import Responses
from harness.reward_managers.per_sample import PerSampleRewardManager, WeightedFunction
from harness.reward_managers.sample import RewardSample

OURS = ("input_text", "response_text", "data_source", "ground_truth", "extra_info")
VERLS = ("data_source", "solution_str", "ground_truth", "extra_info")
SHOWN = 200  # characters of a call in a message


class ComputeScore:
    """The weighted sum of the reward functions for a text.

    Args:
        functions: The functions.
        caller: The manager's name, for messages.
    """

    def __init__(self, functions: list[WeightedFunction], caller: str) -> None:
        self.scorer, self.caller = PerSampleRewardManager(functions), caller
        self.responses = Responses(())

    def of(self, samples: Sequence[RewardSample]) -> None:
        """What is called for from now on: what a call does not give is that of its response's row."""
        self.responses = Responses(samples)

    def __call__(self, *texts: Any, **given: Any) -> float:
        """Score a text.

        Args:
            texts: In the order of `OURS` or of `VERLS`; two are an input and a response.
            given: By these names.

        Raises:
            ComponentError: It is called in another way, or as `PerSampleRewardManager.score`.
        """
        call = self._named(texts, given)
        text = call.pop("response_text")
        known = self.responses.known(text, **{name: value for name, value in call.items() if value is not None})
        return self.scorer.score(RewardSample(response_text=text, **{"input_text": "", **known})).score

    def _named(self, texts: Sequence[Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by the names of a `RewardSample`."""
        begins_with_source = bool(texts) and any(texts[0] == sample.data_source for sample in self.responses.samples)
        names = VERLS if len(texts) > 2 or begins_with_source or "solution_str" in given else OURS
        named = [*zip(names, texts, strict=False), *given.items()]
        call = {"response_text" if name == "solution_str" else name: value for name, value in named}
        twice = len(texts) > len(names) or len(call) < len(named)
        if twice or not isinstance(call.get("response_text"), str) or not {*call} <= {*OURS}:
            shown = ", ".join([*(_short(text) for text in texts), *(f"{name}={_short(given[name])}" for name in given)])
            raise ComponentError(
                f"reward_manager: {self.caller} calls compute_score({shown}).",
                f"It takes ({', '.join(OURS)}), verl's ({', '.join(VERLS)}), or these by name; the response is text.",
            )
        return call


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
