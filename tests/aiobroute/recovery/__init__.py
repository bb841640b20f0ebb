"""Everything that can go wrong, for every family of modules."""
