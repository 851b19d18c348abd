"""Reward managers: how the reward functions' scores become the reward of a response."""
