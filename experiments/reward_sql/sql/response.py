"""Where the SQL stands in a model's response.

After ``</think>``, if there is one: the last fenced block, else all from the first line that begins with WITH or SELECT
to the end. Nothing behind the SQL is cut off: a model that adds an explanation outside a fence has written no SQL that
runs, and a second statement is refused by the executor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FENCE = re.compile(r"```(?:\w*\n)?(.*?)(?:```|\Z)", re.DOTALL)
START = re.compile(r"^[ \t]*(?=(?:WITH|SELECT)\b)", re.IGNORECASE | re.MULTILINE)
THOUGHT = "</think>"


@dataclass(frozen=True)
class FoundSql:
    """SQL in a response.

    Attributes:
        text: The SQL, without white space around it.
        start: Where it begins in the response, characters.
        outside: What else the response holds, a fence's marks and white space apart.
    """

    text: str
    start: int
    outside: str


def find_sql(response: str) -> FoundSql | None:
    """The SQL of a response, or None where there is none."""
    thought = response.rfind(THOUGHT)
    begin = 0 if thought < 0 else thought + len(THOUGHT)
    fences = list(FENCE.finditer(response, begin))
    if fences:
        first, last, whole = *fences[-1].span(1), fences[-1].span()
    elif found := START.search(response, begin):
        first, last = found.end(), len(response)
        whole = (first, last)
    else:
        return None
    text = response[first:last]
    start = first + len(text) - len(text.lstrip())
    outside = f"{response[: whole[0]]}\n{response[whole[1] :]}".strip()
    return FoundSql(text.strip(), start, outside) if text.strip() else None
