"""Specs from goals, linters and templates; verification of a whole project; planning done elsewhere."""
