"""Taking back a landed task, by a commit that reverts its merge; its branch and its records stay."""

from __future__ import annotations

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.find_tasks import spec_paths
from minitask.engine.task_records import task_at
from minitask.engine.task_status import landings_at, latest_landing
from minitask.engine.tasks import PROJECTS, Base, load_file
from minitask.errors import MachineError, UsageError
from minitask.git import refs
from minitask.git.commits import NewCommit, write_commits
from minitask.git.restore_checkout import TargetMove
from minitask.git.trees import merge_tree
from minitask.landing.join import advance
from minitask.landing.proof import prove_checks
from minitask.ledger.record import Verdict
from minitask.spec.dependency_graph import Graph
from minitask.system.files import force_remove
from minitask.workspace import places
from minitask.workspace.build_cache import FOLDER


class Undone(Struct, frozen=True):
    """The result of it.

    `merged`: the revert is on the target; `ready`: a checkout is in the way; else `failed` or `conflict`. `undone` is
    the merge that the revert took back, `dependents` the merged tasks that depend on it.
    """

    task: str
    verdict: Verdict
    commit: str | None = None
    reason: str = ""
    undone: str = ""
    dependents: tuple[str, ...] = ()


def undo_task(engine: Context, name: str, base: Base) -> Undone:
    """Revert the merge that landed a task; raise `UsageError` if it has not landed."""
    tip = engine.tip(base.target)
    landing = latest_landing(engine, tip, name)
    if landing is None or landing.undone:
        target = base.target.removeprefix("refs/heads/")
        raise UsageError(
            f"{name} has not merged into {target}", hint="`minitask status` lists merged tasks"
        )
    if not landing.whole:
        return Undone(name, Verdict.FAILED, reason=_nothing_left(landing.commit))
    merged = merge_tree(
        engine.repository.git, ours=tip, theirs=_reverse(engine, name, landing.commit)
    )
    if merged.tree is None:
        reason = f"later changes depend on it, in {', '.join(merged.conflicts)}"
        return Undone(name, Verdict.CONFLICT, reason=reason)
    if merged.tree == engine.objects.tree_of(tip):
        return Undone(name, Verdict.FAILED, reason=_nothing_left(landing.commit))
    text = f"Undo {name}\n\nThis takes back the merge {landing.commit}.\n\nMinitask-Undo: {name}\n"
    commit = _commit(engine, f"{name}/undo", text, parent=tip, tree=merged.tree)
    proof = prove_checks(engine, task_at(engine, name, landing.spec, base), commit)
    if proof is not None and not proof.passed:
        return Undone(name, Verdict.FAILED, reason=f"without it, {proof.reason}")
    # What its code left in the build cache is not for those that follow.
    force_remove(places.work_folder(engine.repository) / FOLDER)
    moved = advance(engine, TargetMove(base.target, tip, commit))
    if moved.done:
        dependents = _merged_dependents(engine, name, base)
        return Undone(name, Verdict.MERGED, commit, undone=landing.commit, dependents=dependents)
    return Undone(name, Verdict.READY, reason=moved.reason or "the target branch moved meanwhile")


def _merged_dependents(engine: Context, name: str, base: Base) -> tuple[str, ...]:
    """Return the merged tasks whose specs say that they depend on one, directly or by way of others."""
    files = (load_file(engine, path, base) for path in spec_paths(engine, base.base, PROJECTS))
    graph = Graph(tuple(task.spec for file in files for task in file.tasks))
    at = {index for index, task in enumerate(graph.names) if task == name}
    names = [graph.names[index] for index, needs in enumerate(graph.reach) if needs & at]
    landed = landings_at(engine, base.base, names) if names else {}
    return tuple(name for name in names if name in landed and not landed[name].undone)


def _nothing_left(landing: str) -> str:
    return (
        f"nothing of its merge {landing[:12]} is left to take back: its change came another way, or is gone; "
        "`git revert` takes back the commit that brought it"
    )


def _reverse(engine: Context, name: str, landing: str) -> str:
    """Return a commit on top of the landing with the tree from before it: merging it in is reverting the landing."""
    before = engine.objects.commit(f"{landing}^1")
    if before is None:
        raise MachineError(f"the parent of {landing[:12]} is missing", hint="use a full clone")
    tree = engine.objects.tree_of(before)
    return _commit(engine, f"{name}/draft", f"before {name}\n", parent=landing, tree=tree)


def _commit(engine: Context, ref: str, text: str, *, parent: str, tree: str) -> str:
    who = engine.signature
    commit = NewCommit(f"{refs.LANDING}/{ref}", text, who, who, (parent,), tree=tree)
    return write_commits(engine.database, [engine.signed(commit)], force=True)[0]
