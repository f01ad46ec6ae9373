"""Objects that a partial clone lacks: a remote has promised them, and they are fetched where a workspace needs them."""

from __future__ import annotations

from minitask.errors import MachineError
from minitask.git.command import Git
from minitask.git.repository import Repository

FETCH = (
    "--no-tags",
    "--no-write-fetch-head",
    "--recurse-submodules=no",
    "--filter=blob:none",
    "--stdin",
)


def fetch_missing(repository: Repository, commit: str) -> None:
    """Fetch what a partial clone lacks of a commit's files; nothing if the clone is whole.

    Raises `MachineError` where they cannot be had.
    """
    git = repository.git.with_user_config()
    remote = _promisor(git)
    if not remote:
        return
    missing = _missing(git, commit)
    if not missing:
        return
    wanted = "".join(f"{oid}\n" for oid in missing).encode()
    quick = ("-c", "fetch.negotiationAlgorithm=noop")
    done = git.run(*quick, "fetch", "-q", remote, *FETCH, stdin=wanted)
    left = _missing(git, commit)
    if left:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise MachineError(
            f"this is a partial clone, and {len(left)} files of {commit[:12]} could not be fetched from {remote}"
            + (f": {said[-1]}" if said else ""),
            hint=f"check the connection, or fill the clone: git fetch --refetch --no-filter {remote}",
        )


def _promisor(git: Git) -> str:
    """Return the remote that has promised objects; empty if there is none."""
    done = git.run("config", "--name-only", "--get-regexp", r"^remote\..*\.promisor$")
    names = done.stdout.decode("utf-8", "surrogateescape").splitlines()
    return names[0].removeprefix("remote.").removesuffix(".promisor") if names else ""


def _missing(git: Git, commit: str) -> list[str]:
    """Return the objects of a commit's files that are not there."""
    listed = git.output("rev-list", "--objects", "--no-walk", "--missing=print", commit)
    return [line[1:].decode("ascii") for line in listed.splitlines() if line.startswith(b"?")]
