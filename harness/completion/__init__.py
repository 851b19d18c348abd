"""What the TAB key offers: commands, flags, groups and their options, keys, and the metrics of runs."""
