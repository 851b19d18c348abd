"""From a checked configuration to a running training with a record."""
