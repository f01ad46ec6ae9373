"""Before the tasks and after them: specs from goals, templates and linters, verification, planning done elsewhere."""
