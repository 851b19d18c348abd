"""Step scores by a process reward model behind HTTP, with the interface that Reward-SQL's authors published.

``POST url {"input": TEXT}`` answers ``{"score": [σ, …]}``, one number from 0 to 1 for each step tag in the text: the
probability of the good token against the bad one, where the tag stands. The text is the prompt and then each step, the
rows that it gives, and the tag; what the authors' server gives for a text is what training gets.

Their code: https://github.com/ruc-datalab/RewardSQL, evaluation/prm_api.py and verl/sql_executor.py. Three things are
other here: steps come from sqlglot and not from blank lines, so that there are as many tags as steps; a tag that stands
in the question, the SQL or its rows is written as ``?``, as it would be scored too; and rows with a column that repeats
are counted like any other.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.reward_sql.execution import Result
from experiments.reward_sql.sql.chain import Step
from harness.errors import HarnessError

TAG = " и "
SHOWN_CHARACTERS = 500  # of a step's rows, as published


@dataclass(frozen=True)
class StepModel:
    """Asks a server for the scores of a response's steps.

    Attributes:
        url: Where it answers.
        seconds: Longest time that an answer may take.
        results: Whether the model sees what each step gives, as the published one was trained to.
        tag: What ends a step; the model's own step tag with spaces around it.
    """

    url: str
    seconds: float = 120.0
    results: bool = True
    tag: str = TAG

    def score(
        self, question: str, sql: str, steps: Sequence[Step], results: Sequence[Result], gold: str
    ) -> list[float]:
        """A score from 0 to 1 for each step.

        Args:
            question: The prompt.
            sql: The response's SQL.
            steps: Its steps.
            results: What came of each step's ``query``.
            gold: The gold query; the model does not see it.

        Raises:
            HarnessError: The server does not speak this interface.
            RuntimeError: It failed at this text.
            OSError: It cannot be reached, or takes too long.
        """
        found = self._ask(self._untagged(question) + self.text(sql, steps, results))
        if len(found) != len(steps):
            raise HarnessError(
                f"reward_manager.scorer: {self.url} gave {len(found)} scores for {len(steps)} steps.",
                f"Give it the model's own step tag: reward_manager.scorer.tag, which is {self.tag!r}.",
            )
        return found

    def text(self, sql: str, steps: Sequence[Step], results: Sequence[Result]) -> str:
        """The steps as the model reads them: white space made single, rows behind each step, a tag at its end."""
        parts = []
        for step, result in zip(steps, results, strict=True):
            words = re.sub(r"\s+", " ", sql[step.start : step.end]).strip()
            shown = f"<result>{_shown(result)}</result>" if self.results else ""
            parts.append(self._untagged(words + shown) + self.tag)
        return "".join(parts)

    def _untagged(self, text: str) -> str:
        """Without what stands for a tag, also within a word: a tokenizer may find the tag's token there."""
        return text.replace(self.tag.strip() or self.tag, "?")

    def _ask(self, text: str) -> list[float]:
        body = json.dumps({"input": text}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self.seconds) as answer:
                found: Any = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read()[:200].decode(errors="replace")
            told = f"reward_manager.scorer: {self.url} answered {error.code}: {said}"
            if error.code >= 500:
                raise RuntimeError(told) from error
            raise HarnessError(told, "See the reward model's log.") from error
        scores = found.get("score") if isinstance(found, dict) else None
        if not isinstance(scores, list):  # the published server gives one 0.0 where it finds no tag
            scores = [scores] if isinstance(scores, (int, float)) else []
        return [float(score) for score in scores]


def _shown(result: Result) -> str:
    """Rows with how often each is there, as the published executor writes them, or the error."""
    if not result.ok:
        return f"Execution error: {result.error}"
    text = str(dict(Counter(result.rows)))
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "...}"
