"""Sweeps: from words to points, to a frozen plan, to jobs, and the true state of every run."""
