"""The record of a run: from its folder alone it can be understood, resumed, repeated and compared.

One module a file of the folder: `status`, `metrics`, `stages`, `generations`, `provenance`. Nothing here imports torch,
verl or Ray.
"""
