"""The commands, their flags, and the text that tells of them."""

from __future__ import annotations

USAGE = """usage: harness COMMAND [flags] [overrides]

  train [overrides]         check, then train; ends with `run: PATH`
      -m                    a sweep: every combination of key=a,b,c, or sweep=NAME for conf/sweep/NAME.yaml;
                            ends with `sweep: PATH`
                            hydra/sweeper=optuna hydra.sweeper.n_trials=N searches, also key=interval(a,b)
      --again               with -m: also train what has been trained before, with the same configuration and seed
      --wait                with -m on Slurm: return when every run has ended
      --resume RUN|SWEEP    go on in its own folder
      --allow-changes       with --resume: overrides may change what decides the result; the record tells
      --dry-run             print what would run, run nothing
      --config FILE         a YAML file with verl's sections, in place of an experiment
      --algorithm NAME --data_path FOLDER --output_dir FOLDER --epochs N
      --core_algos MODULE --core_function NAME --reward_manager NAME
                            the same as overrides
  sweep status DIR          the state of every run of a sweep
      --json                for machines
  sweep logs DIR RUN        a run's log; -f follows it
  sweep cancel DIR [RUN…]   stop runs, all by default
  sweep retry DIR [RUN…]    start failed runs again, each from its last checkpoint
      --all --wait          cancelled ones too; return when every run has ended
      --afresh              from the start; what was reached is kept in RUN/earlier
      --allow-changes       overrides after the runs, such as cluster.memory_gb=64, may change what decides the result
  compare DIR…              which was better: runs, sweeps, folders, wandb:entity/project[/group], mixed
      --metric M            whole or part of a name; the validation's by default, of several data sources the mean
      --higher --lower      which is better, where the metric's name does not say it, or says it wrongly
      --value final|best|area|at=N|until=THRESHOLD --over steps|tokens|seconds
                            which number of a run's curve counts
      --by KEY,… --baseline V --all-pairs
                            what makes the groups, and what each is held against
      --statistic mean|iqm --unpaired --strict
                            over seeds; seeds apart; refuse runs that differ in more than what was swept
      --format table|json|csv|md|latex --json --out DIR --figures
                            what is printed; all of them and the report in a folder, with its figures for papers
      --wandb-report        the same as a report in W&B
  evaluate RUN|CHECKPOINT|MODEL_FOLDER
                            validate only
  rerun RUN [overrides]     the same experiment as a new run, from its record, with the code of then
      --here --dry-run      with the code as it is now; print what would run
  check [overrides]         report every problem of a configuration
      --deep                also try tokenizer, data, a reward, advantages and loss, and the places written to
      --strict --json       let warnings fail; as JSON
      --config FILE …       as with train, and the flags below it there
  show [overrides]          print the resolved configuration as YAML
      --diff A B            what decides the result and differs between two runs or two quoted lists of overrides
  list [group]              the groups and their options
  sync [DIR]                upload to W&B what it has not got; outputs/ by default
  doctor                    what works on this machine, and what to install
  completion bash|zsh       what the TAB key offers: eval "$(harness completion bash)" in ~/.bashrc
  help, --version           this text; what is installed

An override is key=value for any of verl's keys, or group=option:
  harness train experiment=quickstart
  harness train experiment=quickstart algorithm=ppo actor_rollout_ref.actor.optim.lr=1e-6
"""

CLASSIC = ("config", "algorithm", "data_path", "output_dir", "core_algos", "core_function", "reward_manager", "epochs")
# command → flag → how many values it takes
FLAGS: dict[str, dict[str, int]] = {
    "train": {"-m": 0, "--multirun": 0, "--wait": 0, "--again": 0, "--resume": 1, "--allow-changes": 0, "--dry-run": 0}
    | {f"--{name}": 1 for name in CLASSIC},
    "sweep": {"--json": 0, "-f": 0, "--all": 0, "--failed": 0, "--wait": 0, "--afresh": 0, "--allow-changes": 0},
    "compare": {
        "--metric": 1,
        "--value": 1,
        "--over": 1,
        "--by": 1,
        "--baseline": 1,
        "--statistic": 1,
        "--format": 1,
        "--out": 1,
        "--higher": 0,
        "--lower": 0,
        "--all-pairs": 0,
        "--unpaired": 0,
        "--strict": 0,
        "--figures": 0,
        "--wandb-report": 0,
        "--json": 0,
    },
    "evaluate": {},
    "rerun": {"--here": 0, "--dry-run": 0},
    "check": {"--deep": 0, "--json": 0, "--strict": 0} | {f"--{name}": 1 for name in CLASSIC},
    "show": {"--diff": 2},
    "list": {},
    "sync": {},
    "doctor": {},
    "completion": {"--line": 1},
}
