"""Put fences around edits that a reply gives without them: diffs, blocks below a path, and here-documents.

Each form says itself where it begins and ends and which file it is for. What does not is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec.structs import replace

from minitask.edits.fences import path_above, path_info, render_fence
from minitask.edits.reply.diffs import HUNK, NO_HUNK
from minitask.edits.reply.markers import is_closing, is_opening, without_fences
from minitask.edits.reply.reply_context import (
    SOURCE,
    ReplyContext,
    is_written,
    mentions,
    resolve,
)
from minitask.edits.reply.samples import is_command
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.markdown import find_fences
from minitask.spec.model import Fence

_DIFF_LINES = (
    *(*NO_HUNK, "@@", " ", "+", "-", "old mode ", "new mode "),
    *("similarity index ", "rename from ", "rename to "),
)
_SIGNATURE = "-- "
_VERSION = lazy_pattern(r"\d+\.\d[\w. ()-]*")
"""The end of a patch for mail: git's version below a line of its own."""
_CHANGE = lazy_pattern(r"[+-](?! \S)")
"""A line of a hunk, rather than of a list."""
_WORD = r"[^\s<>|&;]+"
_HERE = lazy_pattern(
    rf"(?:cat\s*>\s*(?P<cat>{_WORD})|tee\s+(?P<tee>{_WORD})|cat)\s*<<\s*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)"
    rf"\s*(?:>\s*(?P<behind>{_WORD}))?\s*"
)
_SECTION = lazy_pattern(
    r"[ \t]*(?P<mark>={3,}|-{3,}|\*{3,})[ \t]*(?:(?i:file):?[ \t]+)?(?P<path>[^\s=*-](?:[^=*]*[^\s=*-])?)"
    r"[ \t]*(?P=mark)[ \t]*"
)
"""The name of a file between two equal marks."""
_ENDS = frozenset({"end", "eof", "end of file", "end of files", "done"})
_FOLDER = lazy_pattern(r"(?:mkdir\s+-p\s+[^|&;<>]+|set\s+-[a-z]+|#.*|)")


def with_fences_around(answer: str, request: ReplyContext) -> str:
    """Return an answer with fences around its edits that have none; unchanged if it has no such edits."""
    if find_fences(answer):
        return _with_documents(answer, request)
    lines = answer.split("\n")
    if any(map(is_opening, lines)):
        return _with_blocks(lines, request) or answer
    start = next((at for at in range(len(lines) - 1) if _begins_diff(lines, at)), None)
    if start is None:
        return _with_sections(lines, request) or answer
    return _with_diff(lines, start)


def _begins_diff(lines: Sequence[str], at: int) -> bool:
    is_pair = lines[at].startswith("--- ") and lines[at + 1].startswith("+++ ")
    return is_pair or lines[at].startswith("diff --git ")


def _with_diff(lines: Sequence[str], start: int) -> str:
    """Return the answer with one fence from the diff's first line to its last."""
    last = max(at for at in range(start, len(lines)) if lines[at].startswith(_DIFF_LINES))
    hunk = max((at for at in range(start, last) if HUNK.fullmatch(lines[at])), default=last)
    end = _end_by_counts(lines, hunk) or last + 1
    is_signed = lines[end - 1] == _SIGNATURE and _VERSION.fullmatch("".join(lines[end : end + 1]))
    rest = lines[end:]
    if is_signed:
        end, rest = end - 1, lines[end + 1 :]
    fence = render_fence("diff", "".join(f"{line}\n" for line in lines[start:end]))
    return "\n".join((*lines[:start], "", fence, *rest))


def _end_by_counts(lines: Sequence[str], hunk: int) -> int | None:
    """Return the index behind the hunk's last line; None unless a blank line stands where its counts end."""
    counts = HUNK.fullmatch(lines[hunk])
    if counts is None:
        return None
    old, new = (int(count or 1) for count in counts.group("olds", "news"))
    for at in range(hunk + 1, len(lines)):
        if old <= 0 and new <= 0:
            goes_on = lines[at] or any(map(_CHANGE.match, lines[at:]))
            return None if goes_on else at
        old -= lines[at][:1] != "+"
        new -= lines[at][:1] != "-"
    return None


def _with_blocks(lines: Sequence[str], request: ReplyContext) -> str | None:
    """Return the answer with a fence around each block; None if one has no path above it, or no end.

    A sentence above a block that names a listed file is left for the reading of fences to judge.
    """
    out: list[str] = []
    path, at = None, 0
    while at < len(lines):
        if not is_opening(lines[at]):
            out.append(lines[at])
            at += 1
            continue
        end = next((row for row in range(at, len(lines)) if is_closing(lines[row])), None)
        above = next((row for row in range(len(out) - 1, -1, -1) if out[row].strip()), None)
        named = path_above(out[above]) if above is not None else None
        tells = above is not None and bool(mentions(out[above], request))
        if above is not None and named:
            path, out[above] = named, ""
        elif tells:
            path = None
        if end is None or (path is None and not tells):
            return None
        block = "".join(f"{line}\n" for line in lines[at : end + 1])
        out += ["", render_fence(path_info(path) if path else "", block)]
        at = end + 1
    return "\n".join(out)


