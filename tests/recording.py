"""Commits for tests, written as the toolkit writes its own."""

from __future__ import annotations

from collections.abc import Sequence

from minitask.repo import commits
from minitask.repo.commits import NewCommit
from minitask.repo.database import open_database
from minitask.repo.git import Git
from minitask.repo.repository import discover


def write_commits(git: Git, new: Sequence[NewCommit], *, force: bool = False) -> tuple[str, ...]:
    """Write commits into the repository that `git` works on, and move their refs."""
    with open_database(discover(git.git_dir.parent, git.environ)) as database:
        return commits.write_commits(database, new, force=force)
