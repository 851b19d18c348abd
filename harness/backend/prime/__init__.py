"""PRIME (arXiv:2502.01456): a process reward model that is learned from outcomes while the policy trains."""
