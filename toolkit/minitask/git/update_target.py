"""Moving the target branch, and nothing else of the user's.

A branch that is checked out nowhere moves by compare-and-swap. One that is checked out moves by a fast-forward merge in
that checkout, which refuses rather than overwrite. A journal file, written before and removed after, lets the next
command undo the halves of a checkout that a kill in between left behind. What git wrote is told from what the user
wrote by time and content together: changed since the journal, and nothing but the new content or its beginning.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from pathlib import Path

from msgspec import Struct, to_builtins

from minitask.errors import MachineError, MinitaskError
from minitask.git import refs
from minitask.git.command import Git, failure
from minitask.git.merge_tree import TreeChange, is_ancestor, tree_changes
from minitask.git.repository import Repository, head_branch
from minitask.system import orphans
from minitask.system.atomic_write import write_json

JOURNAL = "advance.json"
LOCK_GRACE_SECONDS = 1.0
FAST_FORWARD = (
    *("merge", "--quiet", "--ff-only", "--no-overwrite-ignore"),
    *("--no-squash", "--commit", "--no-edit", "--no-autostash", "--no-verify-signatures"),
    *("--no-allow-unrelated-histories", "--no-signoff", "--no-log", "--no-stat"),
)
"""Each option is named: the user's own settings could turn it round."""
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
"""What git says when the machine failed, rather than that something of the user's is in the way."""
GITS_OWN_CODES_MAX = 129
"""A higher exit code is that of a wrapper whose git was killed."""
SKIPPED = "S"


class Checkout(Struct, frozen=True):
    """A checkout of the target: its files, and the git folder that holds its index."""

    top: Path
    git_dir: Path


class TargetUpdate(Struct, frozen=True):
    """The result of moving the target. `moved_meanwhile`: it was not at `old`; else `reason` says what blocks it."""

    done: bool
    moved_meanwhile: bool = False
    reason: str = ""


class TargetMove(Struct, frozen=True):
    """A target branch (full ref) that goes from one commit to a descendant."""

    target: str
    old: str
    new: str


class _Entry(Struct, frozen=True):
    """A path in the index: git's tag for it, its mode and its blob."""

    tag: str
    mode: str
    oid: str


def update_target(repository: Repository, step: TargetMove) -> TargetUpdate:
    """Move the target; the checkout that holds it, if any, gets the new files.

    `MachineError` where git or the disk failed; what was half-written by then is fixed at once, or else by the next
    command, for the journal stays until it is.
    """
    place = checkout_of(repository, step.target)
    since_ns = write_journal(repository, step, place)
    try:
        if place is None:
            moved = refs.move(repository.git, [refs.Move(step.target, step.new, step.old)])
            outcome: TargetUpdate | MachineError = TargetUpdate(moved, moved_meanwhile=not moved)
        else:
            outcome = _fast_forward(repository, step, place=place, since_ns=since_ns)
    except BaseException:
        with contextlib.suppress(MinitaskError, OSError):
            recover(repository)
        raise
    (repository.home / JOURNAL).unlink(missing_ok=True)
    if isinstance(outcome, MachineError):
        raise outcome
    return outcome


def checkout_of(repository: Repository, target: str) -> Checkout | None:
    """Return the checkout in which a branch is checked out, if any."""
    if repository.top is not None and head_branch(repository) == target:
        return Checkout(repository.top, repository.git_dir)
    if (repository.common_dir / "worktrees").is_dir():
        return _linked_checkout(repository, target)
    return None


def recover(repository: Repository) -> None:
    """Finish what a killed `update_target` left: its stale locks and half-written files. Call it under the lock."""
    path = repository.home / JOURNAL
    try:
        entry = json.loads(path.read_text("utf-8", "surrogateescape"))
        step = TargetMove(entry["target"], entry["old"], entry["new"])
        place = Checkout(Path(entry["top"]), Path(entry["git_dir"])) if entry["top"] else None
        since_ns = path.stat().st_mtime_ns
    except (OSError, ValueError, KeyError, TypeError):
        path.unlink(missing_ok=True)
        return
    _remove_locks(repository, step, place, since_ns)
    if place is not None and _are_there(repository, step, place):
        _restore(repository, step, place=place, since_ns=since_ns)
        _follow_index(repository, step, place)
    path.unlink(missing_ok=True)


