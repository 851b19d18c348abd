"""The command line: a thin entry point that finds the command, hands it its arguments and turns errors into exit codes.

The parser is ours: flags stand in any position and take no abbreviation; everything else is a Hydra override.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError, HarnessError, Interrupted, disk_full
from harness.usage import CLASSIC, FLAGS, USAGE

Flags = dict[str, Any]  # True, a value, or a list of values


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The words after ``harness``; those of this process by default.

    Returns:
        The exit code: 0 done, 1 failed, 2 configuration, 130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)  # a user's own components lie beside their conf/
    if not words or words[0] in ("help", "--help", "-h") or (words[0] in FLAGS and "--help" in words):
        print(USAGE, end="")
        return 0
    if words[0] == "--version":
        from harness.launch.doctor import installed

        print(f"harness {installed('rl-harness')}, verl {installed('verl') or 'is not installed'}")
        return 0
    try:
        return _command(words[0])(*_parse(words[0], words[1:]))
    except HarnessError as error:
        if arguments is None and isinstance(error, Interrupted):
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more while Python ends would print a traceback
        if not getattr(error, "log", ""):  # a failed training has been told by its view
            print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if arguments is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(f"harness {words[0]}: interrupted before it was done.", file=sys.stderr)
        return Interrupted.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone, as in `harness show | head`
        return 0
    except OSError as error:
        if (told := disk_full(error)) is None:
            raise
        print(f"error: {told}", file=sys.stderr)
        return told.exit_code


def _command(name: str) -> Callable[..., int]:
    commands = {
        "train": _train,
        "sweep": _sweep,
        "compare": _compare,
        "evaluate": _evaluate,
        "rerun": _rerun,
        "check": _check,
        "show": _show,
        "list": _list,
        "sync": _sync,
        "doctor": _doctor,
        "completion": _completion,
    }
    if name not in commands:
        from harness.config.suggest import did_you_mean

        raise ConfigurationError(f"harness {name}: there is no such command.", did_you_mean(name, [*commands, "help"]))
    return commands[name]


def _parse(command: str, words: Sequence[str]) -> tuple[Flags, list[str]]:
    flags: Flags = {}
    overrides: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if not word.startswith("-"):
            overrides.append(word)
            continue
        name, _, value = word.partition("=")
        if name not in FLAGS[command]:
            allowed = ", ".join(FLAGS[command]) or "none"
            raise ConfigurationError(f"harness {command}: there is no flag {name}.", f"Allowed: {allowed}.")
        values = [value] if value else []
        while len(values) < FLAGS[command][name]:
            if not (following := next(waiting, "")):
                needed = "a value is" if FLAGS[command][name] == 1 else f"{FLAGS[command][name]} values are"
                raise ConfigurationError(f"harness {command} {name}: {needed} needed.")
            values.append(following)
        flags[name] = values[0] if len(values) == 1 else values or True
    return flags, overrides


def _train(flags: Flags, overrides: list[str]) -> int:
    from harness.config.classic import classic_words
    from harness.launch.command import dry_resume, dry_run, resume_run, train_run

    words, file = [*classic_words(flags), *overrides], _file(flags)
    resumed = flags.get("--resume")
    if resumed:
        for flag in flags:
            if flag.lstrip("-") in CLASSIC:
                raise ConfigurationError(f"--resume goes on with what is recorded; {flag} cannot change it.")
    allow = bool(flags.get("--allow-changes"))
    if _is_sweep(flags, words, resumed):
        return _start_sweep(flags, words, resumed)
    if flags.get("--dry-run"):
        print(dry_resume(str(resumed), words, allow) if resumed else dry_run(words, file), end="")
        return 0
    run = resume_run(str(resumed), words, allow) if resumed else train_run(words, file)
    print(f"run: {run}")
    return 0


def _is_sweep(flags: Flags, words: list[str], resumed: Any) -> bool:
    """Whether it is about a sweep: by its flag, by the folder to go on with, or as Slurm's runs always are in one."""
    if resumed:
        from harness.launch.sweep.folder import SweepFolder

        return SweepFolder.is_one(str(resumed))
    if flags.get("-m") or flags.get("--multirun"):
        return True
    for word in words:
        if word.startswith("sweep="):
            raise ConfigurationError(f"{word} names a sweep's file.", f"harness train -m {word}")
    from harness.launch.command import launcher_of

    return launcher_of(words, _file(flags)) == "slurm"


def _file(flags: Flags) -> str | None:
    return str(flags["--config"]) if "--config" in flags else None


