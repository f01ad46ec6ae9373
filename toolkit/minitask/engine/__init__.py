"""What every command on a repository stands on: the context, tasks and records found, specs checked."""
