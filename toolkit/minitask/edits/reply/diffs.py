"""Read unified diffs in a reply: with a path given, without line numbers, or with other spellings of paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise

from minitask.edits.diff import NOWHERE, DiffHunk, FileDiff, parse_diff
from minitask.edits.reply.reply_context import ReplyContext, required, resolve
from minitask.edits.script_model import Edit, SearchReplace, UnifiedDiff, WholeFile
from minitask.errors import EditError
from minitask.patterns import lazy_pattern

HUNK = lazy_pattern(
    r"@@ -(?P<start>\d{1,9})(?:,(?P<olds>\d{1,9}))? \+(?P<new_start>\d{1,9})(?:,(?P<news>\d{1,9}))? @@(?P<rest>.*)"
)
_BARE_HUNK = lazy_pattern(r"@@(?:[ .]*@@.*|[ .]*)")
_PATCH_LINE = lazy_pattern(
    r"\*\*\* (?:Begin|End) Patch|\*\*\* (?:Add|Update|Delete) File: .*|@@@+ -\d[^@]*@@@+.*"
)
_COMMAND = lazy_pattern(r"\d{1,9}(?:,\d{1,9})?[acd]\d{1,9}(?:,\d{1,9})?")
"""The line above a change in a diff without context, such as `2,3c2`."""
_WORD_CHANGE = "-]{+"
"""What stands between the old and the new words in a diff by words."""
_FILES = (".diff", ".patch")


def holds_diffs(path: str) -> bool:
    """Return True if the path is that of a diff or patch file."""
    return path.endswith(_FILES)


def is_diff(content: str, *, path: str = "") -> bool:
    """Return True if a text is a unified diff, rather than the content of the file `path`."""
    if holds_diffs(path):
        return False
    lines = [line for line in content.split("\n") if line.strip()]
    if not lines:
        return False
    if lines[0].startswith("--- ") and len(lines) > 1 and lines[1].startswith("+++ "):
        return True
    if lines[0].startswith("diff --git "):
        return True
    hunk = HUNK.fullmatch(lines[0]) or _BARE_HUNK.fullmatch(lines[0])
    return bool(hunk) and all(line[0] in " +-@\\" for line in lines)


def is_headless(content: str, base: str) -> bool:
    """Return True if a text is a hunk without its header: its lines are the file's once the marks are removed."""
    lines = [line for line in content.split("\n") if line.strip()]
    have = set(base.split("\n"))
    if not all(line[0] in " +-" for line in lines) or not any(line[0] in "+-" for line in lines):
        return False
    old = [line for line in lines if line[0] != "+"]
    return all(line[1:] in have for line in old) and not all(line in have for line in old)


def find_diff_line(lines: Iterable[str], request: ReplyContext) -> str | None:
    """Return the first line that belongs to a diff or patch and not to a file, or None."""
    texts = [line.rstrip() for line in lines]
    has_sides = any(text.startswith(("< ", "> ")) for text in texts)
    for text in texts:
        if HUNK.fullmatch(text) or _PATCH_LINE.fullmatch(text) or _WORD_CHANGE in text:
            return text
        if has_sides and _COMMAND.fullmatch(text):
            return text
        if text.startswith(("--- ", "+++ ")) and resolve(text[4:].split("\t")[0], request):
            return text
    return None


def read_diff(content: str, request: ReplyContext, *, path: str | None, line: int) -> list[Edit]:
    """Return the edits of a diff (only of `path`, if given); raise `EditError` if it is malformed."""
    text = _with_one_name(content if path is None else _headed(content, path), request)
    if _is_unnumbered(text):
        return _unnumbered(text, request, path=path, line=line)
    files = [_meant(diff, request) for diff in _parsed(text)]
    for diff in files:
        if path is not None and path not in (diff.old, diff.new):
            message = f"a diff of {diff.new or diff.old} stands in the fence of {path}"
            raise EditError(message, hint=f"write path={diff.new or diff.old}")
    return [UnifiedDiff("".join(map(_render, files)), line)]


