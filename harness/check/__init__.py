"""What is wrong with a configuration, found before anything starts: without torch, verl or Ray."""
