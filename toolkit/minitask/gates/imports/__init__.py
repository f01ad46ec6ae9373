"""Imports that find nothing, in the changed files and in those that import them."""
