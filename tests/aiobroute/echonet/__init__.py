"""ECHONET Lite: frames, maps and properties against the tables and examples of the protocol reference."""
