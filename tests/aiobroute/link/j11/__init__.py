"""J11 modules."""
