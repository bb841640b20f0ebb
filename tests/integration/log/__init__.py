"""The meter's log with a real recorder on an SQLite file, on virtual time."""
