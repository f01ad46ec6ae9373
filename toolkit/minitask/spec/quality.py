"""Check for what makes a spec hard to carry out or to prove: warnings, except for a missing validation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minitask.patterns import lazy_pattern
from minitask.spec.paths import check_path, fold, is_protected, is_spec_path
from minitask.spec.placeholders import find_loose_paths, find_placeholders
from minitask.spec.rules import diagnose
from minitask.spec.suggest import find_unread_commands, find_unread_lists
from minitask.spec.vacuous_commands import CommandStrength, strength

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minitask.spec.model import Command, Diagnostic, Spec

MAX_CONTEXT_WORDS = 100
MAX_FILES_READ = 2
MAX_TOKENS = 5_000
MAX_QUOTE = 60
DRAFTED = "# drafted"
"""The comment at the end of a command that an importer made up from a plan's code."""

_VAGUE = lazy_pattern(
    r"\b(?:appropriate(?:ly)?|as (?:needed|necessary|required|appropriate)|etc|and so (?:on|forth)"
    r"|improv(?:e|es|ing)|clean(?:s|ing)?[ -]?up|handl(?:e|es|ing) (?:all )?(?:the )?edge[ -]cases"
    r"|proper(?:ly)?|(?:if|where) (?:necessary|needed|possible|appropriate)"
    r"|some|various|several|somehow|suitable|suitably|reasonable|sensible|TODO|TBD)\b",
    re.IGNORECASE,
)
_QUOTED = lazy_pattern(
    r"(?<!`)(`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)\1(?!`)"
    r"|\"[^\"\n]*\"|“[^”\n]*”|\]\([^)\n]*\)",
    re.DOTALL,
)
_FENCE = lazy_pattern(r"^ {0,3}(?:[-*+]|\d+[.)])?\s*(`{3,}|~{3,})")
_STEP = lazy_pattern(r"^\s*(?:[-*+]\s|\d+[A-Za-z]?[.)]\s|#{1,6}\s|\*\*|`{3}|~{3})", re.MULTILINE)
_ISSUE = lazy_pattern(r"\s*#{1,6}\s+(?P<name>Issue\s+#?\d+)\b", re.IGNORECASE)
_WORD = lazy_pattern(r"\w[\w'’.-]*")


def check_quality(spec: Spec, protected: Sequence[str] = ()) -> tuple[Diagnostic, ...]:
    """Return what would make the task fail more often, cost more or prove less; `protected` are the config's
    patterns.
    """
    return (
        *_check_validation(spec),
        *_check_drafted(spec),
        *_check_steps(spec),
        *_check_size(spec),
        *_check_placeholders(spec),
        *_check_presence(spec),
        *_check_protected(spec, protected),
        *_check_lists(spec),
        *_check_commands(spec),
        *_check_issues(spec),
    )


def _check_validation(spec: Spec) -> Iterator[Diagnostic]:
    if not spec.commands:
        # A fence that has commands and could not be split was reported by the parser.
        if spec.options.proof != "none" and not _has_unread_commands(spec):
            yield diagnose(
                spec.path,
                spec.line_of("validation"),
                code="E401",
                message="the spec has no validation command",
                hint="add a `bash` fence under `## Validation`, or waive it with `proof: none`",
            )
        return
    worth = [(command, strength(command)) for command in spec.commands]
    if any(rating is CommandStrength.CHECK for _, rating in worth):
        yield from (
            _void(spec, command) for command, rating in worth if rating is CommandStrength.VOID
        )
    elif spec.options.proof != "none":
        yield diagnose(
            spec.path,
            spec.line_of("validation"),
            code="W402",
            message="no command of the validation can fail on a wrong result",
            hint="test the required result, or state it in an `# expect:` comment",
        )


