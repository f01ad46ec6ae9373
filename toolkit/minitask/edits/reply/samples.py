"""Fences of a reply that are not edits: commands, their output, and text that the files have anyway."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from minitask.edits.grammar import paths_written
from minitask.edits.reply.markers import bar_of
from minitask.edits.reply.reply_context import SOURCE, ReplyContext, mentions, resolve
from minitask.edits.script_model import EditScript, SearchReplace, UnifiedDiff, WholeFile
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.model import Fence, FileAction
from minitask.words import word_set

_SHELLS = word_set("""
sh bash zsh fish shell console shell-session shellsession terminal powershell pwsh ps1 cmd bat batch
""")
DIFFS = frozenset({"diff", "patch", "udiff"})
_OUTPUTS = frozenset(["", "text", "txt", "plaintext", "plain", "output", "log", "stdout", "out"])
SUFFIXES = {
    "bash": (".sh", ".bash"), "sh": (".sh",), "shell": (".sh", ".bash", ".zsh"), "zsh": (".zsh", ".sh"),
    "fish": (".fish",), "powershell": (".ps1",), "ps1": (".ps1",), "pwsh": (".ps1",), "bat": (".bat", ".cmd"),
    "cmd": (".cmd", ".bat"), "batch": (".bat", ".cmd"),
    "python": (".py", ".pyi"), "py": (".py", ".pyi"), "python3": (".py",),
    "javascript": (".js", ".mjs", ".cjs", ".jsx"), "js": (".js", ".mjs", ".cjs", ".jsx"), "jsx": (".jsx", ".js"),
    "typescript": (".ts", ".tsx", ".mts", ".cts"), "ts": (".ts", ".tsx", ".mts", ".cts"), "tsx": (".tsx", ".ts"),
    "json": (".json", ".ipynb"), "jsonc": (".json", ".jsonc"), "yaml": (".yaml", ".yml"), "yml": (".yaml", ".yml"),
    "toml": (".toml",), "ini": (".ini", ".cfg", ".conf"), "css": (".css",), "scss": (".scss",),
    "html": (".html", ".htm", ".vue", ".svelte"), "xml": (".xml", ".svg", ".html"),
    "markdown": (".md", ".markdown", ".mdx", ".txt"), "md": (".md", ".markdown", ".mdx", ".txt"),
    "go": (".go",), "golang": (".go",), "rust": (".rs",), "rs": (".rs",), "java": (".java",), "kotlin": (".kt", ".kts"),
    "c": (".c", ".h"), "cpp": (".cpp", ".cc", ".cxx", ".h", ".hpp"), "c++": (".cpp", ".cc", ".h", ".hpp"),
    "csharp": (".cs",), "cs": (".cs",), "ruby": (".rb",), "rb": (".rb",), "php": (".php",), "sql": (".sql",),
    "swift": (".swift",), "csv": (".csv",), "tsv": (".tsv",), "lua": (".lua",), "r": (".r", ".R"),
    "dockerfile": ("Dockerfile",), "makefile": ("Makefile", ".mk"), "make": ("Makefile", ".mk"),
}  # fmt: skip
"""Endings of the files that a fence in a language may be for."""
_WRITING = lazy_pattern(
    r"(?:>{1,2}|\btee\b(?:\s+-a)?|\b(?:sed|perl)\b.*\s-\w*i\S*.*|\b(?:mv|cp|rm|patch|install|ln)\b.*|\bgit\s+(?:mv|rm|apply)\b.*)"
)


def is_command(fence: Fence) -> bool:
    """Return True if a fence holds shell commands."""
    return fence_word(fence) in _SHELLS


def is_sample(fence: Fence) -> bool:
    """Return True if a fence may be a command or its output."""
    return fence_word(fence) in _SHELLS | _OUTPUTS


def fits(fence: Fence, path: str) -> bool:
    """Return True if a fence's language fits the file."""
    word = fence_word(fence)
    if word in _OUTPUTS:
        return word not in {"output", "log", "stdout", "out"} or path.endswith(f".{word}")
    suffixes = SUFFIXES.get(word)
    if suffixes is None:
        return word not in _SHELLS
    return path.endswith(suffixes)


def may_be_script(fence: Fence, path: str) -> bool:
    """Return True if a fence of shell code may be the file: its suffix is one of the shell's, or of no language."""
    return fits(fence, path) or is_of_no_language(path)


def is_of_no_language(path: str) -> bool:
    """Return True if a file's suffix is that of no language."""
    suffixes = (suffix for endings in SUFFIXES.values() for suffix in endings)
    return not any(map(path.endswith, suffixes))


