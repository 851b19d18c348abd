"""The root cause of a failed training, dug out of nested Ray errors and said in the user's terms.

Works on exception objects and on the text of a traceback, and does not import Ray: what Ray wraps is recognised by the
names of its classes and the shape of its text.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.records.state import RunError
from harness.terminal.known_causes import explain

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LOG_PREFIX = re.compile(r"^\((?:[\w.:]+(?:\([^)]*\))? )?pid=\d+[^)]*\)\s?", re.MULTILINE)
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>.+?)\s*$', re.MULTILINE)
_EXCEPTION = re.compile(
    r"^(?:[\w.<>]+\.)?(?P<type>[A-Za-z_]\w*(?:Error|Exception|Interrupt|Exit|Iteration)|(?<=[a-z_0-9]\.)[A-Z]\w+(?=: ))"
    r"(?P<wrapped>\(\w+\))?"
    r"(?::[ \t]*(?P<message>.*))?$",
    re.MULTILINE,
)
#: Classes that only say that something failed elsewhere.
_WRAPPERS = frozenset(
    {"RayTaskError", "ActorDiedError", "RayActorError", "ActorUnavailableError", "WorkerCrashedError", "RayError"}
    | {"RaySystemError", "TaskCancelledError", "UserCodeException", "CalledProcessError"}
)
_DIRECT_CAUSE = "The above exception was the direct cause of the following exception:"
_DURING_HANDLING = "During handling of the above exception, another exception occurred:"
_MESSAGE_LINES = 6


@dataclass(frozen=True)
class RootCause:
    """Why something failed.

    Args:
        type: The class of the original exception.
        message: What it said, or a plain sentence for a cause that is known.
        remedy: What to do; empty where nothing is known.
        where: ``file:line in function`` of the innermost frame in the user's own code; empty where there is none.
    """

    type: str
    message: str
    remedy: str = ""
    where: str = ""

    @property
    def sentence(self) -> str:
        """The cause in one sentence or two."""
        return f"{self.message} (at {self.where})" if self.where else self.message

    def as_run_error(self, stage: str = "", log: str = "") -> RunError:
        """For ``status.json``."""
        return RunError(self.type, self.sentence, self.remedy, stage, log)


def root_cause(failure: BaseException | str) -> RootCause:
    """The deepest cause that a user can do something about.

    Args:
        failure: An exception, whatever Ray wrapped around it, or the text of a traceback or of a log's end.

    Returns:
        The cause. Errors of this package keep their own message and remedy; running out of memory and processes
        killed from outside are told in plain words.
    """
    if isinstance(failure, str):
        return _from_text(failure)
    chain = _chain(failure)
    own = next((error for error in reversed(chain) if isinstance(error, HarnessError)), None)
    if own is not None:
        return RootCause(type(own).__name__, own.message, own.remedy)
    deepest = chain[-1]
    text = "\n".join(_formatted(error) for error in chain)
    if _is_wrapper(deepest):
        return _from_text(text)
    name, message = type(deepest).__name__, str(deepest)
    known = explain(name, f"{name}: {message}\n{text}")
    where = _where(_formatted(deepest)) or _where(text)
    return RootCause(name, *known, where) if known else RootCause(name, _said(name, message), where=where)


def _chain(failure: BaseException) -> list[BaseException]:
    """The exception and what it wraps, outermost first."""
    chain: list[BaseException] = []
    current: BaseException | None = failure
    while current is not None and current not in chain:
        chain.append(current)
        current = _inner(current)
    return chain


def _inner(error: BaseException) -> BaseException | None:
    """What ``error`` wraps. A mere context counts only for a wrapper: else the later exception is the telling one."""
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    cause = getattr(error, "cause", None) if _is_wrapper(error) else None
    if isinstance(cause, BaseException):
        return cause
    return error.__cause__ or (error.__context__ if _is_wrapper(error) else None)


def _is_wrapper(error: BaseException) -> bool:
    names = {base.__name__ for base in type(error).__mro__}
    return bool(names & _WRAPPERS)


def _formatted(error: BaseException) -> str:
    """The traceback of one exception alone; Ray keeps the remote one in the exception's text."""
    own = "".join(traceback.format_exception(type(error), error, error.__traceback__, chain=False))
    return f"{own}\n{getattr(error, 'traceback_str', '') if _is_wrapper(error) else ''}"


def _from_text(text: str) -> RootCause:
    text = _LOG_PREFIX.sub("", _ANSI.sub("", text))
    own = [match for match in _EXCEPTION.finditer(text) if match[0].startswith("harness.")]
    told = [match for match in own if match["type"] not in _WRAPPERS]
    if told:
        message, _, remedy = _message(text, told[-1]).partition("\n  → ")
        return RootCause(told[-1]["type"], message.strip(), remedy.strip())
    segment = _telling_segment(text)
    match = _last_original(segment) or _last_original(text)
    name = match["type"] if match else ""
    if known := explain(name, text):
        # A process that simply died has no frame of its own; those in the text only waited for it.
        return RootCause(name or "WorkerDied", *known, _where(segment) if name else "")
    if match is None:
        return RootCause(_any_type(text), _first_words(text), where=_where(text))
    source = segment if match.string is segment else text
    return RootCause(name, _said(name, _message(source, match)), where=_where(source[: match.start()]))


def _telling_segment(text: str) -> str:
    """Of a chain of tracebacks, the one that tells why: the direct cause, else the last."""
    parts = re.split(f"({re.escape(_DIRECT_CAUSE)}|{re.escape(_DURING_HANDLING)})", text)
    segment, markers = parts[0::2], parts[1::2]
    position = len(segment) - 1
    while position > 0 and markers[position - 1] == _DIRECT_CAUSE:
        position -= 1
    return segment[position]


def _last_original(text: str) -> re.Match[str] | None:
    """The last exception line that is not a wrapper's."""
    found = [m for m in _EXCEPTION.finditer(text) if m["type"] not in _WRAPPERS and not m["wrapped"]]
    return found[-1] if found else None


def _message(text: str, match: re.Match[str]) -> str:
    """The message of an exception line with the lines that belong to it."""
    lines = [match["message"] or ""]
    for line in text[match.end() :].split("\n")[1:_MESSAGE_LINES]:
        if not line.strip() or line.startswith(("Traceback", "ray::", "The above", "During handling")):
            break
        if _FRAME.match(line) or _EXCEPTION.match(line):
            break
        lines.append(line.rstrip())
    return "\n".join(lines).strip()


def _where(text: str) -> str:
    """The innermost frame in the user's own code, as ``file:line in function``."""
    frames = [match for match in _FRAME.finditer(text) if _is_users(match["file"])]
    if not frames:
        return ""
    last = frames[-1]
    return f"{_shown(last['file'])}:{last['line']} in {last['function']}"


def _is_users(file: str) -> bool:
    if file.startswith("<") or file.endswith(".pyx") or "site-packages" in file or "dist-packages" in file:
        return False
    return not re.search(r"/lib(?:64)?/python3[.\d]*/|/harness/(?:backend|managers|components|launch|records)/", file)


def _shown(file: str) -> str:
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def _said(name: str, message: str) -> str:
    """An exception as a sentence; `KeyError` alone says only the key."""
    if name == "KeyError":
        return f"KeyError: there is no {message}"
    return f"{name}: {message}" if message else name


def _any_type(text: str) -> str:
    match = next(iter(_EXCEPTION.finditer(text)), None)
    return match["type"] if match else "Error"


def _first_words(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no message")
    return line[:300]
