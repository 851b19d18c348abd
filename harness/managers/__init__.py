"""Managers: what trains, evaluates, generates, saves and loads."""
