"""The merge of a candidate into a tip of the target: worked out here where that is plain, else by git."""

from __future__ import annotations

from minitask.engine.context import Context
from minitask.git.merge_tree import MergeResult, merge_apart, merge_tree


def merged(engine: Context, candidate: str, *, tip: str) -> MergeResult:
    """Return the tree of the merge of a candidate, which has one parent, into a tip; or the paths that conflict."""
    tree = None
    base = engine.objects.commit(f"{candidate}^1")
    if base is not None and leads_back(engine, tip, base):
        base, ours, theirs = map(engine.objects.tree_of, (base, tip, candidate))
        tree = merge_apart(engine.objects, base=base, ours=ours, theirs=theirs)
    if tree is not None:
        return MergeResult(tree)
    return merge_tree(engine.repository.git, ours=tip, theirs=candidate)


def leads_back(engine: Context, tip: str, base: str) -> bool:
    """Return True if merges made by this very process alone lead from a base to a tip.

    Then the base is the merge base of the tip and of whatever was made on the base since.
    """
    at: str | None = tip
    while at is not None and at != base:
        at = engine.built_on.get(at)
    return at is not None
