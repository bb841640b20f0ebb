"""What the forms of `config_flow.py` stand on: names of ports, entries that lend theirs, attempts to read a meter."""