def _parsed(text: str) -> tuple[FileDiff, ...]:
    """Return the files of a diff, with hunk counts corrected if they are wrong, as models' often are."""
    try:
        return parse_diff(text)
    except EditError:
        recounted = recount(text)
        if recounted is not None and recounted != text:
            with suppress(EditError):
                return parse_diff(recounted)
        raise


def _with_one_name(text: str, request: ReplyContext) -> str:
    """Return the diff with both names of a file in one spelling if they mean the same listed file."""
    lines = text.split("\n")
    for at in range(len(lines) - 2):
        old, new, hunk = lines[at : at + 3]
        if old.startswith("--- ") and new.startswith("+++ ") and hunk.startswith("@@"):
            names = [resolve(name[4:].split("\t")[0], request) for name in (old, new)]
            if names[0] and names[0] == names[1]:
                lines[at : at + 2] = [f"--- a/{names[0]}", f"+++ b/{names[0]}"]
    return "\n".join(lines)


def _headed(content: str, path: str) -> str:
    """Return the diff with header lines for its file if it has none, and with a `@@` line if all of it is one hunk."""
    lines = [line for line in content.split("\n") if line.strip()]
    head = f"--- a/{path}\n+++ b/{path}\n"
    if lines and lines[0].startswith("@@"):
        return f"{head}{content.lstrip()}"
    is_hunk = all(line[0] in " +-" and not line.startswith(("--- ", "+++ ")) for line in lines)
    return f"{head}@@\n{content}" if is_hunk else content


def _is_unnumbered(text: str) -> bool:
    marks = [line for line in text.split("\n") if line.startswith("@@")]
    return bool(marks) and not any(HUNK.fullmatch(line) for line in marks)


def _meant(diff: FileDiff, request: ReplyContext) -> FileDiff:
    old, new = (None if name is None else required(name, request) for name in (diff.old, diff.new))
    is_one = old == new and diff.old != diff.new
    return FileDiff(old, new, diff.hunks, diff.copies and not is_one)


def _render(diff: FileDiff) -> str:
    """Return the diff as text that `parse_diff` reads back."""
    old = NOWHERE if diff.old is None else f"a/{diff.old}"
    new = NOWHERE if diff.new is None else f"b/{diff.new}"
    head = ""
    if diff.old and diff.new and diff.old != diff.new:
        verb = "copy" if diff.copies else "rename"
        head = f"diff --git {old} {new}\n{verb} from {diff.old}\n{verb} to {diff.new}\n"
    elif not diff.hunks:
        mode = "deleted file mode 100644" if diff.new is None else "new file mode 100644"
        path = diff.old or diff.new
        return f"diff --git a/{path} b/{path}\n{mode}\n"
    hunks = "".join(map(_render_hunk, diff.hunks))
    return f"{head}--- {old}\n+++ {new}\n{hunks}" if hunks else head


def _render_hunk(hunk: DiffHunk) -> str:
    olds = sum(line.mark != "+" for line in hunk.lines)
    news = sum(line.mark != "-" for line in hunk.lines)
    body = "".join(
        f"{line.mark}{line.text}\n" + ("\\ No newline at end of file\n" if line.bare else "")
        for line in hunk.lines
    )
    return f"@@ -{hunk.start},{olds} +{hunk.start},{news} @@\n{body}"


def _unnumbered(text: str, request: ReplyContext, *, path: str | None, line: int) -> list[Edit]:
    """Return the edits of a diff without line numbers: each hunk is a block whose old lines must occur once."""
    lines = text.rstrip("\n").split("\n")
    starts = [at for at in range(len(lines) - 1) if _is_header(lines, at)]
    if not starts or any(row.startswith("@@") for row in lines[: starts[0]]):
        hint = "write `--- a/PATH` and `+++ b/PATH` above it"
        raise EditError("the diff does not say which file it is for", hint=hint)
    edits: list[Edit] = []
    for start, end in pairwise((*starts, len(lines))):
        target = required(lines[start + 1][4:].split("\t")[0].strip(), request)
        if path is not None and target != path:
            message = f"a diff of {target} stands in the fence of {path}"
            raise EditError(message, hint=f"write path={target}")
        is_new = request.read(target) is None
        edits += [
            _as_block(hunk, target, line, is_new=is_new) for hunk in _split(lines[start + 2 : end])
        ]
    return edits


