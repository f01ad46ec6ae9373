"""A spec is what is committed: one that was edited, or never added, is refused with the command that commits it."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

from minitask.engine.context import Context
from minitask.engine.tasks import Base, checkout_bytes
from minitask.errors import RefusedError
from minitask.git.objects import Entry, blob_id


def check_committed(engine: Context, path: str, place: Base) -> None:
    """Refuse a spec whose file in the checkout is not the one that is committed."""
    if place.worktree_spec:
        return
    present = checkout_bytes(engine, path)
    if present is None:
        return
    head = engine.objects.commit("HEAD")
    here = engine.objects.entry(head, path) if head else None
    if here is None:
        if engine.objects.entry(place.base, path) is None:
            raise _refusal(path, f"is not committed at {place}")
    elif not _is_same(engine, path, present, here):
        raise _refusal(path, "was edited since it was committed")


def _is_same(engine: Context, path: str, present: bytes, entry: Entry) -> bool:
    """Return True if the content is the blob's, as it is or as git's own conversion of line ends would commit it."""
    if blob_id(present, like=entry.oid) == entry.oid:
        return True
    git = engine.repository.git.with_user_config(engine.repository.top)
    oid = git.output("hash-object", f"--path={path}", "--stdin", stdin=present).decode().strip()
    return oid == entry.oid


def _refusal(path: str, what: str) -> RefusedError:
    name, message = shlex.quote(path), shlex.quote(f"spec: {PurePosixPath(path).stem}")
    return RefusedError(
        f"the spec {path} {what}: only committed specs run",
        hint=f"git add -- {name} && git commit -m {message} -- {name}",
    )