def _check_drafted(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at the first command that an importer drafted."""
    for fence in spec.validation:
        if DRAFTED not in fence.content:
            continue
        rows = enumerate(fence.content.split("\n"), fence.line + 1)
        drafted = [(line, text) for line, text in rows if text.rstrip().endswith(DRAFTED)]
        if drafted:
            line, text = drafted[0]
            more = f", and {len(drafted) - 1} more" if len(drafted) > 1 else ""
            yield diagnose(
                spec.path,
                line,
                code="W420",
                message=f"a drafted check: {_start(text.rstrip().removesuffix(DRAFTED))}{more}",
                hint=f"test what the change does instead, or keep the command and remove `{DRAFTED}`",
            )


def _has_unread_commands(spec: Spec) -> bool:
    lines = (line.strip() for fence in spec.validation for line in fence.content.splitlines())
    return any(line and not line.startswith("#") for line in lines)


def _void(spec: Spec, command: Command) -> Diagnostic:
    first = command.text.strip().splitlines()[0]
    return diagnose(
        spec.path,
        command.line or spec.line_of("validation"),
        code="W402",
        message=f"the command cannot fail: {first}",
        hint="drop the `|| …`, the pipe or the whole command, or add an `# expect:` comment",
    )


def _check_steps(spec: Spec) -> Iterator[Diagnostic]:
    if not _VAGUE.search(spec.task):
        return
    steps = spec.task.split("\n")
    for offset, line in enumerate(_blank_code(spec.task).split("\n")):
        vague_words = list(dict.fromkeys(match.group().lower() for match in _VAGUE.finditer(line)))
        if vague_words:
            quoted = ", ".join(f'"{word}"' for word in vague_words)
            yield diagnose(
                spec.path,
                spec.line_in("task", offset),
                code="W403",
                message=f"a step is vague: {quoted}: {_start(steps[offset])}",
                hint="say exactly which, how many and what",
            )


def _start(step: str) -> str:
    """Return enough of a step to find it by."""
    text = step.strip()
    return text if len(text) <= MAX_QUOTE else f"{text[: MAX_QUOTE - 1].rstrip()}…"


def _check_size(spec: Spec) -> Iterator[Diagnostic]:
    word_count = len(_WORD.findall(spec.context))
    if word_count > MAX_CONTEXT_WORDS:
        yield diagnose(
            spec.path,
            spec.line_of("context"),
            code="W404",
            message=f"the context has {word_count} words; keep it under {MAX_CONTEXT_WORDS}",
            hint="keep what the steps need",
        )
    reads = dict.fromkeys(ref.path for ref in spec.reads())
    if len(reads) > MAX_FILES_READ:
        yield diagnose(
            spec.path,
            spec.reads()[0].line or spec.line_of("files"),
            code="W405",
            message=f"the task reads {len(reads)} files; it should read {MAX_FILES_READ} at most",
            hint="quote the lines that are needed under Code Snippets, or split the task",
        )
    tokens = (spec.estimate.input_tokens or 0) + (spec.estimate.output_tokens or 0)
    if tokens > MAX_TOKENS:
        yield diagnose(
            spec.path,
            spec.line_of("estimate"),
            code="W406",
            message=f"the estimate is {tokens:,} tokens; a task should take {MAX_TOKENS:,} at most",
            hint="split the task, or move code with an edit script",
        )


def _check_placeholders(spec: Spec) -> Iterator[Diagnostic]:
    """Yield what is left of a template: an error where that is sure, at the first line of it."""
    placeholders = list(find_placeholders(spec))
    if placeholders:
        listed = ", ".join(dict.fromkeys(text for _, text in placeholders))
        yield diagnose(
            spec.path,
            placeholders[0][0] or spec.line_of("title"),
            code="E407",
            message=f"the template was not filled in: {listed}",
            hint="fill it in, or delete the line",
        )
        return
    loose = next(find_loose_paths(spec), None)
    if loose:
        yield diagnose(
            spec.path,
            loose[0] or spec.line_of("title"),
            code="W418",
            message=f"{loose[1]} looks like an example path from the template",
            hint="name the real file",
        )


def _check_presence(spec: Spec) -> Iterator[Diagnostic]:
    if not spec.criteria:
        yield diagnose(
            spec.path,
            spec.line_of("criteria"),
            code="W408",
            message="the spec has no acceptance criterion",
            hint="list checkable criteria under `## Acceptance Criteria`",
        )
    if not _STEP.search(spec.task) and not spec.snippets:
        fault = "names no step" if spec.task.strip() else "is missing or empty"
        yield diagnose(
            spec.path,
            spec.line_of("task"),
            code="W409",
            message=f"the Task section {fault}",
            hint="write numbered steps, each with its file and lines",
        )


def _check_protected(spec: Spec, protected: Sequence[str]) -> Iterator[Diagnostic]:
    reported: set[str] = set()
    patterns = (*protected, *spec.options.protected)
    for ref in spec.writes():
        guarded = fold(ref.path) == fold(spec.path) or is_protected(ref.path, patterns)
        if guarded and ref.path not in reported and not check_path(ref.path):
            reported.add(ref.path)
            yield diagnose(
                spec.path,
                ref.line or spec.line_of("files"),
                code="E410",
                message=f"{ref.path} is {'a spec' if is_spec_path(ref.path) else 'protected'}: no task may write it",
                hint="make that change by hand and remove the file from the list",
            )


def _check_lists(spec: Spec) -> Iterator[Diagnostic]:
    """Yield W417 for lists of paths under an unknown name; if no other file is listed, E212 names them instead."""
    if not spec.writes():
        return
    for unread in find_unread_lists(spec):
        yield diagnose(
            spec.path,
            unread.line,
            code="W417",
            message=f"`{unread.name}` lists paths, but is not a known field",
            hint=f"read `{unread.name}` as Files to Edit? Then call it `**Files to Edit**:`",
        )


def _check_commands(spec: Spec) -> Iterator[Diagnostic]:
    for unread in find_unread_commands(spec):
        yield diagnose(
            spec.path,
            unread.line,
            code="W415",
            message=f"the commands below `{unread.name}` are not run",
            hint="call it `## Validation` to run them",
        )


def _check_issues(spec: Spec) -> Iterator[Diagnostic]:
    """Yield W419 if one task has headings of several issues."""
    if "issue" not in spec.task.casefold():
        return
    rows = enumerate(_blank_code(spec.task).split("\n"))
    headings = [(row, match["name"]) for row, line in rows if (match := _ISSUE.match(line))]
    names = list(dict.fromkeys(name for _, name in headings))
    if len(names) > 1:
        second = next(row for row, name in headings if name != names[0])
        yield diagnose(
            spec.path,
            spec.line_in("task", second),
            code="W419",
            message=f"{', '.join(names)} are done as one task",
            hint="give each a heading `# Mini-Task N: Title` to make it a task of its own",
        )


def _blank_code(text: str) -> str:
    """Return the text with fences, code spans and quotations blanked, line for line."""
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line.lstrip()) if not fence else None
        if fence:
            closed = line.strip().startswith(fence) and not line.strip().strip(fence[0])
            fence = "" if closed else fence
            lines.append("")
        elif match:
            fence = match.group(1)
            lines.append("")
        else:
            lines.append(line)
    return _QUOTED.sub(lambda match: "\n" * match.group().count("\n"), "\n".join(lines))
