"""Questions about databases with their SQL: a generator, and a loader for BIRD and Spider."""
