"""The machine beneath git and the sandbox: processes, locks, files that survive a crash.

Start at `process.run`, `files.write_json`, `files.hold` and `files.Cache`.
"""
