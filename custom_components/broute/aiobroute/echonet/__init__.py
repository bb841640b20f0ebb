"""ECHONET Lite: frames, property maps, and the properties of the object classes. Pure: no port, no clock."""
