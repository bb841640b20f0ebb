"""The client from the session upwards, against the simulator, on virtual time."""