def write_journal(repository: Repository, step: TargetMove, place: Checkout | None) -> int:
    """Write down what is about to be done; the time of that in ns, by the file system's own clock."""
    path = repository.home / JOURNAL
    entry = to_builtins(step) | {
        "top": str(place.top) if place else "",
        "git_dir": str(place.git_dir) if place else "",
    }
    write_json(path, entry)
    return path.stat().st_mtime_ns


def _fast_forward(
    repository: Repository, step: TargetMove, *, place: Checkout, since_ns: int
) -> TargetUpdate | MachineError:
    """Merge in the checkout; the error is given, not raised, where nothing is left to fix."""
    git = _merging_git(repository, step, place)
    if (
        not _is_at(repository, step.target, step.old)
        and git.line("rev-parse", "--verify", "HEAD") != step.old
    ):
        return TargetUpdate(done=False, moved_meanwhile=True)
    if (place.git_dir / "rebase-merge").exists() or (place.git_dir / "rebase-apply").exists():
        return TargetUpdate(done=False, reason="a rebase is under way in the checkout")
    done = git.run(*FAST_FORWARD, step.new)
    if done.exit_code == 0:
        return _arrived(repository, step, git)
    if done.exit_code < 0 or done.exit_code > GITS_OWN_CODES_MAX:
        raise failure(FAST_FORWARD, done)
    said = done.stderr.decode("utf-8", "replace")
    if "Not possible to fast-forward" in said:
        return TargetUpdate(done=False, moved_meanwhile=True)
    # Git took its locks away itself, but leaves the files that it wrote before a disk was full or a filter failed.
    _restore(repository, step, place=place, since_ns=since_ns)
    if any(words in said for words in TROUBLE):
        return failure(FAST_FORWARD, done)
    return TargetUpdate(done=False, reason=_refusal(said))


def _arrived(repository: Repository, step: TargetMove, git: Git) -> TargetUpdate | MachineError:
    """Look where the branch is: git's exit code alone does not say that it moved."""
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
    """Return True if the target's own file says that it is at a commit; False if only git can tell."""
    try:
        return (repository.common_dir / target).read_bytes() == f"{commit}\n".encode()
    except OSError:
        return False


def _refusal(said: str) -> str:
    """Git's reason in one line: its first sentence and the paths that it lists below."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = next((line.removeprefix("error: ") for line in lines), "git refused the merge")
    named = [line.strip() for line in said.splitlines() if line.startswith("\t")]
    return f"{first.rstrip(':')}: {', '.join(named)}" if named else first


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
    return (pointer.parent / text).resolve()


def _checkout_git(repository: Repository, place: Checkout) -> Git:
    git = Git(place.git_dir, repository.git.environ, lock_fds=repository.git.lock_fds)
    return git.with_user_config(place.top)


def _merging_git(repository: Repository, step: TargetMove, place: Checkout) -> Git:
    """Return the checkout's git, for which the branch has no options of its own for merges."""
    key = f"branch.{step.target.removeprefix('refs/heads/')}.mergeoptions"
    return _checkout_git(repository, place).with_setting(key, "")


def _remove_locks(
    repository: Repository, step: TargetMove, place: Checkout | None, since_ns: int
) -> None:
    """Remove git's locks made since the journal was written, unless somebody releases them meanwhile."""
    locks = [repository.common_dir / f"{step.target}.lock"]
    if place is not None:
        locks += [place.git_dir / f"{name}.lock" for name in ("index", "HEAD", "ORIG_HEAD")]
    deadline = time.monotonic() + LOCK_GRACE_SECONDS
    while any(lock.exists() for lock in locks) and time.monotonic() < deadline:
        time.sleep(0.05)
    stale = [lock for lock in locks if lock.exists() and lock.stat().st_mtime_ns >= since_ns]
    if stale and place is not None and orphans.works_in("git", place.top):
        raise MachineError(
            f"another git command is running in {place.top} and holds {stale[0].name}",
            hint="wait for it, then run the same command again",
        )
    for lock in stale:
        lock.unlink(missing_ok=True)


