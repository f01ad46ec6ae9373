"""Specs from goals, linters and templates; verification of a whole project; planning done elsewhere.

Start at `plan.plan`, `scan.scan`, `scaffold.next_spec`, `verify_project.verify_project` and `record_usage`.
"""
