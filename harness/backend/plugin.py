"""What verl loads in every one of its processes: the CPU platform, the built-in generation server, the patches.

verl finds this module through the entry-point group ``verl.plugins``, where a failure is only logged at DEBUG, and
through ``VERL_USE_EXTERNAL_MODULES``, which the harness sets in its own runs and where a failure ends the process.
"""

from __future__ import annotations

import os

from harness.records.stacks import answer_with_stacks


def load() -> None:
    """Register what the harness adds to verl in this process."""
    answer_with_stacks()
    from harness.backend.generation.replica import register_generation

    if os.environ.get("VERL_PLATFORM") == "cpu":
        from harness.backend.cpu.platform import use_cpu_platform
        from harness.backend.patches import apply_process_patches

        use_cpu_platform()
        apply_process_patches()
    register_generation()


load()
