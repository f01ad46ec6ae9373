"""Coding agents as executors: how to start each program, and how to parse its output.

An adapter (`adapter.AgentProgram`) is pure: it turns a job into a command line, and output into a report. An agent's
own claim of success is ignored: only a change in scope that validates counts.
"""
