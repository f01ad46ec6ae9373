"""Checkouts for validations and agents, and what they get of the user's files."""
