"""Which was better: runs are loaded, grouped by what they differ in, and compared with statistics."""