def _are_there(repository: Repository, step: TargetMove, place: Checkout) -> bool:
    """Return True if checkout and commits exist still; without them nothing can be told or written."""
    return (place.top.is_dir() and place.git_dir.is_dir()) and all(
        repository.git.succeeds("cat-file", "-e", f"{commit}^{{tree}}")
        for commit in (step.old, step.new)
    )


def _restore(repository: Repository, step: TargetMove, *, place: Checkout, since_ns: int) -> None:
    """Bring half-written files back to what the index says; a file with anything of the user's in it stays.

    Nothing is lost by writing ours again, for the new content is in a commit.
    """
    git = _checkout_git(repository, place)
    changes = tree_changes(repository.git, step.old, step.new)
    index = _read_index(git)
    for change in changes:
        if change.path not in index and _is_ours(git, place, change, since_ns):
            _remove(place.top, change.path)
    back = [
        change.path
        for change in changes
        if change.path in index
        and index[change.path].tag != SKIPPED
        and _is_ours(git, place, change, since_ns)
    ]
    if back:
        names = "\0".join(back).encode("utf-8", "surrogateescape")
        git.output("checkout-index", "-f", "-z", "--stdin", stdin=names)


def _read_index(git: Git) -> dict[str, _Entry]:
    """Return what the index holds, except for paths in conflict."""
    entries: dict[str, _Entry] = {}
    for field in git.fields("ls-files", "--stage", "-v", "-z"):
        header, _, path = field.partition("\t")
        tag, mode, oid, stage = header.split(" ")
        if stage == "0":
            entries[path] = _Entry(tag, mode, oid)
    return entries


def _is_ours(git: Git, place: Checkout, change: TreeChange, since_ns: int) -> bool:
    """Return True if git wrote what stands at a path, or took it away."""
    path = place.top / change.path
    if not _has_plain_parents(place.top, path):
        return False
    try:
        found = path.lstat()
    except FileNotFoundError:
        return change.status != "A" and _folder_of(path).stat().st_mtime_ns >= since_ns
    if change.status == "D" or not stat.S_ISREG(found.st_mode) or found.st_ctime_ns < since_ns:
        return False
    new = git.output("cat-file", "--filters", f"--path={change.path}", change.new_oid)
    return new.startswith(path.read_bytes())


def _has_plain_parents(top: Path, path: Path) -> bool:
    """Return True if every folder above a path that is there is a folder, and no link to one."""
    between = [parent for parent in path.parents if parent != top and parent.is_relative_to(top)]
    return all(
        stat.S_ISDIR(parent.lstat().st_mode) for parent in between if os.path.lexists(parent)
    )


def _folder_of(path: Path) -> Path:
    """Return the innermost folder above a path that is there."""
    return next(parent for parent in path.parents if parent.is_dir())


def _remove(top: Path, name: str) -> None:
    """Remove a file, and the folders that are empty without it."""
    path = top / name
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == top:
            return
        try:
            parent.rmdir()
        except OSError:
            return


def _follow_index(repository: Repository, step: TargetMove, place: Checkout) -> None:
    """Move the branch where its checkout has arrived: files and index were written, the ref was not."""
    git = _merging_git(repository, step, place)
    head = git.run("symbolic-ref", "-q", "HEAD").stdout.decode("utf-8", "surrogateescape")
    if head.rstrip("\n") != step.target or git.line("rev-parse", "HEAD") != step.old:
        return
    index = _read_index(git)
    changes = tree_changes(repository.git, step.old, step.new)
    if all(_has_arrived(index.get(change.path), change) for change in changes):
        git.run(*FAST_FORWARD, step.new)


def _has_arrived(entry: _Entry | None, change: TreeChange) -> bool:
    if change.status == "D" or entry is None:
        return change.status == "D" and entry is None
    return (entry.mode, entry.oid) == (change.new_mode, change.new_oid)
