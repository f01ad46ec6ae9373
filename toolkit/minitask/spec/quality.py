"""Check specs for faults that make a task hard to carry out or to prove: warnings, except for a missing validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise

from minitask.patterns import lazy_pattern
from minitask.spec.dropped_comparisons import find_dropped_checks
from minitask.spec.filelists import bullets, is_table
from minitask.spec.filerefs import looks_like_path, parse_refs
from minitask.spec.markdown import (
    CODE,
    Document,
    MarkdownBlock,
    blocks,
    find_label,
    normalise,
    parse_document,
)
from minitask.spec.model import Diagnostic, FileAction, Problem, Spec
from minitask.spec.paths import check_path, fold, is_protected, is_spec_path
from minitask.spec.template import (
    blank_fences,
    find_loose_paths,
    find_placeholders,
    named_placeholders,
)
from minitask.spec.vacuous_commands import CommandStrength, strength
from minitask.spec.validation_commands import looks_like_command

MAX_CONTEXT_WORDS = 100
MAX_FILES_READ = 2
MAX_TOKENS = 5_000
MAX_QUOTE = 60
_MOST_WORDS = 5
DRAFTED = "# drafted"
"""The comment after a command that an importer drafted from a plan's code."""

_VAGUE = lazy_pattern(
    r"(?i)\b(?:appropriate(?:ly)?|as (?:needed|necessary|required|appropriate)|etc|and so (?:on|forth)"
    r"|improv(?:e|es|ing)|clean(?:s|ing)?[ -]?up|handl(?:e|es|ing) (?:all )?(?:the )?edge[ -]cases"
    r"|proper(?:ly)?|(?:if|where) (?:necessary|needed|possible|appropriate)"
    r"|some|various|several|somehow|suitable|suitably|reasonable|sensible|TODO|TBD)\b"
)
_QUOTED = lazy_pattern(
    r"(?s)(?<!`)(`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)\1(?!`)"
    r"|\"[^\"\n]*\"|“[^”\n]*”|\]\([^)\n]*\)"
)
_STEP = lazy_pattern(r"(?m)^[ \t]*(?:[-*+]\s|\d+[A-Za-z]?[.)]\s|#{1,6}\s|\*\*|`{3}|~{3})")
_ISSUE = lazy_pattern(r"(?i)\s*#{1,6}\s+(?P<name>Issue\s+#?\d+)\b")
_WORD = lazy_pattern(r"\w[\w'’.-]*")


def check_quality(spec: Spec, protected: Sequence[str] = ()) -> tuple[Diagnostic, ...]:
    """Return diagnostics of faults that raise cost or risk or weaken proof; `protected` are the config's patterns."""
    problems = (
        *_check_validation(spec),
        *_check_drafted(spec),
        *_check_steps(spec),
        *_check_size(spec),
        *_check_placeholders(spec),
        *_check_presence(spec),
        *_check_protected(spec, protected),
        *_check_unread(spec),
        *_check_issues(spec),
    )
    return tuple(problem.at(spec.path) for problem in problems)


def _check_validation(spec: Spec) -> Iterator[Problem]:
    needs_proof, line = spec.options.proof != "none", spec.line_of("validation")
    if not spec.commands:
        # The parser has already reported a fence with commands that could not be split.
        if needs_proof and not _has_unread_commands(spec):
            hint = "add a `bash` fence under `## Validation`, or waive it with `proof: none`"
            yield Problem(line, "E401", "the spec has no validation command", hint)
        return
    yield from find_dropped_checks(spec) if needs_proof else ()
    ratings = [strength(command) for command in spec.commands]
    if CommandStrength.CHECK in ratings:
        hint = "drop the `|| …`, the pipe or the whole command, or add an `# expect:` comment"
        for command, rating in zip(spec.commands, ratings, strict=True):
            if rating is CommandStrength.VOID:
                message = f"the command cannot fail: {command.text.strip().splitlines()[0]}"
                yield Problem(command.line or line, "W402", message, hint)
    elif needs_proof:
        message = "no command of the validation can fail on a wrong result"
        hint = "test the required result, or state it in an `# expect:` comment"
        yield Problem(line, "W402", message, hint)


def proves_nothing(spec: Spec) -> bool:
    """Return True if no command of the validation checks the result."""
    return all(strength(command) is not CommandStrength.CHECK for command in spec.commands)


def _check_drafted(spec: Spec) -> Iterator[Problem]:
    """Yield a warning for each fence with commands drafted by an importer, at the first of them."""
    for fence in spec.validation:
        rows = enumerate(fence.content.split("\n"), fence.line + 1)
        drafted = [(line, text) for line, text in rows if text.rstrip().endswith(DRAFTED)]
        if drafted:
            line, text = drafted[0]
            more = f", and {len(drafted) - 1} more" if len(drafted) > 1 else ""
            message = f"a drafted check: {_start(text.rstrip().removesuffix(DRAFTED))}{more}"
            hint = f"test what the change does instead, or keep the command and remove `{DRAFTED}`"
            yield Problem(line, "W420", message, hint)


