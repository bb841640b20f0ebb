"""The way to the module: the port, and one driver for each family of modules."""
