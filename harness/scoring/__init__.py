"""Scoring in processes of its own, so that a reward function that raises, hangs or eats memory costs one sample."""