def _has_unread_commands(spec: Spec) -> bool:
    lines = (line.strip() for fence in spec.validation for line in fence.content.splitlines())
    return any(line and not line.startswith("#") for line in lines)


def _check_steps(spec: Spec) -> Iterator[Problem]:
    if not _VAGUE.search(spec.task):
        return
    steps = spec.task.split("\n")
    for row, line in enumerate(_blank_code(spec.task).split("\n")):
        vague_words = dict.fromkeys(match.group().lower() for match in _VAGUE.finditer(line))
        if vague_words:
            quoted = ", ".join(f'"{word}"' for word in vague_words)
            message = f"a step is vague: {quoted}: {_start(steps[row])}"
            hint = "say exactly which, how many and what"
            yield Problem(spec.line_in("task", row), "W403", message, hint)


def _start(step: str) -> str:
    """Return the start of a step, long enough to find it."""
    text = step.strip()
    return text if len(text) <= MAX_QUOTE else f"{text[: MAX_QUOTE - 1].rstrip()}…"


def _check_size(spec: Spec) -> Iterator[Problem]:
    word_count = len(_WORD.findall(spec.context))
    if word_count > MAX_CONTEXT_WORDS:
        message = f"the context has {word_count} words; keep it under {MAX_CONTEXT_WORDS}"
        yield Problem(spec.line_of("context"), "W404", message, "keep what the steps need")
    reads = dict.fromkeys(ref.path for ref in spec.reads())
    if len(reads) > MAX_FILES_READ:
        line = spec.reads()[0].line or spec.line_of("files")
        message = f"the task reads {len(reads)} files; it should read {MAX_FILES_READ} at most"
        hint = "quote the lines that are needed under Code Snippets, or split the task"
        yield Problem(line, "W405", message, hint)
    tokens = (spec.estimate.input_tokens or 0) + (spec.estimate.output_tokens or 0)
    if tokens > MAX_TOKENS:
        message = f"the estimate is {tokens:,} tokens; a task should take {MAX_TOKENS:,} at most"
        hint = "split the task, or move code with an edit script"
        yield Problem(spec.line_of("estimate"), "W406", message, hint)


def _check_placeholders(spec: Spec) -> Iterator[Problem]:
    """Yield the template's remains: an error for certain ones, otherwise a warning, at the first line."""
    title = spec.line_of("title")
    placeholders = list(find_placeholders(spec))
    if placeholders:
        message = f"the template was not filled in: {named_placeholders(placeholders)}"
        yield Problem(
            placeholders[0][0] or title, "E407", message, "fill it in, or delete the line"
        )
        return
    for line, path in islice(find_loose_paths(spec), 1):
        message = f"{path} looks like an example path from the template"
        yield Problem(line or title, "W418", message, "name the real file")


def _check_presence(spec: Spec) -> Iterator[Problem]:
    if not spec.criteria:
        hint = "list checkable criteria under `## Acceptance Criteria`"
        yield Problem(
            spec.line_of("criteria"), "W408", "the spec has no acceptance criterion", hint
        )
    if not _STEP.search(spec.task) and not spec.snippets:
        fault = "names no step" if spec.task.strip() else "is missing or empty"
        hint = "write numbered steps, each with its file and lines"
        yield Problem(spec.line_of("task"), "W409", f"the Task section {fault}", hint)


def _check_protected(spec: Spec, protected: Sequence[str]) -> Iterator[Problem]:
    patterns = (*protected, *spec.options.protected)
    first = {ref.path: ref for ref in reversed(spec.writes())}
    for path in dict.fromkeys(ref.path for ref in spec.writes()):
        is_guarded = fold(path) == fold(spec.path) or is_protected(path, patterns)
        if is_guarded and not check_path(path):
            kind = "a spec" if is_spec_path(path) else "protected"
            hint = "make that change by hand and remove the file from the list"
            line = first[path].line or spec.line_of("files")
            yield Problem(line, "E410", f"{path} is {kind}: no task may write it", hint)


def _check_unread(spec: Spec) -> Iterator[Problem]:
    """Yield lists and commands below unknown names; if no other file is listed, E212 names the lists instead."""
    for name, line in find_unread_lists(spec) if spec.writes() else ():
        message = f"`{name}` lists paths, but is not a known field"
        yield Problem(line, "W417", message, UNREAD_LIST.format(name))
    for name, line in _find_unread_commands(spec):
        message = f"the commands below `{name}` are not run"
        yield Problem(line, "W415", message, "call it `## Validation` to run them")


def _check_issues(spec: Spec) -> Iterator[Problem]:
    """Yield W419 if one task has headings of several issues."""
    if "issue" not in spec.task.casefold():
        return
    rows = enumerate(_blank_code(spec.task).split("\n"))
    headings = [(row, match["name"]) for row, line in rows if (match := _ISSUE.match(line))]
    names = list(dict.fromkeys(name for _, name in headings))
    if len(names) > 1:
        second = next(row for row, name in headings if name != names[0])
        message = f"{', '.join(names)} are done as one task"
        hint = "give each a heading `# Mini-Task N: Title` to make it a task of its own"
        yield Problem(spec.line_in("task", second), "W419", message, hint)


