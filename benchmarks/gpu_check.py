"""What a new CUDA machine can do: `make gpu-check`, at most 8 minutes, one GPU or several.

    python benchmarks/gpu_check.py [overrides] [--only learn resume …] [--minutes 8] [--experiment quickstart] [--commit]

    doctor     what is installed, and what is missing
    attention  the packed attention's kernels against float32, one sequence at a time: error and speed
    learn      GRPO on SmolLM2-135M and reasoning-gym's arithmetic with the built-in generation server on one GPU
    resume     the same run, killed with SIGKILL on its way, goes on from its checkpoint to its end
    several    the same on 2, 4 or 8 GPUs of this machine, where there are
    vllm       the same with vLLM, where it is installed
    bare       the same through bare verl, for what the harness costs or saves a step
    algorithms two steps of every algorithm, one run after the other; only with --only algorithms --minutes 60

A part that fails is on record as that, and the others run. When time is over, the part under way is ended, and the rest
is unproven. Writes outputs/gpu_check.json after each part, with --commit benchmarks/results/gpu_check.json. With --only,
what the record says of other parts stays, if it is this machine's. `device=cpu` tries the parts without a GPU.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from gpu_checks.check import LEAST_STEPS, Check
from gpu_checks.parts import ON_REQUEST, PARTS, take
from gpu_checks.record import parts_of, save, this_machine
from gpu_checks.table import gpu_table
from processes import GRACE_SECONDS, Deadline

from harness.config.compose import compose_config
from harness.config.detect import visible_gpus
from harness.errors import HarnessError

HERE = Path(__file__).resolve().parent
COMMITTED = HERE / "results" / "gpu_check.json"
RESERVE_SECONDS = GRACE_SECONDS + 5.0  # to end the part under way


def main() -> int:
    """Take the parts one after the other, keep what each has shown, and print the table.

    Returns:
        0; 1 where a part failed or was ended; 2 where nothing could be tried.
    """
    arguments, words = _arguments()
    try:
        device = compose_config(words).trainer.device
    except HarnessError as error:
        return _refuse(str(error))
    if device == "cpu" and (arguments.commit or "device=cpu" not in words):
        return _refuse("no CUDA GPU is visible. → device=cpu tries what can be tried without one, into another record.")
    machine = this_machine(device)
    path = COMMITTED if arguments.commit else arguments.results
    check = Check(
        words=tuple(words),
        device=device,
        deadline=Deadline(arguments.minutes * 60 - RESERVE_SECONDS),
        gpus=arguments.gpus or (_at_most(visible_gpus()) if device == "cuda" else 1),
        steps=arguments.steps,
        rise=arguments.rise,
        parts=parts_of(path, machine) if arguments.only else {},
    )
    command = " ".join(["python benchmarks/gpu_check.py", *sys.argv[1:]]) if sys.argv[1:] else "make gpu-check"
    every = PARTS | ON_REQUEST
    chosen = [name for name in every if name in (arguments.only or PARTS)]
    for name in chosen:
        print(f"── {name}: {every[name].__doc__}", flush=True)
        check.parts[name] = take(every[name], check)
        record = save(path, machine, command, check.parts)
        print(json.dumps(check.parts[name], indent=2), flush=True)
    print(f"\n{gpu_table(record)}\n\n{path}")
    wrong = [name for name in chosen if {"failed", "ended"} & set(check.parts[name])]
    return _refuse(f"failed or ended: {', '.join(wrong)}", 1) if wrong else 0


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    """The flags, and the overrides of every training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--experiment", default="quickstart")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, *ON_REQUEST])
    parser.add_argument("--minutes", type=float, default=8.0, help="that all parts take together, at most")
    parser.add_argument("--steps", type=int, default=24, help=f"of a training, at least {LEAST_STEPS}")
    parser.add_argument("--rise", type=float, default=0.2, help="of held-out accuracy: 64 held-out rows scatter less")
    parser.add_argument("--gpus", type=int, help="that `several` trains on; on a CPU, workers")
    parser.add_argument("--results", type=Path, default=Path("outputs") / "gpu_check.json", help="the record")
    parser.add_argument("--commit", action="store_true", help=f"the record is {COMMITTED.relative_to(HERE.parent)}")
    arguments, words = parser.parse_known_args()
    if flags := [word for word in words if word.startswith("-")]:
        parser.error(f"there is no {', '.join(flags)}")
    if arguments.steps < LEAST_STEPS:
        parser.error(f"--steps {arguments.steps}: at least {LEAST_STEPS} are needed, to save, be killed and resume")
    if arguments.minutes * 60 <= RESERVE_SECONDS:
        parser.error(f"--minutes {arguments.minutes}: more than {RESERVE_SECONDS:.0f} seconds are needed")
    return arguments, [f"experiment={arguments.experiment}", *words]


def _at_most(gpus: int) -> int:
    """The greatest power of two among them: batches divide by it."""
    return 1 << max(gpus, 1).bit_length() - 1


def _refuse(message: str, code: int = 2) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the part under way ends with it
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(_refuse("interrupted; the parts before are on record", 130))
