"""Find the folder that a reply takes the repository to be in."""

from __future__ import annotations

from collections.abc import Iterator

from minitask.edits.reply.reply_context import ReplyContext, tidied
from minitask.patterns import lazy_pattern

_WORD = lazy_pattern(r"[^\s`*\"'()\[\]<>={},]+")


def other_root(answer: str, request: ReplyContext) -> str:
    """Return the folder above the listed files in the answer's absolute paths, or "" if that is not certain.

    Only a file in a folder of the repository shows where that begins; `/x/a.py` may be any `a.py`.
    """
    roots = set(_roots(answer, request))
    return roots.pop() if len(roots) == 1 else ""


def _roots(answer: str, request: ReplyContext) -> Iterator[str]:
    below = [f"/{file.path}" for file in request.files if "/" in file.path]
    for word in set(_WORD.findall(answer)) if below else ():
        if not word.startswith("/") and word[1:3] not in (":/", ":\\"):
            continue
        path = tidied(word.rstrip(".:;!"))
        yield from (path.removesuffix(end) for end in below if path.endswith(end) and path != end)
