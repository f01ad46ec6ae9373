"""Remotes: what they hold of the toolkit's refs, fetched aside, and pushed without ever overwriting anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minitask.errors import MachineError, UsageError
from minitask.git import refs
from minitask.git.repository import Repository
from minitask.git.run_git import Git, failure
from minitask.words import did_you_mean

SHARED = (refs.LEDGER, refs.ATTEMPTS, refs.BRANCHES)
TRACKED = "refs/minitask/remotes"


def choose_remote(repository: Repository, name: str | None) -> str:
    """Return the remote that is meant: the one named, `origin`, or the only one there is."""
    remotes = repository.git.with_user_config().output("remote").decode().split()
    if name is not None:
        if name in remotes or "/" in name or ":" in name:
            return name
        raise UsageError(f"there is no remote {name}", hint=did_you_mean(name, remotes))
    if "origin" in remotes:
        return "origin"
    if len(remotes) == 1:
        return remotes[0]
    hint = f"name one: {', '.join(remotes)}" if remotes else "add one: git remote add origin URL"
    raise UsageError("several git remotes, none chosen", hint=hint)


def fetch(repository: Repository, remote: str, *, label: str) -> dict[str, str]:
    """Fetch the remote's refs of the toolkit's; by their own names, with what they hold."""
    git = _network(repository)
    tracked = f"{TRACKED}/{label}"
    specs = [
        f"+{refs.LEDGER}:{tracked}/ledger",
        f"+{refs.ATTEMPTS}/*:{tracked}/attempts/*",
        f"+{refs.BRANCHES}/*:{tracked}/heads/*",
    ]
    listed = git.output("ls-remote", remote, *(SHARED[0], f"{SHARED[1]}/*", f"{SHARED[2]}/*"))
    rows = (line.split("\t") for line in listed.decode("utf-8", "surrogateescape").splitlines())
    remote_refs = {name: oid for oid, name in rows}
    refspecs = specs if refs.LEDGER in remote_refs else specs[1:]
    if remote_refs:
        args = (
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--prune",
            remote,
            *refspecs,
        )
        finished = git.run(*args)
        if finished.exit_code != 0:
            raise failure(args, finished)
    return remote_refs


def push(repository: Repository, remote: str, moves: Mapping[str, str]) -> tuple[str, ...]:
    """Push objects to refs (ref to object id), none by force; the refs that the remote would not take."""
    rejected: list[str] = []
    names = list(moves)
    for at in range(0, len(names), 500):
        rejected += _push(repository, remote, {name: moves[name] for name in names[at : at + 500]})
    return tuple(rejected)


def _push(repository: Repository, remote: str, moves: Mapping[str, str]) -> Sequence[str]:
    args = ("push", "--porcelain", "--no-verify", remote)
    finished = _network(repository).run(*args, *(f"{oid}:{name}" for name, oid in moves.items()))
    lines = finished.stdout.decode("utf-8", "surrogateescape").splitlines()
    rows = [line.split("\t") for line in lines if line[:1] in "!+-*= " and "\t" in line]
    if finished.exit_code != 0 and not rows:
        raise failure(args, finished)
    return [row[1].partition(":")[2] for row in rows if row[0].startswith("!")]


def merge_ledgers(git: Git, ours: str, theirs: str) -> str:
    """Return the tree that holds the records of both; a record's name is that of its content, so they never
    differ.
    """
    args = ("merge-tree", "--write-tree", "--allow-unrelated-histories", "-z", "--no-messages")
    finished = git.run(*args, ours, theirs)
    if finished.exit_code != 0:
        raise MachineError(
            "both ledgers have a file of the same name with different content, so one was edited by hand",
            hint=f"compare them: git diff --stat {ours[:12]} {theirs[:12]}",
        )
    return finished.stdout.decode().rstrip("\0").split("\0")[0]


def _network(repository: Repository) -> Git:
    """Git with the user's own settings, which know how to reach a remote."""
    return repository.git.with_user_config(repository.top)


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
    oids = "".join(f"{oid}\n" for oid in missing).encode()
    quick = ("-c", "fetch.negotiationAlgorithm=noop")
    finished = git.run(*quick, "fetch", "-q", remote, *FETCH, stdin=oids)
    unfetched = _missing(git, commit)
    if unfetched:
        error_lines = finished.stderr.decode("utf-8", "replace").strip().splitlines()
        raise MachineError(
            f"this is a partial clone, and {len(unfetched)} files of {commit[:12]} could not be fetched from {remote}"
            + (f": {error_lines[-1]}" if error_lines else ""),
            hint=f"check the connection, or fill the clone: git fetch --refetch --no-filter {remote}",
        )


def fill_command(repository: Repository) -> str:
    """Return what brings all that a shallow or partial clone lacks; empty for a whole one."""
    remote = _promisor(repository.git.with_user_config())
    refetch = f"git fetch --refetch --no-filter {remote}" if remote else ""
    return "git fetch --unshallow" if repository.shallow else refetch


def _promisor(git: Git) -> str:
    """Return the remote that has promised objects; empty if there is none."""
    finished = git.run("config", "--name-only", "--get-regexp", r"^remote\..*\.promisor$")
    names = finished.stdout.decode("utf-8", "surrogateescape").splitlines()
    return names[0].removeprefix("remote.").removesuffix(".promisor") if names else ""


def _missing(git: Git, commit: str) -> list[str]:
    """Return the objects of a commit's files that are not there."""
    listed = git.output("rev-list", "--objects", "--no-walk", "--missing=print", commit)
    return [line[1:].decode("ascii") for line in listed.splitlines() if line.startswith(b"?")]
