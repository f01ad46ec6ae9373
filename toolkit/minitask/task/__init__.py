"""One task from its route to its landing: `life.run_task` reads from top to bottom, each step is a file.

`prepare` validates and routes, `prepare.implement` calls the executor, `judge` runs the gates, `next_attempt` chooses
among the steps that may follow, `finish` records and lands. `earlier_work` continues an earlier process's work.
"""
