"""One task from its route to its landing: `life.run_task` reads from top to bottom, each step is a file.

`prepare` routes and refuses, `prepare.implement` calls the executor, `judge` runs the gates, `steps.next_steps` says
what may follow, `finish` records and lands. `resume` takes up what an earlier process left.
"""
