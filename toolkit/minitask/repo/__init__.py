"""The only place that touches the machine: git, workspaces, processes and the sandbox.

Everything above this package works on values. Whatever starts a program goes through `process`, and
whatever runs commands that came out of a spec or a model goes through `sandbox` and `session` on
top of it, so that one rule (a clean environment, a time limit, a dead process group at the end)
holds for all of them.
"""
