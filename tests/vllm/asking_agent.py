"""An agent loop that asks the generation server once after each change of its weights, and writes the answers down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

GREEDY = {"temperature": 0, "top_k": -1, "top_p": 1.0, "logprobs": True, "ignore_eos": True, "max_tokens": 6}
SAMPLED = GREEDY | {"temperature": 1.0}
WARM, SEED = 2.0, 5
BLOCK = 32  # of the prefix cache
PROMPT = [token for place in range(14) for token in (3, 70 + place, 75 + place, 90 - place, 4)]  # more than two blocks
asked: set[int] = set()


class AskingAgentLoop(SingleTurnAgentLoop):
    """verl's own loop of one turn."""

    async def run(self, sampling_params: dict[str, Any], **kwargs: Any) -> Any:
        output = await super().run(sampling_params, **kwargs)
        step = output.extra_fields["global_steps"]
        if step not in asked:
            asked.add(step)
            with Path(self.config.run_dir, "answers.jsonl").open("a") as file:
                file.write(json.dumps({"step": step} | await self._answers()) + "\n")
        return output

    async def _answers(self) -> dict[str, Any]:
        first = await self._ask(GREEDY)
        return {
            "greedy": first,
            "greedy again": await self._ask(GREEDY),
            "top_k of 1": await self._ask(SAMPLED | {"top_k": 1}),
            "small top_p": await self._ask(SAMPLED | {"top_p": 1e-9}),
            "two tokens": await self._ask(GREEDY | {"max_tokens": 2}),
            "third stops": await self._ask(GREEDY | {"stop_token_ids": [first["tokens"][2]]}),
            "warm": await self._ask(SAMPLED | {"temperature": WARM, "seed": SEED}),
            "warm again": await self._ask(SAMPLED | {"temperature": WARM, "seed": SEED}),
        }

    async def _ask(self, sampling: dict[str, Any]) -> dict[str, Any]:
        output = await self.server_manager.generate("a test", prompt_ids=PROMPT, sampling_params=dict(sampling))
        cached = output.extra_fields["num_cached_tokens"]
        return {"tokens": list(output.token_ids), "log_probs": output.log_probs, "cached": cached}
