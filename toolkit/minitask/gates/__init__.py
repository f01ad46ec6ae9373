"""Checks that an attempt must pass, one file each. A gate that says no gives a ruling; it never raises."""
