"""Trackers follow a run's record from a process of their own: what becomes of them never touches the training."""