def parted(fence: Fence, request: ReplyContext) -> tuple[Fence, ...]:
    """Return the fences of the blocks in one fence, each below its path; the fence itself if it holds anything else."""
    lines = fence.content.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if path_above(first) is None or not is_written(first.strip(), request):
        return (fence,)
    text = _with_blocks(lines, request) or ""
    if not text or without_fences(text).strip():
        return (fence,)
    return tuple(replace(part, line=fence.line) for part in find_fences(text))


def _with_sections(lines: Sequence[str], request: ReplyContext) -> str | None:
    """Return the answer with a fence around each file below its name between marks; None if it has no such files.

    Raise if a name is none of the task's, or if it is not clear where the last file ends: at a last mark, or as before.
    """
    heads = [(at, mark) for at, line in enumerate(lines) if (mark := _SECTION.fullmatch(line))]
    first = next((head["mark"] for _, head in heads if is_written(head["path"], request)), None)
    rows = [(at, head["path"]) for at, head in heads if head["mark"] == first]
    out, end = list(lines[: rows[0][0]]) if rows else [], 0
    for (at, path), (end, _) in pairwise((*rows, (len(lines), ""))):
        text = "\n".join(lines[at + 1 : end]).strip("\n")
        if path.lower() in _ENDS and at == rows[-1][0]:
            return "\n".join((*out, *lines[at + 1 :]))
        if not is_written(path, request) or (
            end == len(lines) and not _ends_as(text, path, request)
        ):
            raise EditError(
                f"the files stand below their names without fences, and {path} "
                + ("has no certain end" if is_written(path, request) else "is none of the task's"),
                hint="put each file in a fence with `path=…` in its info string",
                where=f"{SOURCE}:{at + 1}",
            )
        out += ["", render_fence(path_info(path), text)]
    return "\n".join(out) if rows else None


def _ends_as(text: str, path: str, request: ReplyContext) -> bool:
    """Return True if a text ends with the last line of the file in the base."""
    base = request.read(resolve(path, request) or "") or ""
    last = base.rstrip().rpartition("\n")[2].strip()
    return bool(last) and last == text.rstrip().rpartition("\n")[2].strip()


def _with_documents(answer: str, request: ReplyContext) -> str:
    """Return the answer with each fence of commands that write listed files by here-documents as these files.

    Raise if such a fence does anything else, or a document may go on behind its end.
    """
    lines = answer.split("\n")
    for fence in reversed(find_fences(answer)):
        documents = list(_documents(fence.content)) if is_command(fence) else []
        if not any(document and is_written(document[0], request) for document in documents):
            continue
        files = [(path, text) for path, text in filter(None, documents) if text is not None]
        if len(files) < len(documents):
            raise EditError(
                "the commands that write files do more, or it is not clear where a file ends",
                hint="put each file in a fence with `path=…` in its info string",
                where=f"{SOURCE}:{fence.line}",
            )
        end = fence.line + fence.content.count("\n") + 1
        rendered = [render_fence(path_info(path), text) for path, text in files]
        lines[fence.line - 1 : end] = ["", *rendered]
    return "\n".join(lines)


def _documents(commands: str) -> Iterator[tuple[str, str | None] | None]:
    """Yield the path and text of each here-document, the text None if it is unclear; None for any other command."""
    lines = commands.removesuffix("\n").split("\n")
    at = 0
    while at < len(lines):
        match = _HERE.fullmatch(lines[at].removeprefix("$ "))
        if match is None:
            if not _FOLDER.fullmatch(lines[at].strip().removeprefix("$ ")):
                yield None
            at += 1
            continue
        written = (match["cat"], match["tee"], match["behind"])
        paths = [path.strip("'\"") for path in written if path and path != "/dev/null"]
        end = next((row for row in range(at + 1, len(lines)) if lines[row] == match["end"]), None)
        text = "".join(f"{line}\n" for line in lines[at + 1 : end])
        is_literal = match["quote"] or not any(mark in text for mark in "$`\\")
        opens_another = re.search(rf"<<-?\s*\\?['\"]?{match['end']}\b", text)
        is_clear = end is not None and is_literal and not opens_another
        yield (paths[0], text if is_clear else None) if len(paths) == 1 else None
        at = len(lines) if end is None else end + 1
