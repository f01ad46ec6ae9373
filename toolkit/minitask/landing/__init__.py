"""From a change to the target: commits, their proof, the merge queue, undo."""