def _is_header(lines: Sequence[str], at: int) -> bool:
    """Return True if the two lines from an index name a file, and a hunk follows."""
    is_pair = lines[at].startswith("--- ") and lines[at + 1].startswith("+++ ")
    return is_pair and lines[at + 2 : at + 3] != [] and lines[at + 2].startswith("@@")


def _split(lines: Sequence[str]) -> list[list[str]]:
    hunks: list[list[str]] = []
    for line in lines:
        if line.startswith("@@"):
            hunks.append([])
        elif line[:1] in {" ", "+", "-", ""}:
            hunks[-1].append(line)
        elif not line.startswith(NO_HUNK):
            message = f"`{line[:60]}` is no line of a diff"
            raise EditError(message, hint="start each with a space, `+` or `-`")
    return [list(without_blank_end(hunk)) for hunk in hunks if any(map(str.strip, hunk))]


def _as_block(hunk: Sequence[str], path: str, line: int, *, is_new: bool) -> Edit:
    old = "".join(f"{diff_line[1:]}\n" for diff_line in hunk if diff_line[:1] != "+")
    new = "".join(f"{diff_line[1:]}\n" for diff_line in hunk if diff_line[:1] != "-")
    if is_new and not old.strip():  # a blank line that lacks its `+`
        return WholeFile(path, new, line)
    if not old:
        message = f"a hunk of {path} shows no line that is there"
        raise EditError(message, hint="include lines of context")
    return SearchReplace(path, old, new, line)


_HEADERS = ("diff --git ", "Index: ")
NO_HUNK = (*_HEADERS, "\\", "index ", "new file mode ", "deleted file mode ")


def recount(text: str) -> str | None:
    """Return the diff with the counts of each hunk corrected, or None if a line belongs to no hunk.

    The lines themselves must still match the file exactly; only wrong counts are tolerated.
    """
    lines = text.removesuffix("\n").split("\n")
    starts = [at for at, line in enumerate(lines) if HUNK.fullmatch(line.rstrip("\r"))]
    if not starts:
        return None
    output = lines[: starts[0]]
    for number, start in enumerate(starts):
        follows = starts[number + 1] if number + 1 < len(starts) else len(lines)
        end = _end(lines, start + 1, follows)
        hunk = without_blank_end(lines[start + 1 : end])
        if any(line[:1] not in {" ", "+", "-", "\\", ""} for line in hunk):
            return None
        output += [_header(lines[start], hunk), *hunk, *lines[end:follows]]
    return "\n".join(output) + "\n"


def _end(lines: Sequence[str], start: int, limit: int) -> int:
    """Return the index after a hunk's last line: at the next hunk, or at the header of the next file."""
    for at in range(start, limit):
        names = lines[at].startswith("--- ") and at + 1 < limit and lines[at + 1][:4] == "+++ "
        if lines[at].startswith(_HEADERS) or (names and at + 2 == limit):
            return at
    return limit


def without_blank_end(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines without the empty ones at the end, which separate parts of a diff or patch."""
    size = len(lines)
    while size and not lines[size - 1].strip("\r"):
        size -= 1
    return lines[:size]


def _header(line: str, hunk: Sequence[str]) -> str:
    match = HUNK.fullmatch(line.rstrip("\r"))
    assert match is not None  # noqa: S101 - the caller found the line by the same pattern
    old = sum(diff_line[:1] in {" ", "-", ""} for diff_line in hunk)
    new = sum(diff_line[:1] in {" ", "+", ""} for diff_line in hunk)
    return f"@@ -{match['start']},{old} +{match['new_start']},{new} @@{match['rest']}"