def _blank_code(text: str) -> str:
    """Return the text with fences, code spans and quotations blanked, line for line."""
    outside = "\n".join(blank_fences(text))
    return _QUOTED.sub(lambda match: "\n" * match.group().count("\n"), outside)


_NAME = lazy_pattern(
    r"(?is)(?!.*\b(?:reference|read|context|not|never|forbidden|off[- ]limits|out[- ]of|unchanged)\b)"
    r".*\b(?:files?|paths?|scope|targets?|touch\w*|deliverables?|modif\w+|creat\w+|edit\w*|chang\w+|affected)\b"
)
_CHECKS = lazy_pattern(
    r"(?i)\b(?:how to )?(?:verify|tests?|testing|test plan|checks?|validate)(?: it| commands?| steps?)?\b"
)
_TITLE = lazy_pattern(r"(?m)^(?: {0,3}#.*|.*\*\*.*|.*:[ \t]*)\r?$")
_UNDERLINE = lazy_pattern(r"(?m)^[ \t]*(?:=+|-+)[ \t]*\r?$")


UNREAD_LIST = "read `{}` as Files to Edit? Then call it `**Files to Edit**:`"
"""The hint for a list of paths under an unknown name."""


def find_unread_lists(spec: Spec) -> Iterator[tuple[str, int]]:
    """Yield the names, with their lines, of path lists that the parser read as prose."""
    for key, value in spec.extra:
        if _NAME.match(key) and _lists_paths(value):
            yield key, spec.line_of(f"extra.{key}")
    for section, text in (("context", spec.context), ("task", spec.task)):
        for name, row in _named_lists(text):
            yield name, spec.line_in(section, row)


def _lists_paths(markdown: str) -> bool:
    document = parse_document(normalise(markdown))
    top_blocks = blocks(document)
    if len(top_blocks) == 1 and top_blocks[0].kind == "paragraph":
        return _all_paths([markdown])
    return bool(top_blocks) and _is_path_list(document, top_blocks[0])


def _named_lists(text: str) -> Iterator[tuple[str, int]]:
    """Yield the names before lists of paths, with their rows."""
    if "\n" not in text or not _may_have_name(text, _NAME.match):
        return
    document = parse_document(normalise(text))
    for block, following in pairwise(blocks(document)):
        name = _name(block)
        if name and _NAME.match(name) and _is_path_list(document, following):
            yield name, block.end - 1


def _may_have_name(text: str, find: Callable[[str], object]) -> bool:
    """Return False if no heading, label or line ending in a colon can be a name that `find` matches."""
    return any(map(find, _TITLE.findall(text))) or _UNDERLINE.search(text) is not None


def _name(block: MarkdownBlock) -> str:
    """Return the name that a heading, or a paragraph before a list, gives to what follows."""
    last = block.text.rsplit("\n", 1)[-1].strip()
    if block.kind == "heading":
        return last.rstrip(": ")
    label = find_label(last)
    if label and not label[1]:
        return label[0]
    short = block.kind == "paragraph" and last.endswith(":") and len(last.split()) <= _MOST_WORDS
    return last.rstrip(": ") if short else ""


def _is_path_list(document: Document, block: MarkdownBlock) -> bool:
    if block.kind == "paragraph":
        return is_table(block.text) and "`" in block.text
    texts = bullets(document, block) if block.kind.endswith("_list") else ()
    return _all_paths([text.split("\n")[0] for text, _ in texts])


def _all_paths(texts: list[str]) -> bool:
    """Return True if there are texts and each certainly begins with a path."""
    refs = [parse_refs(text, action=FileAction.WRITE, line=0).refs for text in texts]
    return bool(refs) and all(
        item_refs and looks_like_path(item_refs[0].path.strip("`")) for item_refs in refs
    )


def _find_unread_commands(spec: Spec) -> Iterator[tuple[str, int]]:
    """Yield headings and labels such as `Verify` and `Tests` with commands below them, and their lines."""
    for section, text in (("context", spec.context), ("task", spec.task)):
        if _may_have_name(text, _CHECKS.search):
            yield from ((name, spec.line_in(section, row)) for name, row in _named_checks(text))


def _named_checks(text: str) -> Iterator[tuple[str, int]]:
    document = parse_document(normalise(text))
    name, row = "", 0
    for block in blocks(document):
        last = block.text.rsplit("\n", 1)[-1].strip()
        label = find_label(last) if block.kind == "paragraph" else None
        if block.kind == "heading" or label:
            name = label[0] if label else last.rstrip(": ")
            name, row = (name, block.end - 1) if _CHECKS.fullmatch(name) else ("", 0)
        spans = CODE.finditer(label[1]) if label else ()
        inline = any(looks_like_command(span[2].strip()) for span in spans)
        if name and (inline or _is_script(document, block)):
            yield name, row
            name = ""


def _is_script(document: Document, block: MarkdownBlock) -> bool:
    """Return True if the block is a fence marked as shell."""
    info = document.tokens[block.first].info.split() if block.kind == "fence" else []
    return bool(info) and info[0].casefold() in {"bash", "sh", "shell", "console", "zsh"}
