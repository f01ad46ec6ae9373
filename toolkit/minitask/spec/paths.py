"""Check the paths that a spec may name, and find those that no task may write.

One file must have one name on every file system, because scope is checked by comparing paths. So a path is refused if
some system would fold it into another, and `.git` is refused in each spelling that HFS+, APFS or NTFS accepts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import accumulate
from posixpath import splitext

from minitask.patterns import lazy_pattern
from minitask.spec.model import Tree
from minitask.words import nearest, word_set

MAX_COMPONENT_BYTES = 255
SPECS_FOLDER = "mini-projects"
REMEMBERED = 10_000
"""Paths whose verdict is cached: a command asks for each several times."""

_MOST_FOLDERS = 1_000
"""Folders in which a file that a misspelt path may mean is looked for."""

_DRIVE = lazy_pattern(r"[A-Za-z]:")
_SHORT_GIT = lazy_pattern(r"git~\d+")
# Code points outside category Cf that a file system may ignore when it compares names.
_IGNORED = lazy_pattern(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_DOTLESS = str.maketrans({"\u0130": "i", "\u0131": "i"})

# Protected at the root of the repository: everything in these folders, and these files.
_ROOT_FOLDER_NAMES = """
.buildkite .circleci .forgejo/workflows .gitea/workflows .github/actions .github/workflows .gitlab/ci .woodpecker
"""
_ROOT_FOLDERS = tuple(f"{folder}/" for folder in _ROOT_FOLDER_NAMES.split())
_ROOT_FILES = word_set("""
.appveyor.yml .cirrus.yml .drone.yml .github/copilot-instructions.md .gitlab-ci.yaml .gitlab-ci.yml .minitask.yaml
.minitask.yml .travis.yml .woodpecker.yml appveyor.yml azure-pipelines.yaml azure-pipelines.yml bitbucket-pipelines.yml
jenkinsfile minitask.yaml minitask.yml
""")
# Folders and files obeyed by git or agents at any depth; the last four starts are NTFS short names of .gitattributes
# and .gitmodules.
_FOLDERS = word_set("""
.claude .codex .continue .cursor .gemini .githooks .husky .opencode .qwen .roo .windsurf
""")
_FILES = word_set("""
.clinerules .cursorrules .gitattributes .gitmodules .lefthook.yaml .lefthook.yml .lfsconfig .mcp.json
.pre-commit-config.yaml .pre-commit-config.yml .windsurfrules agents.md agents.override.md claude.local.md claude.md
gemini.md lefthook.yaml lefthook.yml qwen.md
""")
_FILE_STARTS = (".aider", "opencode.json", "gi7d29~", "gi7eba~", "gitatt~", "gitmod~")


@lru_cache(REMEMBERED)
def check_path(path: str) -> str:
    """Return why the path is not a canonical repository path, worded to follow its name, or an empty string."""
    parts = path.split("/")
    return (
        _check_characters(path)
        or _check_root(path)
        or next(filter(None, map(_check_component, parts)), "")
    )


def is_protected(path: str, extra: Sequence[str] = ()) -> bool:
    """Return True if no task may write the path: CI, hooks, agent or toolkit settings, specs, or one of `extra`.

    Patterns are those of `fnmatch`, where `*` also matches `/`; one without a `/` is matched against names at any
    depth, and one that names a folder covers its contents.
    """
    folded = fold(path)
    *folders, name = folded.split("/")
    return (
        is_spec_path(path)
        or folded in _ROOT_FILES
        or folded.startswith(_ROOT_FOLDERS)
        or not _FOLDERS.isdisjoint(folders)
        or name in _FILES
        or name.startswith(_FILE_STARTS)
        or any(_matches(folded, fold(pattern)) for pattern in extra)
    )


def is_spec_path(path: str) -> bool:
    """Return True for a spec below `mini-projects/`, and for any path that folds into that folder by another spelling.

    A project's README and files in a folder `base` are not specs.
    """
    folder, _, subpath = fold(path).partition("/")
    if folder != SPECS_FOLDER or not subpath:
        return False
    name = subpath.rpartition("/")[2]
    inside_base = "base" in path.split("/")[1:-1]
    is_spec = name.endswith(".md") and not name.startswith("readme") and not inside_base
    return is_spec or not path.startswith(f"{SPECS_FOLDER}/")


@lru_cache(REMEMBERED)
def fold(path: str) -> str:
    """Return the path as the least strict file system compares it: without case and invisible characters."""
    return "/".join(_fold_component(part) for part in path.split("/"))


def _check_characters(path: str) -> str:
    if not path.strip():
        return "is empty"
    if any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in path):
        return "has a control character"
    if any("\ud800" <= char <= "\udfff" for char in path):
        return "is not valid UTF-8"
    return ""


def _check_root(path: str) -> str:
    if path.startswith(("/", "\\")) or _DRIVE.match(path):
        return "is absolute"
    if path == "~" or path.startswith("~/"):
        return "starts at a home folder"
    if "\\" in path:
        return "has a backslash"
    return "names a folder" if path.endswith("/") and not path.endswith("//") else ""


def _check_component(part: str) -> str:
    if not part:
        return "has an empty part (`//`)"
    if part in {".", ".."}:
        return f"has a `{part}` part"
    folded = _fold_component(part)
    if folded == ".git" or _SHORT_GIT.fullmatch(folded):
        return "leads into `.git`"
    if part.endswith((".", " ")):
        return "has a part that ends in a dot or a space"
    if len(part.encode()) > MAX_COMPONENT_BYTES:
        return f"has a part of more than {MAX_COMPONENT_BYTES} bytes"
    return ""


def _fold_component(part: str) -> str:
    if part.isascii():
        folded = part.lower()
    else:
        composed = unicodedata.normalize("NFKC", _visible(part)).translate(_DOTLESS)
        folded = _visible(unicodedata.normalize("NFKC", composed.casefold()))
    stem, colon, _ = folded.partition(":")
    return (stem if colon else folded).rstrip(" .") or folded


def _visible(text: str) -> str:
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return _IGNORED.sub("", visible)


def _matches(path: str, pattern: str) -> bool:
    bare = pattern.removeprefix("./").strip("/")
    if not bare:
        return False
    if "/" not in pattern:
        return any(fnmatchcase(part, bare) for part in path.split("/"))
    forms = (bare, bare.replace("**/", ""))
    return any(fnmatchcase(path, form) or fnmatchcase(path, f"{form}/*") for form in forms)


_JOINERS = "\u200c\u200d"
"""Invisible characters that some scripts and emoji need between two letters."""


def find_hidden(path: str) -> str:
    """Return the path's first invisible character as `U+200B, ZERO WIDTH SPACE`, or an empty string."""
    hidden = next((char for at, char in enumerate(path) if _is_hidden(path, at)), "")
    return f"U+{ord(hidden):04X}, {unicodedata.name(hidden, 'no name')}" if hidden else ""


