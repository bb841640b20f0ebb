"""Weeks in virtual time."""
