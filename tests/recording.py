"""Commits for tests, written as the toolkit writes its own."""

from __future__ import annotations

from collections.abc import Sequence

from minitask.git import commits
from minitask.git.commits import NewCommit, open_database
from minitask.git.repository import discover
from minitask.git.run_git import Git


def write_commits(git: Git, new: Sequence[NewCommit], *, force: bool = False) -> tuple[str, ...]:
    """Write commits into the repository that `git` works on, and move their refs."""
    with open_database(discover(git.git_dir.parent, git.environ)) as database:
        return commits.write_commits(database, new, force=force)
