"""The base of every command on a repository: the context, tasks and records found, specs checked."""
