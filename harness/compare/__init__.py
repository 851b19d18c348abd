"""Comparing groups of runs: which was better, and how sure that is."""
