"""Move the target branch without touching the user's other work.

A branch that is not checked out moves by compare-and-swap; one that is, by a fast-forward merge in its checkout, which
never overwrites the user's changes. A journal file exists during the move, so that the next command can repair the
checkout after a kill. A file counts as written by git if it changed after the journal and holds the new content or a
prefix of it.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from minitask.errors import MachineError, MinitaskError, UsageError
from minitask.git import refs
from minitask.git.repository import Repository, head_branch
from minitask.git.restore_checkout import (
    FAST_FORWARD,
    Checkout,
    TargetMove,
    are_there,
    follow_index,
    remove_locks,
    restore,
    take_back,
)
from minitask.git.run_git import Git, failure
from minitask.git.trees import is_ancestor
from minitask.system.files import real_path, write_json

JOURNAL = "advance.json"
TROUBLE = (
    "No space left",
    "Out of diskspace",
    "Disk quota",
    "Read-only file system",
    "Permission denied",
    "Input/output error",
    "unable to write",
    "unable to create file",
    "unable to unlink",
    "annot create directory",
)
"""Git's messages if the machine failed, as opposed to a user's file blocking the merge."""
LOCKED = ".lock': File exists"
"""Git's message if another git process is at work, or left its lock."""
OVERWRITES = "would be overwritten"
"""Git's message if a file of the user's is in the way, as opposed to a merge of theirs that is under way."""
REBASE_FOLDERS = ("rebase-merge", "rebase-apply")
REBASES = "a rebase is under way"
PATCHES = "`git am` is under way"
GITS_OWN_CODES_MAX = 129
"""A higher exit status comes from a wrapper whose git was killed."""


class TargetUpdate(Struct, frozen=True):
    """The result of moving the target. `moved_meanwhile`: it was not at `old`; else `reason` says what blocks it.

    `declined`: the remote that must accept it first did not, by a rule or because it is ahead (`is_behind`).
    """

    done: bool
    moved_meanwhile: bool = False
    reason: str = ""
    declined: bool = False
    is_behind: bool = False

    @property
    def obstacle(self) -> str:
        """Return what a checkout has against the move: a rebase, a lock, or the user's edits."""
        if self.reason.startswith((REBASES, PATCHES)):
            return f"cannot be done while {self.reason}"
        if LOCKED in self.reason:
            return f"cannot be done while git is locked; when no git runs, remove the file: {self.reason}"
        fault = "would overwrite your edits" if OVERWRITES in self.reason else "cannot be done now"
        return f"{fault}: {self.reason}"


def no_branch(git_dir: Path) -> UsageError:
    """Return the error for a checkout on no branch: HEAD is detached, by the user or by a rebase."""
    is_rebased = any((git_dir / name).is_dir() for name in REBASE_FOLDERS)
    fault = REBASES if is_rebased else "HEAD is detached"
    way_out = "git rebase --continue" if is_rebased else "git switch BRANCH"
    return UsageError(
        f"{fault}, so there is no branch to merge into",
        hint=f"{way_out}, set `target` in minitask.yaml, or add --into where it is an option",
    )


def update_target(repository: Repository, step: TargetMove) -> TargetUpdate:
    """Move the target, and update the files of its checkout, if any.

    Raise `MachineError` if git or the disk failed; half-written files are repaired at once, or by the next command,
    since the journal remains until then.
    """
    folder = _rebased_in(repository, step.target)
    if folder is not None:
        return TargetUpdate(done=False, reason=f"{REBASES} in {folder}")
    tops = _checked_out_in(repository, step.target)
    if len(tops) > 1:
        name = step.target.removeprefix("refs/heads/")
        reason = f"{name} is checked out in {tops[0]} and in {tops[1]}; switch to another branch in one of them"
        return TargetUpdate(done=False, reason=reason)
    checkout = checkout_of(repository, step.target)
    since_ns = write_journal(repository, step, checkout)
    try:
        if checkout is None:
            moved = refs.move(repository.git, [refs.Move(step.target, step.new, step.old)])
            outcome: TargetUpdate | MachineError = TargetUpdate(moved, moved_meanwhile=not moved)
        else:
            outcome = _fast_forward(repository, step, checkout=checkout, since_ns=since_ns)
    except BaseException:
        with contextlib.suppress(MinitaskError, OSError):
            recover(repository)
        raise
    (repository.home / JOURNAL).unlink(missing_ok=True)
    if isinstance(outcome, MachineError):
        raise outcome
    return outcome


