"""Git: objects, refs, trees, merges, history, remotes. No command of a spec runs here.

Start at `repository.discover`, `run_git.Git` (a git command), `objects.Objects` (reading), `commits.write_commits`
(writing), `trees.merge_tree` and `update_target.update_target` (the target's move, by compare-and-swap).
"""
