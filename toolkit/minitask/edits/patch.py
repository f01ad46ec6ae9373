"""Apply a parsed diff: every hunk where it says, or at the only other place that it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.edits.diff import DiffHunk, DiffLine, FileDiff, parse_diff
from minitask.edits.lines import LF, Text, bodies, text_of
from minitask.edits.match import describe_nearest, occurrences
from minitask.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minitask.edits.script_model import EditedFiles


def apply_diff(tree: EditedFiles, text: str) -> None:
    """Apply all files of a diff in order; raises `EditError` for the first that does not fit."""
    for diff in parse_diff(text):
        _apply_file(tree, diff)


def _apply_file(tree: EditedFiles, diff: FileDiff) -> None:
    if diff.new is not None and diff.new != diff.old and tree.text(diff.new) is not None:
        message = f"the diff creates {diff.new}, which exists"
        raise EditError(message, hint="write it as a change of the file")
    result = patched(_old_text(tree, diff), diff)
    if diff.new is None and diff.old is not None:
        if result.lines:
            message = f"the diff deletes {diff.old} but leaves {len(result.lines)} lines of it"
            raise EditError(message)
        tree.drop(diff.old)
    elif diff.new is not None:
        if diff.old is not None and diff.old != diff.new:
            tree.carry(diff.old, diff.new, keep=diff.copies)
        tree.put(diff.new, result)


def _old_text(tree: EditedFiles, diff: FileDiff) -> Text:
    if diff.old is None:
        return Text()
    text = tree.text(diff.old)
    if text is None:
        message = f"the diff changes {diff.old}, which does not exist"
        raise EditError(message, hint="a new file's old side is /dev/null")
    return text


def patched(text: Text, diff: FileDiff) -> Text:
    """Return the file with all hunks applied; lines that the diff only shows stay byte for byte."""
    path = diff.old or diff.new or ""
    have, eol = bodies(text.lines), text.eol or LF
    out: list[str] = []
    consumed = 0
    for hunk in diff.hunks:
        at = _find_hunk(have, hunk, text=text, path=path)
        if at < consumed:
            raise EditError(
                f"the hunk of line {hunk.line} of the diff overlaps the one before it in {path}"
            )
        out += text.lines[consumed:at]
        out += _changed(text.lines[at:], hunk, eol=eol)
        consumed = at + len(hunk.old())
        if any(line.bare and line.mark == "+" for line in hunk.lines) and consumed != len(have):
            message = (
                f"the hunk of line {hunk.line} of the diff ends {path} without a newline, but lines"
                " follow"
            )
            raise EditError(message, hint="leave out the `\\ No newline at end of file`")
    return text_of((*out, *text.lines[consumed:]), eol=eol, bom=text.bom)


def _changed(lines: Sequence[str], hunk: DiffHunk, *, eol: str) -> list[str]:
    """Return what the hunk makes of the lines that start with its first."""
    remaining, out = iter(lines), []
    for line in hunk.lines:
        if line.mark == "+":
            out.append(line.text + ("" if line.bare else eol))
            continue
        original = next(remaining)
        if line.mark == " ":
            out.append(original)
    return out


def _find_hunk(have: Sequence[str], hunk: DiffHunk, *, text: Text, path: str) -> int:
    """Return the index at which the hunk's old lines stand."""
    old = hunk.old()
    if not old:
        return _insertion(have, hunk, path)
    want = [line.text for line in old]
    alike = occurrences(have, want)
    fits = [i for i in alike if _ends_fit(text, i, old)]
    if hunk.start - 1 in fits:
        return hunk.start - 1
    if len(fits) == 1:
        return fits[0]
    subject = f"the hunk of line {hunk.line} of the diff"
    if fits:
        places = ", ".join(str(i + 1) for i in fits)
        message = f"{subject} fits {path} at lines {places}, not at {hunk.start}"
        raise EditError(message, hint="correct its line number, or include more lines of context")
    if alike:
        message = f"{subject} says that {path} ends without a newline there, but it goes on"
        raise EditError(message, hint="leave out the `\\ No newline at end of file`")
    nearest = describe_nearest(have, want)
    message = f"{subject} does not fit {path}"
    hint = "context and removed lines must stand in the file exactly so"
    raise EditError(f"{message}; nearest: {nearest}" if nearest else message, hint=hint)


def _insertion(have: Sequence[str], hunk: DiffHunk, path: str) -> int:
    if hunk.start > len(have):
        message = (
            f"the hunk of line {hunk.line} of the diff inserts after line {hunk.start} of {path}"
        )
        raise EditError(f"{message}, which has {len(have)} lines")
    return hunk.start


def _ends_fit(text: Text, at: int, old: Sequence[DiffLine]) -> bool:
    """Return True if each line that the diff shows without a newline has none in the file.

    The reverse is let pass: a missing final newline is easily overlooked, and moves no place.
    """
    return not any(line.bare and text.lines[at + i].endswith(LF) for i, line in enumerate(old))
