"""The machine beneath git and the sandbox: processes, locks, files that survive a crash."""
