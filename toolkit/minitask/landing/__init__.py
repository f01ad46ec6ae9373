"""Bring a change to the target: candidate commits, their validation, the merge queue, undo.

Start at `candidate_commits` (a change as a commit), `proof.prove` (its validation), `land.land_alone` and
`merge_queue.MergeQueue` (merge into the target) and `merged_tasks.undo_task`.
"""