def checkout_of(repository: Repository, target: str) -> Checkout | None:
    """Return the checkout in which the branch is checked out, if any."""
    if repository.top is not None and head_branch(repository) == target:
        return Checkout(repository.top, repository.git_dir)
    if (repository.common_dir / "worktrees").is_dir():
        return _linked_checkout(repository, target)
    return None


def _rebased_in(repository: Repository, target: str) -> Path | None:
    """Return the folder in which a rebase is under way that will move the target when it ends, if any."""
    for git_dir in (repository.common_dir, *(repository.common_dir / "worktrees").glob("*")):
        for name in (
            "rebase-merge/head-name",
            "rebase-merge/update-refs",
            "rebase-apply/head-name",
        ):
            with contextlib.suppress(OSError):
                if target in (git_dir / name).read_text("utf-8", "surrogateescape").splitlines():
                    return _top_of(git_dir)
    return None


def _top_of(git_dir: Path) -> Path:
    """Return the checkout's folder of a repository or of a linked worktree, by the files that git keeps there."""
    try:
        return Path((git_dir / "gitdir").read_text("utf-8", "surrogateescape").rstrip("\n")).parent
    except OSError:
        return git_dir.parent if git_dir.name == ".git" else git_dir


def _checked_out_in(repository: Repository, target: str) -> list[Path]:
    """Return the checkouts of a branch; git makes more than one only if forced to, and each but one falls behind."""
    linked = [*(repository.common_dir / "worktrees").glob("*")]
    tops = []
    for git_dir in (repository.common_dir, *linked) if linked else ():
        with contextlib.suppress(OSError):
            head = (git_dir / "HEAD").read_text("utf-8", "surrogateescape").rstrip("\n")
            if (
                head == f"ref: {target}" and (git_dir / "index").exists()
            ):  # a bare repository has none
                tops.append(_top_of(git_dir))
    return [top for top in tops if (top / ".git").exists()]


def recover(repository: Repository) -> None:
    """Repair after a killed `update_target`: stale locks, half-written files. The caller holds the lock."""
    path = repository.home / JOURNAL
    try:
        entry = json.loads(path.read_text("utf-8", "surrogateescape"))
        step = TargetMove(entry["target"], entry["old"], entry["new"])
        checkout = Checkout(Path(entry["top"]), Path(entry["git_dir"])) if entry["top"] else None
        since_ns = path.stat().st_mtime_ns
    except (OSError, ValueError, KeyError, TypeError):
        path.unlink(missing_ok=True)
        return
    remove_locks(repository, step, checkout, since_ns)
    if checkout is not None and are_there(repository, step, checkout):
        git = _merging_git(repository, step, checkout)
        restore(repository, git, step, checkout=checkout, since_ns=since_ns)
        follow_index(repository, git, step)
    path.unlink(missing_ok=True)


def write_journal(repository: Repository, step: TargetMove, checkout: Checkout | None) -> int:
    """Write the journal; return its time in ns, by the file system's clock."""
    path = repository.home / JOURNAL
    entry = to_builtins(step) | {
        "top": str(checkout.top) if checkout else "",
        "git_dir": str(checkout.git_dir) if checkout else "",
    }
    write_json(path, entry)
    return path.stat().st_mtime_ns


