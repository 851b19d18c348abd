"""Slurm: scripts, submission and its view of jobs. Commands alone, so that nothing of Slurm's has to be installed."""
