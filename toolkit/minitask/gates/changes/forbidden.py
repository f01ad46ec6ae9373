"""Find what a change does although the task says not to: "do not change `parse`", "do not use `eval`"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from minitask.gates.requested_removals import (
    has_name,
    rename,
    requested_renames,
    sentences_of,
    text_about,
    texts_about,
)
from minitask.gates.requested_work import SPAN, files_in, name_of, with_code
from minitask.gates.result import FileChange, LintError, last_line, printable
from minitask.gates.source.elisions import comment_text
from minitask.gates.source.parts import definition_named, is_code, parts_of_both
from minitask.gates.source.parts_text import SEPARATOR, NamedPart, Parts
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_TOUCH = r"(?:chang(?:e|ing)|touch(?:ing)?|modify(?:ing)?|edit(?:ing)?|alter(?:ing)?)"
_KIND = r"(?:functions?|methods?|class(?:es)?|constants?)"
_THING = (
    rf"(?:the\s+)?(?:existing\s+|public\s+|other\s+)?(?:(?:{_KIND}|body of|code of|code in)\s+)?"
)
_SPANS = rf"(?P<spans>{SPAN}(?:(?:\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or|nor)\s+)(?:the\s+)?{SPAN}){{0,9}}+)"
_END = rf"(?=\s*(?:$|[.,;:!)]|(?:{_KIND}|itself|in any way|at all|here|in this (?:task|step|change))\b(?!['’])))"
_NEVER = (
    r"(?:(?<!does )(?<!did )(?<!can )(?<!could )(?<!is )(?<!was )(?<!are )(?<!will )\b(?:not|never|without)"
    r"|\b(?:do|must|should)n['’]t)"
)
_NOT = rf"(?:{_NEVER}|\bavoid)\s+{_TOUCH}\s+"
_AS_IT_IS = r"(?:exactly\s+)?(?:as (?:it is|they are|is)|unchanged|untouched|alone|intact)\b"
_FORBIDDEN = lazy_pattern(rf"(?i){_NOT}(?:anything in\s+)?{_THING}{_SPANS}{_END}")
_LEFT_ALONE = lazy_pattern(rf"(?i)\b(?:leave|keep)\s+{_THING}{_SPANS}\s+{_AS_IT_IS}")
_STAYS = lazy_pattern(
    rf"(?i){_SPANS}\s+(?:(?:(?:must|should|has to|have to)\s+)?(?:stays?|remains?)\s+(?:{_AS_IT_IS}|the same\b)"
    r"|(?:must|should) not (?:be\s+)?(?:changed?|touched|modified|edited)\b)"
)
_SIGNATURE = lazy_pattern(
    rf"(?i)(?:{_NOT}|\b(?:keep|preserve)\s+)(?:the\s+)?"
    rf"(?:signatures? of {_THING}{_SPANS}|(?P<owner>{SPAN})['’]s signature\b)"
)
_ONLY = lazy_pattern(
    rf"(?i)(?:\b(?:only|just)\s+{_TOUCH}|\b{_TOUCH}\s+(?:only|just|nothing (?:but|except|else than)))\s+"
    rf"{_THING}{_SPANS}{_END}"
)
_EXISTING = lazy_pattern(
    rf"(?i){_NOT}(?:any\s+|the\s+|of the\s+)*existing\s+(?:{_KIND}|definitions|code|(?P<tests>tests|test cases))"
    r"\s*(?:$|[.,;:!)])"
)
_ELSE = lazy_pattern(
    rf"(?i){_NOT}(?:anything else|(?:any\s+|the\s+)*other\s+(?:{_KIND}|definitions|code|tests))\b"
    rf"|\b(?:leave|keep)\s+(?:everything|all) else\s+{_AS_IT_IS}|\b{_TOUCH}\s+nothing else\b"
)
_EXCEPT = lazy_pattern(
    r"(?i)\b(?:beyond|except|other than|apart from|unless|more than|yet|until|for now|if|when)\b"
)
_UNWANTED = lazy_pattern(
    rf"(?i)(?:{_NEVER}\s+(?:us(?:e|ing)|import(?:ing)?|call(?:ing)?|add(?:ing)?|introduc(?:e|ing))|\bavoid)\s+"
    rf"(?:(?:the|any|an?|[a-z]+)\s+){{0,2}}?{_SPANS}"
    r"(?=\s*(?:$|[.,;:!)]|(?:functions?|modules?|library|package|anywhere|at all|itself|in this file)\b))"
)
_STRING = lazy_pattern(r"\"[^\"\n]*\"|'[^'\n]*'")


def find_unwanted(file: FileChange, spec: Spec) -> Iterator[LintError]:
    """Yield the new uses of a name of which the task says not to use it."""
    for sentence in _limits(spec, file) if is_code(file.path) else ():
        if _EXCEPT.search(re.sub(SPAN, "`", sentence)):
            continue
        for match in _UNWANTED.finditer(sentence):
            for name in filter(None, map(name_of, re.findall(SPAN, match["spans"]))):
                had, has = (_uses(name, text) for text in (file.base or "", file.content))
                if len(has) > len(had):
                    message = f"it uses {printable(name)}, and the task says not to"
                    yield LintError(file.path, has[-1], message, "do it without")


def _uses(name: str, text: str) -> list[int]:
    """Return the lines of code that call, import or declare with a name."""
    word = re.escape(name)
    use = re.compile(
        rf"(?<!\w){word}(?:\s*\(|!\(|\.\w|\s+\w+\s*[=;])|\b(?:import|from|require|use)\b.*\b{word}\b"
        rf"|(?:[:<|]|\bas)\s*{word}\b(?!\s*:)"
    )
    rows = enumerate(text.split("\n"), 1)
    return [
        n for n, row in rows if comment_text(row) is None and use.search(_STRING.sub('""', row))
    ]


def find_forbidden(file: FileChange, spec: Spec) -> Iterator[LintError]:
    """Yield the definitions that the file changes or loses although the task says not to."""
    sentences = list(_limits(spec, file)) if file.base and is_code(file.path) else []
    if not sentences:
        return
    before, after = parts_of_both(file.path, file.base or "", file.content)
    about, renames = text_about(spec, file.path), requested_renames(spec, file.path)
    for sentence in sentences:
        for part, is_whole in _wanted(sentence, before, about):
            now = definition_named(part.shown, after)
            had = [rename(row, renames) for row in part.rows_of(file.base or "")]
            has = now.rows_of(file.content) if now else []
            if has != had and (is_whole or _head(has) != _head(had)):
                line = now.start if now else last_line(file.content)
                of = "" if is_whole else "the signature of "
                message = f"it changes {of}{printable(part.shown)}, which the task wants as it is"
                yield LintError(file.path, line, message, "leave it as it was")


def _limits(spec: Spec, file: FileChange) -> Iterator[str]:
    """Yield the sentences that may forbid something in the file."""
    texts = (*texts_about(spec, file.path), spec.context)
    for sentence in map(with_code, sentences_of(texts)):
        paths = files_in(sentence)
        if not paths or any(map(file.path.endswith, paths)):
            yield sentence


def _wanted(sentence: str, parts: Parts, about: str) -> Iterator[tuple[NamedPart, bool]]:
    """Yield the definitions that a sentence wants as they are, and whether that means more than their signatures.

    `about` is all that the spec says of the file: "everything else" is what it does not name.
    """
    if _EXCEPT.search(re.sub(SPAN, "`", sentence)):
        return
    for form in (_FORBIDDEN, _LEFT_ALONE, _STAYS):
        for match in form.finditer(sentence):
            yield from ((part, True) for part in _definitions(match["spans"], parts))
    for match in _SIGNATURE.finditer(sentence):
        spans = match["spans"] or match["owner"]
        yield from ((part, False) for part in _definitions(spans, parts))
    code = [part for part in parts if part.kind == "code" and part.start]
    existing = _EXISTING.search(sentence)
    if existing:
        is_meant = _is_test if existing["tests"] else bool
        yield from ((part, True) for part in code if is_meant(part))
    only = _ONLY.search(sentence)
    allowed = list(_definitions(only["spans"], parts)) if only else []
    if not only and _ELSE.search(sentence):
        allowed = [part for part in code if has_name(about, part.leaf)]
    if allowed:
        yield from ((part, True) for part in code if not _are_one(part, allowed))


def _is_test(part: NamedPart) -> bool:
    return "test" in part.name.lower()


def _definitions(spans: str, parts: Parts) -> Iterator[NamedPart]:
    names = (span.strip("` ").partition("(")[0] for span in re.findall(SPAN, spans))
    yield from filter(None, (definition_named(name, parts) for name in names))


def _head(rows: list[str]) -> str:
    """Return a definition's first lines, up to the one that opens its body, without white space."""
    ends = (at for at, row in enumerate(rows, 1) if row.rstrip().endswith((":", "{", "=>", "=")))
    return "".join("".join(rows[: next(ends, 1)]).split())


def _are_one(part: NamedPart, others: list[NamedPart]) -> bool:
    """Return True if a part is one of the others, within one, or around one."""
    path = part.name + SEPARATOR
    return any(
        path.startswith(f"{other.name}{SEPARATOR}") or f"{other.name}{SEPARATOR}".startswith(path)
        for other in others
    )
