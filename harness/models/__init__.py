"""Recipes that make a model folder: a real chat model from the hub or a package, and a tiny one made on the spot."""
