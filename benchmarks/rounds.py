"""Rounds of a benchmark that are on record, so that one which was interrupted goes on where it was."""

from __future__ import annotations

import sys
from datetime import date
from typing import Any

from machine import machine


def rounds_on_record(record: dict[str, Any], mark: str) -> list[Any]:
    """The rounds of a record that were measured of the same configuration and machine; none of another."""
    same = record.get("fingerprint") == mark and record.get("machine") == machine()
    return list(record["rounds"]) if same else []


def about(mark: str) -> dict[str, Any]:
    """What a record says beside its rounds.

    Args:
        mark: The configuration's fingerprint.
    """
    return {"date": str(date.today()), "machine": machine(), "command": " ".join(sys.argv), "fingerprint": mark}
