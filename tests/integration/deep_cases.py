"""`harness check --deep` for many configurations in one process, as importing verl takes long; prints JSON.

Run by `runs.script_result` in a folder with `mine.py`: deep_cases.py FILE_OF_CASES, which is {name: [override, …]}.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from harness.check.report import check_report
from harness.managers.deep import deep_check


def main() -> None:
    """Check each case."""
    sys.path.insert(0, str(Path.cwd()))
    cases = json.loads(Path(sys.argv[1]).read_text())
    deep = partial(deep_check, announce=lambda stage: None)
    result = {name: json.loads(check_report(words, as_json=True, deep=deep)[0]) for name, words in cases.items()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
