"""Remotes: fetch the toolkit's refs into a separate namespace, and push without overwriting."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import MachineError, UsageError
from minitask.git import refs
from minitask.git.repository import Repository
from minitask.git.run_git import Git, failure
from minitask.words import did_you_mean, one_line

SHARED = (refs.LEDGER, refs.ATTEMPTS, refs.BRANCHES)
TRACKED = "refs/minitask/remotes"
ADD = "git remote add origin URL"


def choose_remote(repository: Repository, name: str | None) -> str:
    """Return the remote of that name, or by default `origin` or the only remote."""
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
    """Fetch the toolkit's refs of a remote; return them as ref name → object id."""
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
    """Return the commit of a ref on a remote, or None; raise `MachineError` if the remote cannot be reached."""
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
"""Rejection reasons that mean that the ref has changed on the remote, not that a rule forbids the push."""


class Pushed(Struct, frozen=True):
    """The result of a push: rejected refs with their reasons, and the remote's link, if any."""

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
    """Push objects (ref → object id) without force; raise `MachineError` if the remote gave no reply.

    `runs_hook` runs the user's pre-push hook, which may reject the push. `replaced`: the commit that the refs hold now;
    they may move from it to one that is no descendant.
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
    """Return True if a ref was rejected because it has changed on the remote."""
    return any(word in reason for word in CHANGED)


def _push(
    repository: Repository, remote: str, moves: Mapping[str, str], *, runs_hook: bool, replaced: str
) -> Pushed:
    leases = [f"--force-with-lease={name}:{replaced}" for name in moves if replaced]
    args = ("push", "--porcelain", "--verify" if runs_hook else "--no-verify", *leases, remote)
    git = replace(_network(repository), runs_hooks=runs_hook)
    finished = git.run(*args, *(f"{oid}:{name}" for name, oid in moves.items()))
    rows = _rows(finished.stdout)
    error_lines = finished.error_lines
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
    """Parse `git push --porcelain` into rows of flag, remote ref and summary.

    They show what the remote accepted even if a local hook later makes git fail.
    """
    lines = output.decode("utf-8", "surrogateescape").splitlines()
    rows = [line.split("\t") for line in lines if line[:1] in "!+-*= " and line.count("\t") == 2]
    return [(mark, names.partition(":")[2], text) for mark, names, text in rows]


def _reason(text: str, remote_lines: list[str]) -> str:
    """Return why a ref was rejected: the remote's first line, errors before others, and git's summary."""
    short = text.partition("] ")[2].strip("()") or text
    lines = [line for line in remote_lines if line.startswith("error:")] or remote_lines
    first = one_line(lines[0].removeprefix("error:")) if lines else ""
    return f"{first} ({short})" if first and not is_changed(short) else short


def merge_ledgers(git: Git, ours: str, theirs: str) -> str:
    """Return the union of two ledgers' trees; names are content hashes, so only files edited by hand conflict."""
    args = ("merge-tree", "--write-tree", "--allow-unrelated-histories", "-z", "--no-messages")
    with git.keeping() as aside:
        finished = aside.run(*args, ours, theirs)
    if finished.exit_code != 0:
        raise MachineError(
            "both ledgers have a file of the same name with different content, so one was edited by hand",
            hint=f"compare them: git diff --stat {ours[:12]} {theirs[:12]}",
        )
    return finished.stdout.decode().rstrip("\0").split("\0")[0]


def _network(repository: Repository) -> Git:
    """Return git with the user's settings, which remotes may require."""
    return repository.git.with_user_config(repository.top)


FETCH = (
    "--no-tags",
    "--no-write-fetch-head",
    "--recurse-submodules=no",
    "--filter=blob:none",
    "--stdin",
)


def fetch_missing(repository: Repository, commit: str) -> None:
    """Fetch the objects of a commit's files that a partial clone lacks; do nothing in a full clone.

    Raise `MachineError` if they cannot be fetched.
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
        reason = finished.last_error("")
        raise MachineError(
            f"this is a partial clone, and {len(unfetched)} files of {commit[:12]} could not be fetched from {remote}"
            + (f": {reason}" if reason else ""),
            hint=f"check the connection, or fill the clone: git fetch --refetch --no-filter {remote}",
        )


def fill_command(repository: Repository) -> str:
    """Return the command that completes a shallow or partial clone; empty for a full one."""
    remote = _promisor(repository.git.with_user_config())
    refetch = f"git fetch --refetch --no-filter {remote}" if remote else ""
    return "git fetch --unshallow" if repository.shallow else refetch


def _promisor(git: Git) -> str:
    """Return the name of the promisor remote; empty if there is none."""
    finished = git.run("config", "--name-only", "--get-regexp", r"^remote\..*\.promisor$")
    names = finished.stdout.decode("utf-8", "surrogateescape").splitlines()
    return names[0].removeprefix("remote.").removesuffix(".promisor") if names else ""


def _missing(git: Git, commit: str) -> list[str]:
    """Return the ids of the commit's missing objects."""
    listed = git.output("rev-list", "--objects", "--no-walk", "--missing=print", commit)
    return [line[1:].decode("ascii") for line in listed.splitlines() if line.startswith(b"?")]
