"""Moving the target branch, and nothing else of the user's.

A branch that is checked out nowhere moves by compare-and-swap. One that is checked out moves by a fast-forward merge in
that checkout, which refuses rather than overwrite. A journal file, written before and removed after, lets the next
command undo the halves of a checkout that a kill in between left behind.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from minitask.repo import refs
from minitask.repo.git import Git
from minitask.repo.merging import TreeChange, tree_changes
from minitask.repo.repository import Repository, head_branch

JOURNAL = "advance.json"
LOCK_GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout of the target: its files, and the git folder that holds its index."""

    top: Path
    git_dir: Path


@dataclass(frozen=True, slots=True)
class Advanced:
    """Whether the target moved. `moved_meanwhile`: it was not at `old`; else `reason` says who is in the way."""

    done: bool
    moved_meanwhile: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A target branch (full ref) that goes from one commit to a descendant."""

    target: str
    old: str
    new: str


def advance(repository: Repository, step: Step) -> Advanced:
    """Move the target; the checkout that holds it, if any, gets the new files."""
    place = checkout_of(repository, step.target)
    with_journal = repository.home / JOURNAL
    _write_journal(with_journal, step, place)
    try:
        if place is None:
            moved = refs.move(repository.git, [refs.Move(step.target, step.new, step.old)])
            return Advanced(moved, moved_meanwhile=not moved)
        return _fast_forward(repository, step, place)
    finally:
        with_journal.unlink(missing_ok=True)


def checkout_of(repository: Repository, target: str) -> Checkout | None:
    """The checkout in which a branch is checked out, if any."""
    if (repository.common_dir / "worktrees").is_dir():
        return _linked_checkout(repository, target)
    if repository.top is None or head_branch(repository) != target:
        return None
    return Checkout(repository.top, repository.git_dir)


def heal(repository: Repository) -> None:
    """Finish what a killed `advance` left: its stale locks and half-written files. Call it under the lock."""
    path = repository.home / JOURNAL
    try:
        entry = json.loads(path.read_text("utf-8", "surrogateescape"))
        step = Step(entry["target"], entry["old"], entry["new"])
        place = Checkout(Path(entry["top"]), Path(entry["git_dir"])) if entry["top"] else None
        started = int(entry["started_ns"])
    except (OSError, ValueError, KeyError, TypeError):
        path.unlink(missing_ok=True)
        return
    _remove_locks(repository, step, place, started)
    if place is not None and place.top.is_dir():
        _restore(repository, step, place)
    path.unlink(missing_ok=True)


def _write_journal(path: Path, step: Step, place: Checkout | None) -> None:
    entry = asdict(step) | {
        "top": str(place.top) if place else "",
        "git_dir": str(place.git_dir) if place else "",
        "started_ns": time.time_ns(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8", errors="surrogateescape") as stream:
        json.dump(entry, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def _fast_forward(repository: Repository, step: Step, place: Checkout) -> Advanced:
    git = _checkout_git(repository, place)
    if git.line("rev-parse", "--verify", "HEAD") != step.old:
        return Advanced(done=False, moved_meanwhile=True)
    if (place.git_dir / "rebase-merge").exists() or (place.git_dir / "rebase-apply").exists():
        return Advanced(done=False, reason="a rebase is under way in the checkout")
    done = git.run("merge", "--quiet", "--ff-only", "--no-overwrite-ignore", "--no-stat", step.new)
    if done.exit_code == 0:
        return Advanced(done=True)
    said = done.stderr.decode("utf-8", "replace")
    if "Not possible to fast-forward" in said:
        return Advanced(done=False, moved_meanwhile=True)
    return Advanced(done=False, reason=_refusal(said))


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
            git = repository.git.with_user_config(Path(top))
            pointer = Path(top) / ".git"
            if not pointer.exists():
                continue
            here = Git(pointer, git.environ) if pointer.is_dir() else None
            folder = here.git_dir if here else _follow(pointer)
            return Checkout(Path(top), folder)
    return None


def _follow(pointer: Path) -> Path:
    text = pointer.read_text("utf-8", "surrogateescape").removeprefix("gitdir: ").rstrip("\n")
    return (pointer.parent / text).resolve()


def _checkout_git(repository: Repository, place: Checkout) -> Git:
    git = Git(place.git_dir, repository.git.environ, lock_fds=repository.git.lock_fds)
    return git.with_user_config(place.top)


def _remove_locks(
    repository: Repository, step: Step, place: Checkout | None, since_ns: int
) -> None:
    """Remove git's locks made since the journal was written, unless somebody releases them meanwhile."""
    locks = [repository.common_dir / f"{step.target}.lock"]
    if place is not None:
        locks += [place.git_dir / f"{name}.lock" for name in ("index", "HEAD", "ORIG_HEAD")]
    deadline = time.monotonic() + LOCK_GRACE_SECONDS
    while any(lock.exists() for lock in locks) and time.monotonic() < deadline:
        time.sleep(0.05)
    for lock in locks:
        if lock.exists() and lock.stat().st_mtime_ns >= since_ns - 1_000_000_000:
            lock.unlink(missing_ok=True)


def _restore(repository: Repository, step: Step, place: Checkout) -> None:
    """Bring half-written files back to what the index says; a file with anything of the user's in it stays.

    A path is ours where the step changes it and it is missing, or holds the new content or a part of it from the
    start: nothing is lost by writing it again, for the new content is in a commit.
    """
    git = _checkout_git(repository, place)
    changes = {change.path: change for change in tree_changes(repository.git, step.old, step.new)}
    indexed = set(git.fields("ls-files", "-z"))
    ours = [path for path, change in changes.items() if _is_ours(git, place, change)]
    back = [path for path in ours if path in indexed]
    if back:
        names = "\0".join(back).encode("utf-8", "surrogateescape")
        git.output("checkout-index", "-f", "-z", "--stdin", stdin=names)
    for path in ours:
        if path not in indexed:
            (place.top / path).unlink(missing_ok=True)


def _is_ours(git: Git, place: Checkout, change: TreeChange) -> bool:
    path = place.top / change.path
    if path.is_symlink() or path.is_dir():
        return False
    if not path.exists():
        return change.status != "D"
    if change.status == "D":
        return False
    present = path.read_bytes()
    return git.output("cat-file", "--filters", f"--path={change.path}", change.new_oid).startswith(
        present
    )
