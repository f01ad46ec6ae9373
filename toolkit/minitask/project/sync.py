"""Synchronize task branches, attempts and the ledger with a remote, without loss on either side.

The ledgers of two clones merge as a union. If another clone has an attempt of the same number, the ref gets its commit
as a suffix. A task's branch that differs moves on neither side, because its candidates are attempts, too.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from minitask.engine.context import Context, Progress
from minitask.errors import MachineError
from minitask.git import refs
from minitask.git.commits import NewCommit, write_commits
from minitask.git.remotes import TRACKED, fetch, is_changed, merge_ledgers, push
from minitask.git.trees import is_ancestor

ROUNDS = 8


class Synced(Struct, frozen=True):
    """The refs fetched and pushed, by name; `kept` are those that differ on both sides and did not move."""

    remote: str
    fetched: tuple[str, ...]
    pushed: tuple[str, ...]
    kept: tuple[str, ...]


def sync(engine: Context, remote: str) -> Synced:
    """Fetch and push until both sides are equal; raise `MachineError` if the remote refuses, or keeps changing."""
    label = "".join(char if char.isalnum() or char in "-_" else "-" for char in remote)
    fetched: list[str] = []
    for _ in range(ROUNDS):
        engine.emit(Progress("", "sync", f"fetch from {remote}"))
        remote_refs = fetch(engine.repository, remote, label=label)
        fetched += _take(engine, remote_refs, label)
        moves, diverged = _moves(engine, remote_refs)
        engine.emit(Progress("", "sync", f"push {len(moves)} refs to {remote}"))
        refused = push(engine.repository, remote, moves).refused if moves else {}
        if not refused:
            return Synced(remote, tuple(dict.fromkeys(fetched)), tuple(moves), diverged)
        _check_rules(remote, refused)
    message = f"{', '.join(list(refused)[:3])} keep changing on {remote}"
    raise MachineError(message, hint="run `minitask sync` again later")


def _check_rules(remote: str, refused: Mapping[str, str]) -> None:
    """Raise `MachineError` if a rule of the remote refuses a ref, which a retry cannot change."""
    for ref, reason in refused.items():
        if not is_changed(reason):
            raise MachineError(
                f"{remote} refuses {ref}: {reason}",
                hint=f"ask who sets its rules to let {refs.ATTEMPTS.rpartition('/')[0]}/* and {refs.BRANCHES}/* in,"
                " or name another remote: minitask sync REMOTE",
            )


def _take(engine: Context, remote_refs: dict[str, str], label: str) -> list[str]:
    """Merge the remote's ledger, and create the refs that are missing here; return their names."""
    git, objects = engine.repository.git, engine.objects
    fetched = []
    theirs = remote_refs.get(refs.LEDGER)
    if theirs is not None and _merge_ledger(engine, theirs):
        fetched.append(refs.LEDGER)
    absent = refs.zeros(engine.repository.object_format)
    local_refs = refs.snapshot(git, refs.ATTEMPTS, refs.BRANCHES)
    folders = {refs.ATTEMPTS: "attempts", refs.BRANCHES: "heads"}
    for folder, name in folders.items():
        tracked = refs.snapshot(git, f"{TRACKED}/{label}/{name}")
        for ref, oid in tracked.items():
            mine = f"{folder}/{ref.removeprefix(f'{TRACKED}/{label}/{name}/')}"
            if mine not in local_refs and objects.commit(oid) is not None:
                fetched += [mine] if refs.move(git, [refs.Move(mine, oid, absent)]) else []
    return fetched


def _merge_ledger(engine: Context, theirs: str) -> bool:
    """Merge another ledger into ours; return False if it has no new records."""
    git = engine.repository.git
    with engine.writing:
        ours = engine.ledger_head()
        if ours is None:
            absent = refs.zeros(engine.repository.object_format)
            return refs.move(git, [refs.Move(refs.LEDGER, theirs, absent)])
        if is_ancestor(git, ancestor=theirs, of=ours):
            return False
        if is_ancestor(git, ancestor=ours, of=theirs):
            return refs.move(git, [refs.Move(refs.LEDGER, theirs, ours)])
        both = NewCommit(
            ref=refs.LEDGER,
            message="ledger: records of two clones\n",
            author=engine.signature,
            committer=engine.signature,
            parents=(ours, theirs),
            tree=merge_ledgers(git, ours, theirs),
        )
        write_commits(engine.database, [both])
    return True


def _moves(engine: Context, remote_refs: dict[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the commits to push by ref, and the branches that differ on both sides."""
    git = engine.repository.git
    moves: dict[str, str] = {}
    diverged = []
    remote_oids = set(remote_refs.values())
    for ref, oid in refs.snapshot(git, refs.LEDGER, refs.ATTEMPTS, refs.BRANCHES).items():
        remote_oid = remote_refs.get(ref)
        if remote_oid == oid:
            continue
        if remote_oid is None or ref == refs.LEDGER:
            moves[ref] = oid
        elif ref.startswith(f"{refs.ATTEMPTS}/"):
            if oid not in remote_oids:
                moves[f"{ref}.{oid[:12]}"] = oid
        elif engine.objects.commit(remote_oid) and is_ancestor(git, ancestor=remote_oid, of=oid):
            moves[ref] = oid
        else:
            diverged.append(ref)
    return moves, tuple(diverged)
