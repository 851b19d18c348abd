"""Where the SQL stands in a model's response.

After ``</think>``, if there is one: the last fenced block, else all from the first line that begins with SELECT, or
with WITH as SQL has it (``WITH name AS (``), to the end. Nothing behind the SQL is cut off: a model that adds an
explanation outside a fence has written no SQL that runs, and a second statement is refused by the executor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FENCE = re.compile(r"```(?:\w*\n|sql(?:ite)?[ \t]+)?(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
SPACE = r"(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)"  # comments too
NAME = r"""(?:\w+|"[^"]*"|'[^']*'|`[^`]*`|\[[^]]*\])"""
BODY = rf"AS\b{SPACE}*(?:(?:NOT|MATERIALIZED)\b{SPACE}*)*\("
CHAIN = rf"WITH{SPACE}+(?:RECURSIVE{SPACE}+)?{NAME}{SPACE}*(?:\([^)]*\){SPACE}*)?{BODY}"
START = re.compile(rf"^[ \t]*(?=SELECT\b|{CHAIN})", re.IGNORECASE | re.MULTILINE)
THOUGHT = "</think>"


@dataclass(frozen=True)
class FoundSql:
    """SQL in a response.

    Attributes:
        text: The SQL, without white space around it.
        start: Where it begins in the response, characters.
        outside: What else the answer holds, a fence's marks and white space apart.
    """

    text: str
    start: int
    outside: str


def find_sql(response: str) -> FoundSql | None:
    """The SQL of a response, or None where there is none."""
    answer = response.rpartition(THOUGHT)[2]
    fences = list(FENCE.finditer(answer))
    if fences:
        inside, whole = fences[-1].span(1), fences[-1].span()
    elif found := START.search(answer):
        inside = whole = (found.end(), len(answer))
    else:
        return None
    text = answer[slice(*inside)]
    start = len(response) - len(answer) + inside[0] + len(text) - len(text.lstrip())
    outside = answer[: whole[0]] + answer[whole[1] :]
    return FoundSql(text.strip(), start, outside.strip()) if text.strip() else None
