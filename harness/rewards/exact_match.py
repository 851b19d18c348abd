"""Reward 1 where the extracted answer is the reference answer, else 0."""

from __future__ import annotations

from harness.rewards.extract import Rule, extract_answer


def exact_match(
    input_text: str,
    response_text: str,
    *,
    ground_truth: str,
    extract: Rule = "auto",
    ignore_case: bool = False,
) -> dict[str, float]:
    """Compare the answer with the reference, white space apart.

    Args:
        input_text: The prompt; unused.
        response_text: The decoded response.
        ground_truth: The reference answer.
        extract: How the answer is found in the response, see ``harness.rewards.extract.extract_answer``.
        ignore_case: Whether ``Paris`` and ``paris`` are the same.

    Returns:
        ``score`` and ``acc``, both 0 or 1.
    """
    truth = str(ground_truth)
    answer = extract_answer(response_text, extract, truth)
    correct = answer is not None and _normal(answer, ignore_case) == _normal(truth, ignore_case)
    return {"score": float(correct), "acc": float(correct)}


def _normal(text: str, ignore_case: bool) -> str:
    text = " ".join(text.split())
    return text.casefold() if ignore_case else text
