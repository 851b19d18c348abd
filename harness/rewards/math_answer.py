"""Reward 1 where the mathematical answer equals the reference, by the library math-verify.

Library: https://github.com/huggingface/Math-Verify
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Annotated, Any

from annotated_types import Ge

from harness.errors import UnscorableSample

_DELIMITER = re.compile(r"(?<!\\)\$")  # "\$36" is thirty-six dollars, "$36$" a formula

logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that its own time limit is off, as is meant


def math_answer(
    input_text: str,
    response_text: str,
    *,
    ground_truth: str,
    boxed_only: bool = False,
    precision: Annotated[int, Ge(0)] = 6,
) -> dict[str, float]:
    r"""Compare values, not spellings: ``\frac{1}{2}``, ``0.5`` and ``1/2`` are the same.

    Args:
        input_text: The prompt; unused.
        response_text: The decoded response; what stands in the last ``\boxed{}`` is preferred.
        ground_truth: The reference answer, LaTeX or plain, with or without ``$``.
        boxed_only: Whether an answer outside ``\\boxed{}`` does not count.
        precision: Decimals to which numbers are compared.

    Returns:
        ``score`` and ``acc``, both 0 or 1.

    Raises:
        UnscorableSample: The reference answer is no mathematics.
    """
    from math_verify import verify

    answer = _read(response_text, boxed_only)
    # the scoring process has a time limit of its own; the library's works in main threads alone
    correct = bool(answer) and verify(list(_reference(str(ground_truth))), answer, precision, timeout_seconds=None)
    return {"score": float(correct), "acc": float(correct)}


def _read(text: str, boxed_only: bool) -> list[Any]:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    box = text.rfind("\\boxed")
    if boxed_only and box < 0:
        return []
    text = text[max(box, 0) :]  # the library would make one answer of several boxes
    latex = LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=not boxed_only)
    rules = [latex] if boxed_only else [latex, ExprExtractionConfig()]
    return parse(text, rules, extraction_mode="first_match", parsing_timeout=None)


@lru_cache(maxsize=4096)
def _reference(text: str) -> tuple[Any, ...]:
    from math_verify import parse

    is_marked = _DELIMITER.search(text) or "\\boxed" in text
    found = parse(text if is_marked else f"${text}$", parsing_timeout=None)
    found = found or parse(text, parsing_timeout=None)
    if not found:
        raise UnscorableSample(
            f"reward_fn.math_answer: the reference answer {text!r} is no mathematics that math-verify can read.",
            "Mend the data's reward_model.ground_truth, or choose another reward, such as reward_fn=[exact_match].",
        )
    return tuple(found)
