"""Coding agents as executors: one file an agent program, each saying how to start it and what its output means.

An adapter is pure: a job goes in and a command line comes out, output goes in and a report comes out. What an agent
says of its success counts for nothing: a change in scope that validates is what counts.
"""
