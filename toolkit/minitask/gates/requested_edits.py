"""Read from a sentence of a task which definitions it changes, removes, renames or replaces by others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from minitask.gates.requested_work import (
    CLAUSE,
    HELD_BACK,
    LATER,
    SPAN,
    SPANS,
    is_sure,
    name_of,
    names_of,
)
from minitask.patterns import lazy_pattern

_TARGET = (
    r"(?:the\s+)?(?:(?:body|end|start|top|beginning|signature)\s+of\s+)?(?:the\s+)?(?:(?:function|method|class)\s+)?"
    rf"(?P<spans>{SPAN})"
    r"(?=\s*(?:$|[.,;:)]|(?:function|method|class)\b|(?:to|with|by|when|if|so|and|as|before|after|from|in|of)\b))"
)
# Words before a place that make it that of something else.
_ELSEWHERE = (
    r"for|before|after|next to|(?:calls?|uses?|imports?|copies) (?:to|of)|references?|links?|tests?|support|access"
    r"|alias|that|which|by"
)
_OBJECT = rf"(?:(?!\b(?:{_ELSEWHERE})\b)[^;:\n]){{0,100}}?"
_IN = r"(?<!next )(?<!similar )(?<!due )\b(?:in|inside|within|at the (?:end|start|top|beginning) of)\s+"
_CHANGED = r"change\s+the\s+(?:default|message|text|name|signature|condition|loop|string|type|parameter|argument|value)"
_EDITS = (
    lazy_pattern(
        rf"(?i){CLAUSE}(?:add|insert|append|prepend|move)\b{_OBJECT}(?:{_IN}|\b(?:to|into)\s+){_TARGET}"
    ),
    lazy_pattern(
        rf"(?i){CLAUSE}(?:remove|delete|drop|move)\b{_OBJECT}(?:{_IN}|\bfrom\s+){_TARGET}"
    ),
    lazy_pattern(
        rf"(?i){CLAUSE}(?:print|log|raise|throw|return|replace|catch|close|open|wrap|sort|check|validate|handle|{_CHANGED})\b"
        rf"{_OBJECT}{_IN}{_TARGET}"
    ),
    lazy_pattern(
        rf"(?i){CLAUSE}(?:use|call)\s+(?:(?:the|an?)\s+)?(?:{SPAN}|[a-z ]{{3,30}}?)\s+{_IN}{_TARGET}"
    ),
    lazy_pattern(rf"(?i){CLAUSE}(?:{_CHANGED}|replace the body)\s+of\s+{_TARGET}"),
)
_MARKED = lazy_pattern(
    rf"(?i){CLAUSE}(?:(?:decorate|annotate|document|wrap the body of)\s+(?:the\s+)?(?:(?:function|method|class)\s+)?"
    r"|(?:add|write)\s+(?:an?\s+|the\s+|[a-z]+\s+){0,3}?(?:docstrings?|type (?:hints?|annotations?))\s+"
    r"(?:to|for|in|on)\s+(?:(?:all|the|parameters|arguments|of|function|method|class)\s+){0,5})(?P<spans>"
    rf"{SPAN})(?!\s*(?:class|module|package|file)?e?s?\s*['’])"
)
_MADE = lazy_pattern(
    rf"(?i){CLAUSE}(?:make|turn|convert)\s+(?:the\s+)?(?:(?:function|method|class)\s+)?(?P<spans>{SPAN})\s+(?:(?:in)?to\s+)?"
    r"(?:an?\s+)?(?:static|class|async|private|abstract|generic|property|dataclass|generator|return|raise|accept|take|print|log)\b"
)


def places_to_change(sentence: str) -> Iterator[str]:
    """Yield the definitions in which a sentence asks to add, replace or remove something."""
    for form in (_MARKED, _MADE, *_EDITS):
        for match in form.finditer(sentence):
            yield from names_of(match, sentence)


_PART = r"(?:function|method|class|constant|variable|type|interface|struct|enum|helper|test|field|property|key|setting)"
_REMOVED = lazy_pattern(
    rf"(?i){CLAUSE}(?:remove|delete|drop|get rid of|take out)\s+"
    r"(?:(?:the|an?|old|unused|deprecated|obsolete|legacy|dead|private|public|global|redundant|both|whole|entire"
    rf"|{_PART}(?:e?s)?|entr(?:y|ies)|properties)\s+)*+{SPANS}"
    rf"(?=\s*(?:$|[.,;:)]|{_PART}(?:e?s)?\b(?!['’])|(?:and|then|completely|entirely|altogether|too|as well|now)\b"
    r"|(?:from|in)\s+(?:the\s+(?:file|module|code|codebase|class)\b|`[\w./-]+\.\w+`)))"
)
_GOES = lazy_pattern(
    rf"(?i)(?P<spans>{SPAN})\s+(?:(?:is|are|must be|should be)\s+(?:to be\s+)?(?:removed|deleted|dropped)"
    r"|must go|goes away)\b"
)


def removals_asked_for(sentence: str) -> Iterator[str]:
    """Yield the names, or `Class.name`, of the definitions that a sentence removes."""
    for match in (*_REMOVED.finditer(sentence), *_GOES.finditer(sentence)):
        if is_sure(match, sentence):
            for span in re.findall(SPAN, match["spans"]):
                yield span.strip("` ").partition("(")[0]


_RENAMED = lazy_pattern(
    rf"(?i)\brenam(?:e|ing)\s+(?:(?:the|function|method|class|helper|type|interface)\s+)*(?P<old>{SPAN})"
    rf"(?:\s+(?:function|method|class))?\s+(?:to|into|as|->|→)\s+(?P<new>{SPAN})"
    r"(?=\s*(?:$|[.,;:)]|everywhere|throughout|in (?:all|every|the (?:code|module|file)|`[\w./-]+\.\w+`)|and\b))"
)
_EVERYWHERE = lazy_pattern(
    r"(?i)\b(?:replac|renam|chang)(?:e|ing)\s+(?:(?:all|every|each)\s+(?:the\s+)?(?:occurrences?|uses?|usages?|calls?|instances?"
    rf"|references?)\s+(?:of|to)\s+)(?P<old>{SPAN})[^`.;\n]{{0,20}}\b(?:with|by|to|into)\s+(?:[a-z]+\s+){{0,3}}(?P<new>{SPAN})"
)
_ALIAS = lazy_pattern(
    r"(?i)\b(?:alias\w*|deprecat\w*|backwards?|compatib\w*|keep\w*|still|old name)\b"
)


def renames_asked_for(sentence: str) -> Iterator[str]:
    """Yield the old names of the definitions that a sentence renames and does not keep in some form."""
    for match in _RENAMED.finditer(sentence):
        is_certain = not HELD_BACK.search(sentence[: match.start("old")])
        if is_certain and not _ALIAS.search(sentence) and not LATER.search(sentence):
            yield match["old"].strip("` ").partition("(")[0]


def names_replaced(sentence: str) -> Iterator[str]:
    """Yield the names of which a sentence replaces every use."""
    for match in _EVERYWHERE.finditer(sentence):
        old, new = name_of(match["old"]), match["new"]
        if old and old not in new and not HELD_BACK.search(sentence[: match.start("old")]):
            yield old
