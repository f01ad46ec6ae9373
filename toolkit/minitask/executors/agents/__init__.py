"""Coding agents as executors: how to start each program, and what its output means.

An adapter (`adapter.AgentProgram`) is pure: a job goes in and a command line comes out, output goes in and a report
comes out. What an agent says of its success counts for nothing: only a change in scope that validates counts.
"""
