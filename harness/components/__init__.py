"""Components: what a ``_target_`` node may name, and how a node becomes an object."""
