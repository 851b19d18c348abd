"""Reward-SQL: text-to-SQL trained with outcome rewards (execution) and process rewards (each CTE of a chain).

Paper: https://arxiv.org/abs/2505.04671
"""
