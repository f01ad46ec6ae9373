"""Put fences around edits that a reply gives without them: diffs, blocks below a path, and here-documents.

Each form says itself where it begins and ends and which file it is for. What does not is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minitask.edits.fences import path_above, path_info, render_fence
from minitask.edits.reply.markers import is_closing, is_opening
from minitask.edits.reply.samples import is_command
from minitask.patterns import lazy_pattern
from minitask.spec.markdown import find_fences

_DIFF_LINES = (
    *("diff --git ", "index ", "new file mode ", "deleted file mode ", "old mode ", "new mode "),
    *("similarity index ", "rename from ", "rename to ", "@@", " ", "+", "-", "\\"),
)
_SIGNATURE = "-- "
"""The line below which git writes its version, in a patch for mail."""
_WORD = r"[^\s<>|&;]+"
_HERE = lazy_pattern(
    rf"(?:cat\s*>\s*(?P<cat>{_WORD})|tee\s+(?P<tee>{_WORD})|cat)\s*<<\s*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)"
    rf"\s*(?:>\s*(?P<behind>{_WORD}))?\s*"
)
_FOLDER = lazy_pattern(r"(?:mkdir\s+-p\s+[^|&;<>]+|set\s+-[a-z]+|#.*|)")


def with_fences_around(answer: str) -> str:
    """Return an answer with fences around its edits that have none; unchanged if it has no such edits."""
    if find_fences(answer):
        return _with_documents(answer)
    lines = answer.split("\n")
    if any(map(is_opening, lines)):
        return _with_blocks(lines) or answer
    start = next((at for at in range(len(lines) - 1) if _begins_diff(lines, at)), None)
    return answer if start is None else _with_diff(lines, start)


def _begins_diff(lines: Sequence[str], at: int) -> bool:
    is_pair = lines[at].startswith("--- ") and lines[at + 1].startswith("+++ ")
    return is_pair or lines[at].startswith("diff --git ")


def _with_diff(lines: Sequence[str], start: int) -> str:
    """Return the answer with one fence from the diff's first line to its last."""
    signed = (at for at in range(start, len(lines)) if lines[at] == _SIGNATURE)
    limit = next(signed, len(lines))
    end = max(at for at in range(start, limit) if lines[at].startswith(_DIFF_LINES)) + 1
    fence = render_fence("diff", "".join(f"{line}\n" for line in lines[start:end]))
    rest = lines[end:] if limit == len(lines) else []
    return "\n".join((*lines[:start], "", fence, *rest))


def _with_blocks(lines: Sequence[str]) -> str | None:
    """Return the answer with a fence around each block; None if one has no path above it, or no end."""
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
        if above is not None and named:
            path, out[above] = named, ""
        if end is None or path is None:
            return None
        block = "".join(f"{line}\n" for line in lines[at : end + 1])
        out += ["", render_fence(path_info(path), block)]
        at = end + 1
    return "\n".join(out)


def _with_documents(answer: str) -> str:
    """Return the answer with each fence of commands that only write here-documents as the files that these write."""
    lines = answer.split("\n")
    for fence in reversed(find_fences(answer)):
        files = list(_documents(fence.content)) if is_command(fence) else []
        if files and None not in files:
            rendered = [render_fence(path_info(path), text) for path, text in filter(None, files)]
            end = fence.line + fence.content.count("\n") + 1
            lines[fence.line - 1 : end] = ["", *rendered]
    return "\n".join(lines)


def _documents(commands: str) -> Iterator[tuple[str, str] | None]:
    """Yield the path and text of each here-document; None for a command that does anything else."""
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
        yield (paths[0], text) if len(paths) == 1 and end is not None and is_literal else None
        at = len(lines) if end is None else end + 1
