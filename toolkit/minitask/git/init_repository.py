"""Making a small repository of its own: for the demo, and for whoever wants a throw-away one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from minitask.git.run_git import Git


def create_repository(
    folder: Path, files: Mapping[str, str], *, message: str, environ: Mapping[str, str]
) -> None:
    """Make a repository with one commit on `main` that holds the files; its committer is the toolkit."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    git_dir = folder / ".git"
    git_dir.mkdir()
    Git(git_dir, environ).output("init", "-q", "--template=", "--initial-branch=main")
    git = Git(git_dir, environ, work_tree=folder)
    git.output("config", "core.bare", "false")
    git.output("config", "user.name", "minitask demo")
    git.output("config", "user.email", "demo@minitask.invalid")
    git.output("add", "--all")
    git.output("commit", "-q", "--no-verify", "-m", message)
