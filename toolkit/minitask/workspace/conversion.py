"""Files as a commit would have them: git converts line ends, `ident` and encodings on the way in, as attributes say."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from minitask.git.command import Git
from minitask.system.force_remove import force_remove
from minitask.workspace.checkout import Workspace

ATTRIBUTES = ("text", "eol", "crlf", "ident", "working-tree-encoding")
"""Attributes that make a commit's content another than the file's. What a `filter` does is not done here."""


def as_committed(slot: Workspace, contents: Mapping[str, str | None]) -> dict[str, str]:
    """Return the contents that differ in a commit, of files that stand in the slot with these contents."""
    names = [name for name, content in contents.items() if content is not None]
    marked = _marked(slot.git, names) if names else []
    if not marked:
        return {}
    copy = slot.git_dir / f"index.{os.urandom(4).hex()}"
    try:
        shutil.copyfile(slot.git_dir / "index", copy)
        git = replace(slot.git, index_file=copy)
        git.output("update-index", "--add", "--replace", "-z", "--stdin", stdin=_lines(marked))
        return _staged(git, marked)
    finally:
        force_remove(copy)


def _marked(git: Git, names: Iterable[str]) -> list[str]:
    """Return the names with an attribute that matters."""
    fields = git.fields("check-attr", "-z", "--stdin", *ATTRIBUTES, stdin=_lines(names))
    triples = zip(fields[::3], fields[2::3], strict=True)
    return list(
        dict.fromkeys(name for name, value in triples if value not in {"unspecified", "unset"})
    )


def _staged(git: Git, names: Iterable[str]) -> dict[str, str]:
    wanted = set(names)
    found = {}
    for row in git.fields("ls-files", "-s", "-z"):
        meta, _, name = row.partition("\t")
        if name in wanted:
            content = git.output("cat-file", "blob", meta.split()[1])
            found[name] = content.decode("utf-8", "surrogateescape")
    return found


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape")
