"""SKSTACK-IP modules: codec, commands, driver."""