def find_twin(
    path: str, *, names: Callable[[str], Iterable[str]], is_there: Callable[[str], bool]
) -> tuple[str, str] | None:
    """Return a missing part of a new path and an existing path that some file systems take for the same, or None.

    `names` returns a folder's entries; "" is the root.
    """
    folder = ""
    for part in path.split("/"):
        current = f"{folder}/{part}" if folder else part
        twin = "" if is_there(current) else _twin(part, names(folder))
        if twin:
            return current, f"{folder}/{twin}" if folder else twin
        folder = current
    return None


def find_meant(path: str, tree: Tree) -> str:
    """Return the canonical path of the only file that another spelling can mean, or ""; a relative one may be new."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in {"", "."}]
    if ".." in parts or path.endswith("/"):
        return ""
    if _check_root(path) != "is absolute":
        plain = "/".join(parts)
        return "" if check_path(plain) else plain
    ends = ("/".join(parts[at:]) for at in range(len(parts)))
    files = [end for end in ends if not check_path(end) and tree.kind(end) == "file"]
    return files[0] if len(files) == 1 else ""


def find_similar(path: str, tree: Tree) -> str:
    """Return the file that a path without one may mean: of the same name elsewhere, or of a similar one beside it."""
    parent, _, name = path.rpartition("/")
    same = [
        f"{start}{entry}"
        for start, entries in _folders(tree)
        for entry in entries
        if fold(entry) == fold(name) and tree.kind(f"{start}{entry}") == "file"
    ]
    if same:
        return same[0] if len(same) == 1 else nearest(path, same)
    stems = {splitext(entry)[0]: entry for entry in tree.names(parent)}
    near = nearest(splitext(name)[0], stems)
    similar = f"{parent}/{stems[near]}".lstrip("/") if near else ""
    return similar if similar and tree.kind(similar) == "file" else ""


def _folders(tree: Tree) -> Iterator[tuple[str, list[str]]]:
    """Yield the folders of a tree and their entries, the upper ones first, each with its final `/`; not all of many."""
    starts = [""]
    for start in starts:
        names = sorted(tree.names(start.rstrip("/")))
        yield start, names
        if len(starts) < _MOST_FOLDERS:
            starts += [f"{start}{name}/" for name in names if "." not in name]


def find_nested(paths: Iterable[str]) -> tuple[str, str] | None:
    """Return a path and another one that needs a folder of that name, or None."""
    unique_paths = set(paths)
    for path in sorted(unique_paths):
        folder = next((folder for folder in prefixes(path)[:-1] if folder in unique_paths), "")
        if folder:
            return folder, path
    return None


def _twin(part: str, names: Iterable[str]) -> str:
    folded = fold(part)
    return next((name for name in names if name != part and fold(name) == folded), "")


def _is_hidden(path: str, at: int) -> bool:
    char = path[at]
    if char.isascii() or unicodedata.category(char) != "Cf":
        return False
    around = path[at - 1 : at] + path[at + 1 : at + 2]
    return (
        char not in _JOINERS
        or len(around) < 2
        or not all(neighbour > "\u02ff" for neighbour in around)
    )


def prefixes(path: str) -> list[str]:
    """Return `a`, `a/b`, `a/b/c` for `a/b/c`."""
    return list(accumulate(path.split("/"), "{}/{}".format))
