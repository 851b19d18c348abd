"""The parts of `make gpu-check`, see `benchmarks/gpu_check.py`."""
