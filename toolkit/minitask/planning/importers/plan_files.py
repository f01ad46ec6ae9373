"""Find the files that a plan's bullets and code blocks refer to, with the cited lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from minitask.edits.reply.samples import SUFFIXES
from minitask.gates.source.elisions import is_elision
from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import PlanCode, PlanFile, PlanStep
from minitask.spec.markdown import CODE, code_span, code_text
from minitask.spec.model import Fence, FileAction
from minitask.spec.paths import check_path
from minitask.spec.validation_commands import shell_language
from minitask.words import one_line, word_set

_VERBS = {
    FileAction.CREATE: "create new add",
    FileAction.EDIT: "modify edit update extend",
    FileAction.WRITE: "test tests create/modify modify/create",
    FileAction.DELETE: "delete remove",
    FileAction.READ: "read read-only reference verify check",
}
ACTIONS = {verb: action for action, verbs in _VERBS.items() for verb in verbs.split()}
MOVES = ("move", "rename")
LONGEST_PATH = 500
LONGEST_REFERENCE = 60
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
_WITHOUT_SUFFIX = word_set("Makefile Dockerfile Jenkinsfile Procfile Gemfile Rakefile LICENSE")
_AT_ROOT = lazy_pattern(
    r"(?:README|CHANGELOG|CONTRIBUTING)\.md|(?:package|tsconfig|composer)\.json|(?:pyproject|Cargo)\.toml|go\.mod|pom\.xml"
    r"|requirements\.txt|setup\.(?:py|cfg)|docker-compose\.ya?ml|\.(?:git|docker)ignore|\.env\.example|Makefile|Dockerfile"
)
_TOKEN = lazy_pattern(rf"{CODE.pattern}|[^\s`]+")
_REFERENCE = lazy_pattern(
    r"(?:\b(?:per|see|like|against|following|matching|mirroring|via|according\s+to|similar\s+to|same\s+as|links?\s+to"
    r"|(?:based|modell?ed)\s+on|(?:adapted|derived|copied|ported|taken)\s+from|(?:as|defined|described|specified)\s+in)"
    r"\s+(?:the\s+)?)[(`\"']*\Z",
    re.IGNORECASE,
)
_PATTERN = lazy_pattern(r"[*?{}<>|]|\.\.\.|…|^\[[^/]*\]$|^\$[A-Z]")
_NONE = lazy_pattern(
    r"[*_`().\s-]*(?:(?:none|nothing|n/?a|no|not)(?=[\s,;:)(*_`.]*(?:\s|$))|$)", re.IGNORECASE
)
_NODE = lazy_pattern(r"::.*$")
_DEFINED = {
    "bash sh shell zsh": r"^(?:function\s+)?([A-Za-z]\w*\(\)|[A-Z][A-Z0-9_]{2,}=)",
    "csharp cs java": r"\bpublic\s+(?:\w+\s+)*?((?:class|interface|record|enum)\s+\w+)",
    "go golang": r"^((?:func|type)\s+(?:\([^)]*\)\s*)?[A-Z]\w*)",
    "javascript js jsx typescript ts tsx": (
        r"^(?:export\s+(?:default\s+)?(?=\w))?((?:async\s+)?(?:function\*?|class|interface|type|enum)"
        r"\s+[A-Za-z$]\w*|(?<=export )const\s+[A-Za-z$]\w*)"
    ),
    "json jsonc": r'^[ \t]*("[^"\\\n]+"(?:: (?:"[^"\\\n]{0,40}"|[\w.-]{1,20})(?=,?\s*$))?)',
    "php": r"^\s*(?:public\s+)?((?:static\s+)?(?:function|class|interface)\s+[A-Za-z]\w*)",
    "python py": r"^[ ]{0,4}((?:async\s+def|def|class)\s+[A-Za-z]\w*)",
    "ruby rb": r"^\s*((?:def|class|module)\s+[A-Za-z]\w*)",
    "rust rs": r"^\s*(pub\s+(?:async\s+)?(?:fn|struct|enum|trait|mod|const)\s+\w+)",
    "yaml yml": r"^[ \t]*([A-Za-z][\w-]*:)(?=\s|$)",
}
_PATTERNS = {
    name: lazy_pattern(pattern, re.MULTILINE)
    for names, pattern in _DEFINED.items()
    for name in names.split()
}
"""Pattern of a definition's start, by a fence's language."""
_PART = lazy_pattern(
    r"\b(?:append|add(?:\s+\w+){0,3}\s+to|insert|replace|existing|after\s+the|update)\b",
    re.IGNORECASE,
)
_COMMENT = lazy_pattern(r"\s*(?://|#|--|/\*|<!--|;)\s*(?P<path>\S+)\s*(?:\*/|-->)?\s*")


class NamedFiles(Struct, frozen=True):
    """The files of a bullet, and remarks on names that are no files. `renames` are pairs of old and new path."""

    files: tuple[PlanFile, ...] = ()
    unclear: tuple[str, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()


def split_action(text: str) -> tuple[str, str] | None:
    """Return the action at the start of a bullet, in lower case, and the text after it, or None."""
    match = _LABEL.match(text.strip())
    return (match["label"].lower(), match["rest"].strip()) if match else None


def read_bullet(label: str, text: str) -> NamedFiles:
    """Return the files that a bullet with this action names."""
    names = [] if _NONE.match(text) else list(_names(text))
    if label in MOVES and len(names) >= 2:
        return _moved(names)
    action = ACTIONS.get(label, FileAction.WRITE)
    note = one_line(text.partition(" (")[2].rpartition(")")[0], longest=200)
    files, unclear = [], []
    cited = _WORDED.search(text)
    for name in names:
        path, lines = _with_lines(name)
        if why := unfit_path(path):
            unclear.append(file_remark(path, why))
        else:
            files.append(PlanFile(path, action, lines or (cited["lines"] if cited else ""), note))
    if not names and not _NONE.match(text):
        unclear.append(file_remark(text, "names no file"))
    return NamedFiles(tuple(files), tuple(unclear))


def _moved(names: list[str]) -> NamedFiles:
    source, target = _with_lines(names[0])[0], _with_lines(names[1])[0]
    reasons = {path: unfit_path(path) for path in (source, target)}
    unclear = tuple(file_remark(path, why) for path, why in reasons.items() if why)
    if unclear:
        return NamedFiles(unclear=unclear)
    files = (PlanFile(source, FileAction.DELETE), PlanFile(target, FileAction.CREATE))
    return NamedFiles(files, renames=((source, target),))


def file_remark(name: str, why: str) -> str:
    """Return the remark that a person must name the file."""
    return f"the file: {code_span(one_line(name, longest=80))} {why}"


def unfit_path(path: str) -> str:
    """Return why a path is not a single file of a repository, or "" if it is."""
    if _PATTERN.search(path):
        return "is a pattern: name the files"
    if path.endswith("/"):
        return "is a folder: name the files"
    return check_path(path)


def mentions(text: str) -> Iterator[tuple[str, bool]]:
    """Yield likely paths in prose, in backticks or bare, and whether each is only referred to (`per docs/api.md`)."""
    for token in _TOKEN.finditer(text):
        name = code_text(token[2]).strip() if token[2] else _bare_path(token[0])
        if _looks_like_path(name.rstrip("/")) and not name.startswith("@") and "://" not in name:
            before = text[max(0, token.start() - LONGEST_REFERENCE) : token.start()]
            yield name, _REFERENCE.search(before) is not None


def _bare_path(word: str) -> str:
    """Return a word without punctuation if it is certainly a path, or an empty string."""
    name = word.lstrip("([*\"'").rstrip("()[],;:.*\"'")
    name = name[1:-1] if name[:1] == name[-1:] == "_" else name
    is_path = "/" in name and (is_file_name(name) or name.endswith("/"))
    return name if is_path or _AT_ROOT.fullmatch(name) else ""


def is_file_name(path: str) -> bool:
    """Return True if the last part of a path is the name of a file, and not of a folder."""
    name = path.rpartition("/")[2]
    return "." in name or name in _WITHOUT_SUFFIX


def _looks_like_path(name: str) -> bool:
    return len(name) <= LONGEST_PATH and _LOOKS.fullmatch(name) is not None


def _names(text: str) -> Iterator[str]:
    """Yield the paths of a bullet: its code spans outside parentheses, or else its first word."""
    plain = _without_brackets(text)
    spans = [code_text(span[2]).strip() for span in CODE.finditer(plain)]
    if not spans:
        words = [word.strip(",;") for word in plain.replace("→", " ").replace("->", " ").split()]
        spans = words[:2] if "→" in plain or "->" in plain else words[:1]
    for name in spans:
        if _looks_like_path(_with_lines(name)[0]) or _PATTERN.search(name):
            yield name


def _without_brackets(text: str) -> str:
    """Return a bullet without remarks in parentheses; parentheses in code stay."""
    parts, depth, ticked = [], 0, False
    for character in text:
        ticked ^= character == "`"
        depth += character == "(" and not ticked
        if not depth:
            parts.append(character)
        depth -= character == ")" and not ticked and depth > 0
    return "".join(parts) if not ticked else text


def _with_lines(name: str) -> tuple[str, str]:
    """Return a path as git writes it, and the lines cited after it, as `12-30`."""
    match = _LINES.match(name)
    path, lines = (match["path"], match["lines"]) if match else (_NODE.sub("", name), "")
    return path.removeprefix("./"), re.sub(r"[L\s]", "", lines).replace("–", "-")


def code_of(
    fence: Fence, title: str, before: Sequence[str | PlanCode], files: Sequence[PlanFile]
) -> PlanCode:
    """Return a block with its file: the one named in it or near it, or the only one that fits."""
    written = [file for file in files if file.action not in (FileAction.READ, FileAction.DELETE)]
    head = _COMMENT.fullmatch(fence.content.partition("\n")[0])
    texts = [head["path"]] if head else []
    texts += [part for part in reversed(before) if isinstance(part, str)] + [title]
    for text in texts:
        matches = _named(text, files)
        if len(matches) == 1:
            return PlanCode(matches[0] if matches[0] in {w.path for w in written} else "", fence)
    fitting = [file for file in written if fits_language(file.path, fence.info)]
    about_tests = "test" in title.lower()
    alike = [file for file in fitting if _is_test(file.path) == about_tests]
    return PlanCode(alike[0].path if len(alike) == 1 else "", fence)


def _named(text: str, files: Sequence[PlanFile]) -> list[str]:
    """Return the files that a text names: by the longest matching paths, or else by their names."""
    paths = [file.path for file in files]
    whole = [path for path in paths if path in text]
    longest = [path for path in whole if not any(path in longer for longer in {*whole} - {path})]
    names = {path: re.escape(path.rpartition("/")[2]) for path in paths}
    return longest or [p for p in paths if re.search(rf"(?<![\w/]){names[p]}\b", text)]


def _is_test(path: str) -> bool:
    return re.search(r"(?:^|[/_.-])(?:tests?|specs?|__tests__)(?:[/_.-]|$)", path) is not None


def with_wholes(steps: list[PlanStep], files: Sequence[PlanFile]) -> list[PlanStep]:
    """Return the steps; a complete block that is the only one for a new file is marked as whole."""
    paths = [code.path for step in steps for code in step.body if isinstance(code, PlanCode)]
    new = {file.path for file in files if file.action in (FileAction.CREATE, FileAction.WRITE)}
    new -= {path for path in paths if paths.count(path) > 1}
    bodies = (tuple(_marked(part, step, new) for part in step.body) for step in steps)
    return [PlanStep(step.title, body) for step, body in zip(steps, bodies, strict=True)]


def _marked(part: str | PlanCode, step: PlanStep, new: set[str]) -> str | PlanCode:
    if not isinstance(part, PlanCode) or part.path not in new:
        return part
    prose = " ".join([step.title, *(file for file in step.body if isinstance(file, str))])
    left_out = is_cut(part.fence) or any(map(is_elision, part.fence.content.split("\n")))
    is_whole = not left_out and not _PART.search(prose)
    return PlanCode(part.path, part.fence, is_whole=True) if is_whole else part


def is_cut(fence: Fence) -> bool:
    """Return True if a nested fence ends a block too early."""
    rows = [row.lstrip() for row in fence.content.split("\n")]
    return sum(row.startswith(("```", "~~~")) for row in rows) % 2 == 1


def fits_language(path: str, info: str) -> bool:
    """Return True if a block with this info string may belong to a file of this name."""
    endings = SUFFIXES.get(shell_language(info))
    return endings is None or path.lower().endswith(endings)


def new_names(fence: Fence, present: str) -> tuple[str, ...]:
    """Return the names that a block defines and that are not in a file's present text."""
    pattern = _PATTERNS.get(shell_language(fence.info))
    if pattern is None:
        return ()
    names = dict.fromkeys(match[1].strip() for match in pattern.finditer(fence.content))
    return tuple(name for name in names if name not in present)