def _start_sweep(flags: Flags, words: list[str], resumed: Any) -> int:
    from harness.launch.sweep.start import dry_sweep, resume_sweep, start_sweep
    from harness.launch.sweepers.search import dry_search, find_search, start_search

    if "--config" in flags:
        raise ConfigurationError(
            "--config is for a single run on this machine.", "Put it into conf/experiment/NAME.yaml for more."
        )
    if resumed and words:
        raise ConfigurationError(
            f"--resume {resumed} starts what is left of the sweep as it was planned; {words[0]} would change it.",
            f"harness sweep retry {resumed} --all {' '.join(words)}",
        )
    again = bool(flags.get("--again"))
    search = find_search(words) if (flags.get("-m") or flags.get("--multirun")) and not resumed else None
    if flags.get("--dry-run") and not resumed:
        print(dry_search(search) if search else dry_sweep(words, again), end="")
        return 0
    wait = bool(flags.get("--wait"))
    if resumed:
        sweep, well = resume_sweep(str(resumed), wait)
    else:
        sweep, well = start_search(search, again) if search else start_sweep(words, wait, again)
    print(f"sweep: {sweep.shown()}")
    return 0 if well else 1


def _sweep(flags: Flags, words: list[str]) -> int:
    from harness.launch.sweep.commands import sweep_command

    text, well = sweep_command(words, flags)
    print(text, end="\n" if text else "")
    return 0 if well else 1


def _compare(flags: Flags, words: list[str]) -> int:
    from harness.compare.command import compare_command

    for text in compare_command(words, flags):
        print(text, flush=True)
    return 0


def _evaluate(flags: Flags, words: list[str]) -> int:
    from harness.launch.command import evaluate_run

    targets = [word for word in words if "=" not in word or Path(word).exists()]
    if len(targets) != 1:
        raise ConfigurationError(
            "harness evaluate: name one run, checkpoint or model folder.",
            "harness evaluate RUN|CHECKPOINT|MODEL_FOLDER [overrides]",
        )
    print(f"run: {evaluate_run(targets[0], [word for word in words if word != targets[0]])}")
    return 0


def _rerun(flags: Flags, words: list[str]) -> int:
    from harness.launch.rerun import rerun

    if not words:
        raise ConfigurationError("harness rerun: name a run.", "harness rerun RUN [overrides]")
    text, code = rerun(words[0], words[1:], bool(flags.get("--here")), bool(flags.get("--dry-run")))
    print(text, end="")
    return code


def _check(flags: Flags, overrides: list[str]) -> int:
    from harness.check.report import check_report
    from harness.config.classic import classic_words

    deep = None
    if flags.get("--deep"):
        from harness.managers.deep import deep_check

        deep = partial(deep_check, announce=lambda stage: print(stage, file=sys.stderr))
    words, strict = [*classic_words(flags), *overrides], bool(flags.get("--strict"))
    text, wrong = check_report(words, bool(flags.get("--json")), strict, deep, _file(flags))
    print(text)
    return 2 if wrong else 0


def _show(flags: Flags, overrides: list[str]) -> int:
    if "--diff" in flags:
        from harness.launch.difference import show_difference

        print(show_difference(*flags["--diff"]), end="")
        return 0
    from omegaconf import OmegaConf

    from harness.config.compose import compose_config, resolve

    print(OmegaConf.to_yaml(resolve(compose_config(overrides))), end="")
    return 0


def _list(flags: Flags, groups: list[str]) -> int:
    from harness.config.catalogue import render_catalogue
    from harness.config.plugins import list_in

    named = [word for word in groups if "=" not in word]
    print(render_catalogue(named[0] if named else None, list_in("plugins", groups)), end="")
    return 0


def _completion(flags: Flags, words: list[str]) -> int:
    if "--line" in flags:
        from harness.completion.words import candidates

        print("\n".join(candidates(str(flags["--line"]))))
        return 0
    from harness.completion.shells import script

    print(script(words[0] if words else ""), end="")
    return 0


def _sync(flags: Flags, words: list[str]) -> int:
    from harness.tracking.sync import sync_runs

    if len(words) > 1:
        raise ConfigurationError("harness sync: one folder at a time.", "harness sync [DIR]")
    return 0 if sync_runs(Path(words[0] if words else "outputs"), print) else 1


def _doctor(flags: Flags, words: list[str]) -> int:
    from harness.launch.doctor import doctor_report

    text, works = doctor_report()
    print(text)
    return 0 if works else 1


if __name__ == "__main__":
    sys.exit(main())
