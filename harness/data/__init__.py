"""Recipes that make a data set folder: ``train.parquet`` and ``validation.parquet`` in the columns that verl reads."""
