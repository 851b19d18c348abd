"""A comparison as a report in W&B, which others can open, filter and write into: ``harness compare --wandb-report``."""
