"""The base of all repository commands: open the context, find tasks and records, check specs.

Start at `context.open_context` (a repository, its settings and its sandbox), `find_tasks.list_tasks`,
`task_status.task_statuses`, `task_records.records_of` and `validate_specs.check_sources`.
"""
