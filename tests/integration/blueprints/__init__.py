"""The blueprints in a real Home Assistant on virtual time, on the entities of a real meter."""
