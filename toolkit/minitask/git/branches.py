"""Branches and merges for display, read through GitPython because speed does not matter here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from git import Repo


class BranchView(Struct, frozen=True):
    """A branch tip or a merge: abbreviated commit id, branch name or merge subject, author."""

    commit: str
    text: str
    author: str


def task_branches(top: Path) -> tuple[BranchView, ...]:
    """Return the task branches and their tips, by name."""
    heads = [head for head in _open(top).heads if head.name.startswith("minitask/")]
    return tuple(
        BranchView(head.commit.hexsha[:9], head.name, str(head.commit.author.name))
        for head in sorted(heads, key=lambda head: head.name)
    )


def merges(top: Path, branch: str) -> tuple[BranchView, ...]:
    """Return the merges on a branch's first-parent line, oldest first."""
    commits = _open(top).iter_commits(branch, first_parent=True, merges=True)
    views = [
        BranchView(commit.hexsha[:9], str(commit.summary), str(commit.author.name))
        for commit in commits
    ]
    return tuple(reversed(views))


def _open(top: Path) -> Repo:
    from git import Repo

    repo = Repo(top)
    repo.git.update_environment(GIT_DIR=str(repo.git_dir), GIT_WORK_TREE=str(top))
    return repo
