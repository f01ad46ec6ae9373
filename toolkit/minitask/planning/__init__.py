"""Write specs from goals, linters and templates; verify whole projects; record planning done elsewhere.

Start at `plan.plan`, `scan.scan`, `scaffold.next_spec`, `verify_project.verify_project` and `record_usage`.
"""
