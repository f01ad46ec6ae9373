"""The files that a plan's bullets name: paths, the lines that they cite, and what is no path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import PlanFile
from minitask.spec.markdown import CODE, code_span, code_text
from minitask.spec.model import FileAction
from minitask.spec.paths import check_path
from minitask.words import one_line

ACTIONS = {
    "create": FileAction.CREATE,
    "new": FileAction.CREATE,
    "add": FileAction.CREATE,
    "modify": FileAction.EDIT,
    "edit": FileAction.EDIT,
    "update": FileAction.EDIT,
    "extend": FileAction.EDIT,
    "test": FileAction.WRITE,
    "tests": FileAction.WRITE,
    "create/modify": FileAction.WRITE,
    "modify/create": FileAction.WRITE,
    "delete": FileAction.DELETE,
    "remove": FileAction.DELETE,
    "read": FileAction.READ,
    "read-only": FileAction.READ,
    "reference": FileAction.READ,
    "verify": FileAction.READ,
    "check": FileAction.READ,
}
MOVES = ("move", "rename")
LONGEST_PATH = 500
_LABEL = lazy_pattern(
    rf"[*_]*(?P<label>{'|'.join(map(re.escape, (*sorted(ACTIONS, key=len, reverse=True), *MOVES)))})"
    r"(?:\s*\([^)]*\))?[*_]*\s*:[*_]*\s*(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_LINES = lazy_pattern(
    r"^(?P<path>.+?)(?::{1,2}|#)(?P<lines>L?\d{1,6}(?:\s*[-–]\s*L?\d{1,6})?(?:\s*,\s*L?\d{1,6}(?:\s*[-–]\s*L?\d{1,6})?)*)$"
)
_WORDED = lazy_pattern(
    r"\(\s*(?:around\s+)?lines?\s+(?P<lines>~?\d{1,6}(?:\s*[-–]\s*\d{1,6})?)\s*\)", re.IGNORECASE
)
_LOOKS = lazy_pattern(r"[^\s`'\"]*(?:/[^\s`'\"]+|\.[A-Za-z]\w{0,9})|Makefile|Dockerfile|LICENSE")
_PATTERN = lazy_pattern(r"[*?{}<>|]|\.\.\.|…|^\[[^/]*\]$|^\$[A-Z]")
_NODE = lazy_pattern(r"::.*$")


class NamedFiles(Struct, frozen=True):
    """The files of a bullet, and what in it names none, with the reason. `renames` are pairs of old and new path."""

    files: tuple[PlanFile, ...] = ()
    unclear: tuple[str, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()


def split_action(text: str) -> tuple[str, str] | None:
    """Return the action that a bullet begins with, in lower case, and what follows it."""
    match = _LABEL.match(text.strip())
    return (match["label"].lower(), match["rest"].strip()) if match else None


def read_bullet(label: str, text: str) -> NamedFiles:
    """Return the files that a bullet of this action names."""
    names = list(_names(text))
    if label in MOVES and len(names) >= 2:
        return _moved(names)
    action = ACTIONS.get(label, FileAction.WRITE)
    note = one_line(text.partition(" (")[2].rpartition(")")[0], longest=200)
    files, unclear = [], []
    cited = _WORDED.search(text)
    for name in names:
        path, lines = _with_lines(name)
        why = unfit_path(path)
        if why:
            unclear.append(file_remark(path, why))
        else:
            files.append(PlanFile(path, action, lines or (cited["lines"] if cited else ""), note))
    if not names and text.strip() and text.strip("*_`().- ").lower() not in ("none", "n/a"):
        unclear.append(file_remark(text, "names no file"))
    return NamedFiles(tuple(files), tuple(unclear))


def _moved(names: list[str]) -> NamedFiles:
    source, target = _with_lines(names[0])[0], _with_lines(names[1])[0]
    unclear = tuple(
        file_remark(path, why) for path in (source, target) if (why := unfit_path(path))
    )
    if unclear:
        return NamedFiles(unclear=unclear)
    files = (PlanFile(source, FileAction.DELETE), PlanFile(target, FileAction.CREATE))
    return NamedFiles(files, renames=((source, target),))


def file_remark(name: str, why: str) -> str:
    """Return the remark that a person must say which file is meant."""
    return f"the file: {code_span(one_line(name, longest=80))} {why}"


def unfit_path(path: str) -> str:
    """Return why a path names no single file of a repository; empty for one that does."""
    if _PATTERN.search(path):
        return "is a pattern: name the files"
    if path.endswith("/"):
        return "is a folder: name the files"
    return check_path(path)


def mentions(text: str) -> Iterator[str]:
    """Yield what looks like a path in a line of prose: in backticks, or bare with an ending or a final slash."""
    for span in CODE.finditer(text):
        name = code_text(span[2]).strip()
        if _looks_like_path(name):
            yield name
    for word in CODE.sub(" ", text).split():
        name = word.strip("()[],;:.*_\"'")
        is_file = "." in name.rpartition("/")[2] or name.endswith("/")
        if "/" in name and is_file and "://" not in name and _looks_like_path(name.rstrip("/")):
            yield name


def _looks_like_path(name: str) -> bool:
    return len(name) <= LONGEST_PATH and _LOOKS.fullmatch(name) is not None


def _names(text: str) -> Iterator[str]:
    """Yield the paths of a bullet: its code spans outside brackets, else its first word."""
    plain = _without_brackets(text)
    spans = [code_text(span[2]).strip() for span in CODE.finditer(plain)]
    if not spans:
        words = [word.strip(",;") for word in plain.replace("→", " ").replace("->", " ").split()]
        spans = words[:2] if "→" in plain or "->" in plain else words[:1]
    yield from (
        name for name in spans if _looks_like_path(_with_lines(name)[0]) or _PATTERN.search(name)
    )


def _without_brackets(text: str) -> str:
    """Return a bullet without its remarks in brackets; brackets in code stay."""
    parts, depth, ticked = [], 0, False
    for character in text:
        ticked ^= character == "`"
        depth += character == "(" and not ticked
        if not depth:
            parts.append(character)
        depth -= character == ")" and not ticked and depth > 0
    return "".join(parts) if not ticked else text


def _with_lines(name: str) -> tuple[str, str]:
    """Return a path as git has it, and the lines that follow it as `12-30`."""
    match = _LINES.match(name)
    path, lines = (match["path"], match["lines"]) if match else (_NODE.sub("", name), "")
    return path.removeprefix("./"), re.sub(r"[L\s]", "", lines).replace("–", "-")