def _fast_forward(
    repository: Repository, step: TargetMove, *, checkout: Checkout, since_ns: int
) -> TargetUpdate | MachineError:
    """Merge in the checkout; return the error, instead of raising it, if nothing is left to repair."""
    git = _merging_git(repository, step, checkout)
    if (
        not _is_at(repository, step.target, step.old)
        and git.line("rev-parse", "--verify", "HEAD") != step.old
    ):
        return TargetUpdate(done=False, moved_meanwhile=True)
    if any((checkout.git_dir / name).exists() for name in REBASE_FOLDERS):
        is_am = (checkout.git_dir / "rebase-apply/applying").exists()
        return TargetUpdate(done=False, reason=f"{PATCHES if is_am else REBASES} in {checkout.top}")
    finished = git.run(*FAST_FORWARD, step.new)
    if finished.exit_code == 0:
        return _arrived(repository, step, git)
    if finished.exit_code < 0 or finished.exit_code > GITS_OWN_CODES_MAX:
        raise failure(FAST_FORWARD, finished)
    message = finished.stderr.decode("utf-8", "replace")
    if "Not possible to fast-forward" in message:
        return TargetUpdate(done=False, moved_meanwhile=True)
    # Git removed its locks, but leaves files that it wrote before the disk was full or a filter failed,
    # and files and index if it could not write the ref.
    take_back(repository, git, step, checkout=checkout, since_ns=since_ns)
    restore(repository, git, step, checkout=checkout, since_ns=since_ns)
    if any(phrase in message for phrase in TROUBLE):
        return failure(FAST_FORWARD, finished)
    return TargetUpdate(done=False, reason=_refusal(message))


def _merging_git(repository: Repository, step: TargetMove, checkout: Checkout) -> Git:
    """Return the checkout's git, ignoring the branch's merge options."""
    git = replace(repository.git, git_dir=checkout.git_dir).with_user_config(checkout.top)
    return git.with_setting(f"branch.{step.target.removeprefix('refs/heads/')}.mergeoptions", "")


def _arrived(repository: Repository, step: TargetMove, git: Git) -> TargetUpdate | MachineError:
    """Check where the branch is: git's exit status does not prove that it moved."""
    if _is_at(repository, step.target, step.new):
        return TargetUpdate(done=True)
    at = git.line("rev-parse", "--verify", f"{step.target}^{{commit}}")
    if at == step.new or is_ancestor(repository.git, ancestor=step.new, of=at):
        return TargetUpdate(done=True)
    if at != step.old:
        return TargetUpdate(done=False, moved_meanwhile=True)
    return MachineError(
        f"git merge reported success, but {step.target.removeprefix('refs/heads/')} did not move",
        hint="check `git status` and your git merge settings",
    )


def _is_at(repository: Repository, target: str, commit: str) -> bool:
    """Return True if the target's ref file holds the commit; False also if only git can tell."""
    try:
        return (repository.common_dir / target).read_bytes() == f"{commit}\n".encode()
    except OSError:
        return False


def _refusal(message: str) -> str:
    """Return git's reason in one line: its first sentence and the listed paths."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    first = (
        next(iter(lines), "git refused the merge").removeprefix("error: ").removeprefix("fatal: ")
    )
    paths = [line.strip() for line in message.splitlines() if line.startswith("\t")]
    return f"{first.rstrip(':')}: {', '.join(paths)}" if paths else first


def _linked_checkout(repository: Repository, target: str) -> Checkout | None:
    fields = repository.git.fields("worktree", "list", "--porcelain", "-z")
    top = ""
    for field in fields:
        if field.startswith("worktree "):
            top = field.removeprefix("worktree ")
        if field == f"branch {target}":
            pointer = Path(top) / ".git"
            if not pointer.exists():
                raise MachineError(
                    f"{target.removeprefix('refs/heads/')} is checked out for {top}, whose files cannot be found",
                    hint="run the command in that checkout, or `git worktree prune` if it is gone",
                )
            return Checkout(Path(top), pointer if pointer.is_dir() else _follow(pointer))
    return None


def _follow(pointer: Path) -> Path:
    text = pointer.read_text("utf-8", "surrogateescape").removeprefix("gitdir: ").rstrip("\n")
    return real_path(pointer.parent / text)
