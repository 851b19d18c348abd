"""Policy losses that verl does not have or computes otherwise than its paper, one a file."""
