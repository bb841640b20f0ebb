"""The rules for the household in plain values."""
