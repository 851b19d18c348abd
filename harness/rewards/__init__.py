"""Reward functions, one a file: called with the prompt and the response, keyword arguments of the row, parameters."""
