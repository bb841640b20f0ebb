"""The meter's log through days and weeks of trouble."""
