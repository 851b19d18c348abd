"""Advantage functions, one a file, each with its paper; tensors are (rows N, response tokens T)."""
