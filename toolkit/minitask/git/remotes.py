"""Remotes: what they hold of the toolkit's refs, fetched aside, and pushed without ever overwriting anything."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import MachineError, UsageError
from minitask.git import refs
from minitask.git.kept_objects import keeping
from minitask.git.repository import Repository
from minitask.git.run_git import Git, failure
from minitask.words import did_you_mean, one_line

SHARED = (refs.LEDGER, refs.ATTEMPTS, refs.BRANCHES)
TRACKED = "refs/minitask/remotes"
ADD = "git remote add origin URL"


def choose_remote(repository: Repository, name: str | None) -> str:
    """Return the remote that is meant: the one named, `origin`, or the only one there is."""
    remotes = repository.git.with_user_config().output("remote").decode().split()
    if name is not None:
        if name in remotes or "/" in name or ":" in name:
            return name
        hint = did_you_mean(name, remotes) if remotes else ADD
        raise UsageError(f"there is no remote {name}", hint=hint)
    if "origin" in remotes:
        return "origin"
    if len(remotes) == 1:
        return remotes[0]
    if not remotes:
        raise UsageError("there is no git remote", hint=ADD)
    raise UsageError("several git remotes, none chosen", hint=f"name one: {', '.join(remotes)}")


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


def remote_tip(repository: Repository, remote: str, ref: str) -> str | None:
    """Return the commit of a ref on a remote; None if it has none. Raises `MachineError` if it cannot be asked."""
    listed = _network(repository).output("ls-remote", remote, ref).decode("utf-8", "replace")
    rows = [line.split("\t") for line in listed.splitlines()]
    return next((oid for oid, name in rows if name == ref), None)


CHANGED = (
    "fetch first",
    "non-fast-forward",
    "already exists",
    "stale info",
    "lock",
    "failed to update ref",
)
"""Reasons of a remote that say that a ref there has changed, not that a rule forbids the push."""


class Pushed(Struct, frozen=True):
    """The answer to a push: why each ref was refused, by its name, and the link that the remote gave, if any."""

    refused: Mapping[str, str]
    link: str = ""


def push(
    repository: Repository,
    remote: str,
    moves: Mapping[str, str],
    *,
    runs_hook: bool = False,
    replaced: str = "",
) -> Pushed:
    """Push objects to refs (ref to object id), none by force; raise `MachineError` if the remote gave no answer.

    `runs_hook`: the user's pre-push hook may refuse all of it. `replaced`: the refs may go from this commit to another
    that does not follow it.
    """
    refused: dict[str, str] = {}
    link = ""
    names = list(moves)
    for at in range(0, len(names), 500):
        some = {name: moves[name] for name in names[at : at + 500]}
        answer = _push(repository, remote, some, runs_hook=runs_hook, replaced=replaced)
        refused |= answer.refused
        link = link or answer.link
    return Pushed(refused, link)


def is_changed(reason: str) -> bool:
    """Return True if a ref was refused because it has changed on the remote."""
    return any(word in reason for word in CHANGED)


def _push(
    repository: Repository, remote: str, moves: Mapping[str, str], *, runs_hook: bool, replaced: str
) -> Pushed:
    leases = [f"--force-with-lease={name}:{replaced}" for name in moves if replaced]
    args = ("push", "--porcelain", "--verify" if runs_hook else "--no-verify", *leases, remote)
    git = replace(_network(repository), runs_hooks=runs_hook)
    finished = git.run(*args, *(f"{oid}:{name}" for name, oid in moves.items()))
    rows = _rows(finished.stdout)
    error_lines = finished.stderr.decode("utf-8", "replace").splitlines()
    if finished.exit_code != 0 and not rows:
        if not runs_hook or any(line.startswith("fatal: ") for line in error_lines):
            raise failure(args, finished)
        hook_lines = [line for line in error_lines if not line.startswith("error: failed to push")]
        reason = one_line(hook_lines[-1] if hook_lines else "it gave no reason")
        return Pushed(dict.fromkeys(moves, f"the pre-push hook: {reason}"))
    remote_lines = [line[8:].strip() for line in error_lines if line.startswith("remote: ")]
    links = [word for line in remote_lines for word in line.split() if word.startswith("http")]
    refused = {name: _reason(text, remote_lines) for mark, name, text in rows if mark == "!"}
    return Pushed(refused, links[0] if links else "")


def _rows(output: bytes) -> list[tuple[str, str, str]]:
    """Return the rows of `git push --porcelain`: a mark, the ref there, and git's words.

    They say what the remote took, also where a hook here ends git with an error later.
    """
    lines = output.decode("utf-8", "surrogateescape").splitlines()
    rows = [line.split("\t") for line in lines if line[:1] in "!+-*= " and line.count("\t") == 2]
    return [(mark, names.partition(":")[2], text) for mark, names, text in rows]


def _reason(text: str, remote_lines: list[str]) -> str:
    """Return why a ref was refused: the remote's own first words, an error's before others, and git's."""
    short = text.partition("] ")[2].strip("()") or text
    lines = [line for line in remote_lines if line.startswith("error:")] or remote_lines
    first = one_line(lines[0].removeprefix("error:")) if lines else ""
    return f"{first} ({short})" if first and not is_changed(short) else short


def merge_ledgers(git: Git, ours: str, theirs: str) -> str:
    """Return the tree that holds the records of both; a record's name is that of its content, so they never
    differ.
    """
    args = ("merge-tree", "--write-tree", "--allow-unrelated-histories", "-z", "--no-messages")
    with keeping(git) as aside:
        finished = aside.run(*args, ours, theirs)
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
