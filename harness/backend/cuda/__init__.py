"""What the harness adds to verl on NVIDIA GPUs."""
