"""With `landing.push`, a remote has to take the target's new tip before the branch moves here.

Where a rule of the remote or the user's pre-push hook protects the target, nothing moves, and the task's own branch is
pushed in its place, for a pull request.
"""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import MinitaskError
from minitask.git import refs
from minitask.git.remotes import Pushed, choose_remote, is_changed, push
from minitask.git.restore_checkout import TargetMove
from minitask.git.update_target import TargetUpdate, update_target
from minitask.landing.candidate_commits import Landed
from minitask.ledger.record import Verdict


def advance(engine: Context, step: TargetMove) -> TargetUpdate:
    """Move the target, on the remote first if it is to be pushed."""
    remote = engine.settings.push
    if not remote:
        return update_target(engine.repository, step)
    answer = push_commit(engine, remote, step.target, step.new, runs_hook=True)
    reason = answer.refused.get(step.target)
    if reason is not None:
        return TargetUpdate(done=False, reason=reason, declined=True, is_behind=is_changed(reason))
    moved = update_target(engine.repository, step)
    if moved.done or moved.moved_meanwhile:
        return moved
    return replace(moved, reason=f"{moved.reason} (it is on {remote} already)")


def left_on_branch(engine: Context, task: Task, commit: str, moved: TargetUpdate) -> Landed:
    """Return the outcome of a proven candidate whose target the remote declined: its branch is pushed."""
    remote, target, branch = (
        engine.settings.push,
        task.target.removeprefix("refs/heads/"),
        refs.branch(task.name).removeprefix("refs/heads/"),
    )
    again = f"minitask merge {task.name}"
    why = f"passed, but {remote} does not take {target}: {moved.reason}"
    if moved.is_behind:
        return Landed(Verdict.READY, reason=why, next_step=f"git pull {remote} {target} && {again}")
    pushed = push_commit(engine, remote, refs.branch(task.name), commit)
    refusal = pushed.refused.get(refs.branch(task.name))
    if refusal is None:
        step = pushed.link or f"git request-pull {target} {remote} {branch}"
        return Landed(Verdict.READY, reason=f"{why}; {branch} is pushed there", next_step=step)
    step = f"git push --force-with-lease {remote} {branch}" if is_changed(refusal) else again
    reason = f"{why}; {branch} could not be pushed: {refusal}"
    return Landed(Verdict.READY, reason=reason, next_step=step)


def push_commit(
    engine: Context,
    remote: str,
    ref: str,
    commit: str,
    *,
    runs_hook: bool = False,
    replaced: str = "",
) -> Pushed:
    """Return the remote's answer; a remote that cannot be reached refuses, too."""
    try:
        chosen = choose_remote(engine.repository, remote)
        moves = {ref: commit}
        return push(engine.repository, chosen, moves, runs_hook=runs_hook, replaced=replaced)
    except MinitaskError as error:
        return Pushed({ref: error.message})
