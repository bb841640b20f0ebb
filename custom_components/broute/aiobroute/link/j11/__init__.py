"""ROHM J11 modules: codec, commands, requester, driver."""
