"""The integration in Home Assistant."""
