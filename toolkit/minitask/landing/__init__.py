"""From a change to the target: candidate commits, their validation, the merge queue, undo.

Start at `candidate_commits` (a change to a commit), `proof.prove` (its validation), `land.land_alone` and
`merge_queue.MergeQueue` (onto the target) and `merged_tasks.undo_task`.
"""
