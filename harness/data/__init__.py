"""Recipes that make a data set folder: ``train.parquet`` and ``validation.parquet`` in the columns that verl reads."""

Folder = str  # the type of a recipe's parameter that names a folder it reads: `harness check` looks whether it is there