def removals(content: str, request: ReplyContext) -> list[str]:
    """Return the files to delete that the commands remove; empty if they do anything else."""
    removed: list[str] = []
    for line in content.split("\n"):
        argv = _split_words(line.removeprefix("$ "))
        argv = argv[1:] if argv[:1] == ["git"] else argv
        if not argv:
            continue
        paths = [resolve(word, request) for word in argv[1:] if not word.startswith("-")]
        listed = [request.find(path) for path in paths if path]
        doomed = [file.path for file in listed if file and file.action is FileAction.DELETE]
        if argv[0] != "rm" or not paths or len(doomed) != len(paths):
            return []
        removed += doomed
    return removed


def check_unplaced(fences: Sequence[Fence], script: EditScript, request: ReplyContext) -> None:
    """Raise for a fence that may be an edit and names no file."""
    served = paths_written(script)
    missing = [f.path for f in request.written() if not f.optional and f.path not in served]
    known_lines = set(_known_lines(script, request))
    _check_not_cut(fences, script, request)
    for fence in fences:
        _check_fence(fence, missing, known_lines, request)


def _check_not_cut(fences: Sequence[Fence], script: EditScript, request: ReplyContext) -> None:
    """Raise if a file loses fences that it had and an unnamed fence follows it."""
    last = max((fence.line for fence in fences), default=0)
    for edit in script.edits:
        if isinstance(edit, WholeFile) and edit.line < last:
            before, after = _bars(request.read(edit.path) or ""), _bars(edit.content)
            if after < before:
                message = f"{edit.path} seems to end at a fence inside its own text"
                hint = "write a longer fence (````) around a file that holds fences"
                raise EditError(message, hint=hint, where=f"{SOURCE}:{edit.line}")


def _bars(text: str) -> int:
    return sum(bar_of(line) is not None for line in text.split("\n"))


def _check_fence(
    fence: Fence, missing: Sequence[str], known_lines: set[str], request: ReplyContext
) -> None:
    where = f"{SOURCE}:{fence.line}"
    if not fence.content.strip():
        raise EditError("a fence is empty and names no file", hint="leave it out", where=where)
    if is_command(fence):
        changed = sorted(_changed_by(fence.content, request))
        if changed:
            message = f"commands are not run, so {changed[0]} is not changed by them"
            hint = f"reply with a fence path={changed[0]}, or with operations"
            raise EditError(message, hint=hint, where=where)
        if not any(fits(fence, path) for path in missing):
            return
    lines = [line.strip() for line in fence.content.split("\n") if line.strip()]
    if all(line in known_lines for line in lines):
        return
    if (
        not missing
        and not mentions(fence.lead, request)
        and (is_sample(fence) or _is_of_another(fence, request))
    ):
        return
    hint = "write path=… in its info string if it is a file or edits of one, else leave it out"
    raise EditError("a fence names no file", hint=hint, where=where)


def _is_of_another(fence: Fence, request: ReplyContext) -> bool:
    """Return True if a fence's language is that of no file of the task, none can hold it, and no path leads."""
    names_path = any("/" in word or "." in word.rstrip(".:") for word in fence.lead.split())
    suffixes = SUFFIXES.get(fence_word(fence), ())
    return (
        bool(suffixes)
        and not names_path
        and all(
            not is_of_no_language(file.path) and not file.path.endswith((*suffixes, *_MIXED))
            for file in request.written()
        )
    )


_MIXED = (
    ".md",
    ".markdown",
    ".mdx",
    ".txt",
    ".html",
    ".htm",
    ".vue",
    ".svelte",
    ".xml",
    ".yaml",
    ".yml",
    ".php",
)
"""Endings of files that hold text in other languages."""


def fence_word(fence: Fence) -> str:
    """Return the first word of a fence's info string, in lower case."""
    return fence.info.split(maxsplit=1)[0].lower() if fence.info.strip() else ""


def _split_words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return []


def _changed_by(content: str, request: ReplyContext) -> set[str]:
    """Return the files to be written that commands seem to change."""
    changed: set[str] = set()
    for line in content.split("\n"):
        writing = _WRITING.search(line)
        if writing:
            changed |= mentions(line[writing.start() :].replace(">", " "), request)
    return changed


def _known_lines(script: EditScript, request: ReplyContext) -> Iterator[str]:
    """Return the lines of the listed files, in the base and as written by the reply."""
    texts = [request.read(file.path) or "" for file in request.files]
    for edit in script.edits:
        if isinstance(edit, WholeFile):
            texts.append(edit.content)
        elif isinstance(edit, SearchReplace):
            texts.append(edit.replace)
        elif isinstance(edit, UnifiedDiff):
            texts += [line[1:] for line in edit.text.split("\n") if line.startswith("+")]
    return (line.strip() for text in texts for line in text.split("\n"))
