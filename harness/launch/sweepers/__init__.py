"""Sweeps whose points a sweeper of Hydra's chooses, batch by batch, from what the runs before came to."""
