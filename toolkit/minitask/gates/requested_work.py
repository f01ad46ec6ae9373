"""Read from a sentence of a task what it asks for in so many words: names, texts, moves, places, removals.

Only what is certain counts: the imperative, with its object in backticks or certainly a name (`max_size`, `parse()`).
`requested_removals` reads the same sentences widely, since it decides what a change may do, not what it must.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import splitext

from minitask.patterns import lazy_pattern
from minitask.words import word_set

SPAN = r"`[^`\n]+`"
"""A code span."""
SPANS = rf"(?P<spans>{SPAN}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+)(?:(?:an?|the)\s+)?{SPAN}){{0,9}}+)"
CLAUSE = r"(?:^[\W\d]*|[:;,.\u2014\u2013]\s+|\b(?:and|then|also|please|must|should|to|finally|next|now)\s+)"
# Words between a verb and its object, without those that begin another phrase.
_BETWEEN = (
    r"(?:(?!(?:to|for|in|of|from|with|on|at|into|onto|before|after|around|like|using|by|that|which|via|per|as|under|over"
    r"|about|against|near|beside|below|above|inside|within|behind|between|alongside|next|message|label|or)\b)"
    r"(?![a-z]+ing\s(?<!missing\s))[a-z][a-z-]*\s+){0,5}+"
)
_NOUN = r"(?:parameter|argument|option|flag|field|property|attribute|key|column|method|function|class|constant)"
_ADDED = lazy_pattern(
    rf"(?i){CLAUSE}(?:add|create|define|implement|introduce|write|declare|export|append|insert|register|import|call)\s+"
    rf"(?:(?:to|in)\s+(?:the\s+[a-z]+\s+)?{SPAN},?\s+)?{_BETWEEN}{SPANS}"
)
_ADDED_ABROAD = lazy_pattern(
    r"(?i)(?:\b(?:füge|ergänze|erstelle|schreibe|implementiere|definiere|ajoute[rz]?|crée[rz]?|implémente[rz]?|añad[ei]r?"
    r"|agreg(?:a|ue)r?|cre(?:a|e)r?|implement(?:a|e)r?|adicion[ae]r?|aggiung(?:i|ere)|добав\w+|созда\w+|реализ\w+)\s|添加|新增|创建"
    rf"|实现|追加|作成|実装|추가|구현)[^`\n]{{0,30}}(?P<spans>{SPAN})"
)
_TAKES = (
    r"(?:^[\W\d]*(?:give|extend|make|let|have|accept|support|take|provide)\b[^\n]*?"
    rf"|\bthere (?:should|must|has to) be\s+|{SPAN}\s+(?:also\s+)?(?:gets|needs|gains|receives|takes|accepts)\s+)"
    r"\b(?:an?|another|new)\s+(?:[a-z-]+\s+){0,2}?"
)
_NEW = lazy_pattern(rf"(?i){_TAKES}{_NOUN},?\s+(?:(?:named|called)\s+)?(?P<spans>{SPAN})")
_NEW_NAME = lazy_pattern(rf"(?i){_TAKES}(?P<spans>{SPAN})\s+{_NOUN}")
_REPLACED = lazy_pattern(
    rf"(?i)\b(?:replace|swap|change|convert|switch|rename)\s[^`\n]{{0,40}}{SPAN}[^`.;\n]{{0,40}}"
    rf"(?:\b(?:with|by|to|for|into|as)|->|→)\s+(?:(?:an?|the|new|calls?|of|to)\s+){{0,3}}(?P<spans>{SPAN})"
)
_BECOMES = lazy_pattern(
    rf"(?i){SPAN}\s+(?:becomes|is (?:now )?(?:renamed to|called|replaced (?:by|with)))\s+"
    rf"(?:an?\s+|the\s+)?(?P<spans>{SPAN})"
)
_PREFERRED = lazy_pattern(
    rf"(?i)\buse\s+(?:the\s+)?(?P<spans>{SPAN})\s+(?:instead of|in place of|rather than)\b"
)
_RAISED = lazy_pattern(rf"(?i){CLAUSE}(?:raise|throw)\s+(?:an?\s+|the\s+)?(?P<spans>{SPAN})")
_FLAG = lazy_pattern(
    rf"(?i){CLAUSE}(?:support|accept|handle|honou?r)\s+{_BETWEEN}(?P<spans>`--[^`\n]+`)"
)
_USED = lazy_pattern(
    rf"(?i)(?:{CLAUSE}use\s+|\b(?:with|using|via)\s+)(?:the\s+|a\s+)?(?P<spans>{SPAN})"
)
_FORMS = (_ADDED, _ADDED_ABROAD, _NEW, _NEW_NAME, _REPLACED, _BECOMES, _PREFERRED, _RAISED, _FLAG)

HELD_BACK = lazy_pattern(
    r"(?i)\b(?:not|never|without|avoid|no|optional\w*(?!\s+(?:parameter|argument|field|property|key)\b)"
    r"|consider|may|might|could|can|either|maybe|example|e\.g|such as"
    r"|instance|exist\w*|missing|already|absent|present|unless|similar|equivalent|branch|tag|commit|issue|ticket"
    r"|nicht|kein\w*|pas|ne|não|non|не)\b|n['’]t\b|不|没"
)
"""Words before a name that make the request unsure, or one that is not about files."""
LATER = lazy_pattern(
    r"(?i)\b(?:later|(?:next|other|another|previous) (?:task|spec|step)s?|task \d+)\b"
)
_GOES_ON = lazy_pattern(
    r"(?:['’]s\b|-\w|\s*/|\s+or\b|\s+\(?(?:if|where|when)\s+(?:needed|necessary|possible))"
)
_NAME = lazy_pattern(
    r"(?:(?:async|export|default|pub|static|def|class|function|fn|func|const|let|var|type|interface|enum|struct)\s+)*"
    r"[@.#<\"']?(?:--)?(?P<name>[A-Za-z_$][\w$-]*(?:(?:\.|::|->|#)[A-Za-z_$][\w$-]*)*)[?!]?"
    r"(?:\(.*\)|\s*[=:].*|[\"']|\s*/?>)?;?"
)
_STRONG = lazy_pattern(
    r"@[\w.]+(?:\(.*\))?|(?:[\w$]+[._][\w$.]+|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)(?:\(.*\))?"
)
"""What is certainly a name of code, not a word, a tool or a style."""
_IMPERATIVE = lazy_pattern(
    r"(?i)(?:[^\w`]|\d)*(?:add|use|write|create|implement|replace|read|parse|log|print|sort|wrap|decorate|mark|render|build|format|join"
    r"|open|load|store|save|compute|validate|check|test|call|convert|guard|protect|make|return|define|send|fetch|compare|encode"
    r"|decode|hash|escape|cache|annotate|register|in `[^`]+`)\b"
)
"""A sentence that begins with an order, so that `with` or `using` tells how."""
_TOLD_OF = lazy_pattern(r"(?i)\b(?:stop\w*|when|if|while|where|are|is|was|were|has|have|fail\w*)\b")
"""Words by which a sentence tells what is so, before `with` or `using`."""
_BUILT_IN = word_set("""
none null nil true false undefined self this int str string dict list tuple set bool boolean number float object array
snake_case screaming_snake_case upper_case lower_case camelcase pascalcase kebab-case title-case
""")
_LONGEST = 1_000
"""Characters of the longest sentence that is read: the patterns take quadratic time."""
_LEAST = 3
"""Fewest letters and digits of a name that is looked for."""
# A name that stands in prose without backticks, certainly a name: `max_size`, `parse()`.
_BARE = lazy_pattern(
    r"(?P<code>`[^`\n]*`)|\*+|(?<![\w./-])"
    r"(?P<name>[A-Za-z]\w*_\w+(?:\(\))?|[A-Za-z_]\w*\(\)|--[a-z][\w-]+)(?![\w/-]|\.\w)"
)
ENDINGS = word_set("""
.py .js .jsx .ts .tsx .mjs .cjs .go .rs .java .kt .rb .php .c .h .cc .cpp .hpp .cs .swift .md .rst .txt .json .yaml .yml
.toml .ini .cfg .env .css .scss .html .vue .svelte .sql .sh .xml .csv .lock .tf .proto
""")
"""Endings by which a code span is a file."""
_FILE = lazy_pattern(r"`([\w./-]+\.\w+)`")


def with_code(sentence: str) -> str:
    """Return a sentence without marks of emphasis, with backticks around the names that stand without.

    One that is longer than any that a person writes says nothing.
    """
    if len(sentence) > _LONGEST:
        return ""

    def written(match: re.Match[str]) -> str:
        return match["code"] or (f"`{match['name']}`" if match["name"] else "")

    return _BARE.sub(written, sentence)


def files_in(sentence: str) -> list[str]:
    """Return the code spans of a sentence that are files."""
    return [name for name in _FILE.findall(sentence) if splitext(name)[1].lower() in ENDINGS]


def folded(text: str) -> str:
    """Return the letters and digits of a text in lower case, so that `max-size` is found in `maxSize`."""
    return re.sub(r"[\W_]+", "", text).lower()


def names_asked_for(sentence: str) -> Iterator[str]:
    """Yield the names that a sentence asks to write, to raise, to call, or to use in place of others."""
    for form in _FORMS:
        for match in form.finditer(sentence):
            yield from names_of(match, sentence)
    for match in _USED.finditer(sentence) if _IMPERATIVE.match(sentence) else ():
        is_told = _TOLD_OF.search(sentence, 0, match.start("spans")) is not None
        if _STRONG.fullmatch(match["spans"].strip("`")) and not is_told:
            yield from names_of(match, sentence)


def names_of(match: re.Match[str], sentence: str) -> Iterator[str]:
    """Yield the names in the code spans that a form has matched, if the sentence is sure of them."""
    if is_sure(match, sentence):
        yield from filter(None, map(name_of, re.findall(SPAN, match["spans"])))


def is_sure(match: re.Match[str], sentence: str) -> bool:
    """Return True if no word makes a request unsure, or one of another task."""
    end = match.end("spans")
    plain = re.sub(SPAN, "`", sentence[:end])
    is_held_back = HELD_BACK.search(plain) or LATER.search(sentence)
    return is_held_back is None and _GOES_ON.match(sentence, end) is None


def name_of(span: str) -> str:
    """Return the name that a code span is or defines; empty if it is a file, a built-in type or other code."""
    code = span.strip("` ")
    match = _NAME.fullmatch(code)
    if match is None or splitext(code)[1].lower() in ENDINGS:
        return ""
    name = re.split(r"\.|::|->|#", match["name"])[-1]
    is_usual = len(folded(name)) < _LEAST or name.lower() in _BUILT_IN
    return "" if is_usual else name


_REWORDED = lazy_pattern(
    r"(?i)\b(?:change|set|update|rename|reword|correct|replace)\s[^\"\n]{0,60}(?:\"[^\"\n]+\"[^\"\n]{0,40})?\b(?:to|with|by|into)\s+"
    r"`?\"(?P<text>[^\"\n{}<>%$\\\d]{3,80})\""
)
_TITLED = lazy_pattern(
    rf"(?i){CLAUSE}(?:add|create|insert|write|append)\s+(?:(?:an?|the|new|[a-z-]+)\s+){{0,3}}?"
    r"(?:section|heading|subsection|chapter|title|row|column|entry|link|button|label|tab|item|note|warning)\s+"
    r"(?:(?:named|called|titled|label?led|with the (?:title|text|heading))\s+)?"
    r"[`\"“](?:#{1,6} )?(?P<text>[^\"”`\n{}<>%$\\]{3,80})[\"”`]"
)
_GAP = lazy_pattern(r"\b[A-Z]{3,}\b|\.\.\.|…")
"""A word in a text that stands for another one, such as `NAME`."""
_EXACT = lazy_pattern(
    r"(?i)\b(?:(?:bump|update|upgrade|pin|(?:set|change|raise)\s+(?:the\s+)?version)\s+(?:[^\s;:]+\s+){0,6}?to\s+(?:version\s+)?"
    r"[`\"v^~=]{0,3}(?P<version>\d+\.\d+(?:\.\d+)?)\b(?!\s*(?:%|[kmgt]?i?b\b|ms\b|s\b|sec|min|hour|px|r?em\b|x\b|style|times))"
    r"|(?:links?|points?|redirects?)\s+(?:[a-z]+\s+){0,3}?to\s+[`<]?(?P<url>https?://[^\s`>)]+[\w/]))"
)


def texts_asked_for(sentence: str) -> Iterator[str]:
    """Yield the texts that a sentence asks for in quotes, without numbers and placeholders, and titles."""
    for form in (_REWORDED, _TITLED):
        for match in form.finditer(sentence):
            text = match["text"]
            has_gap = _GAP.search(text) is not None and not text.isupper()
            is_held_back = HELD_BACK.search(sentence[: match.start("text")]) is not None
            if not is_held_back and not has_gap and len(folded(text)) >= _LEAST:
                yield text


def exact_texts_asked_for(sentence: str) -> Iterator[str]:
    """Yield the versions to which a sentence raises something, and the addresses to which it links."""
    for match in _EXACT.finditer(sentence):
        if not HELD_BACK.search(sentence[: match.end()]):
            yield match["version"] or match["url"]


_PATH = r"`(?P<path>[\w./-]+\.\w+)`"
_VERB_OF_ADDING = r"(?:add|create|define|implement|introduce|write|declare|append|insert|move|copy)"
_PUT = lazy_pattern(
    rf"(?i){CLAUSE}{_VERB_OF_ADDING}\s+{_BETWEEN}{SPANS}(?:\s+[a-z]+){{0,3}}?\s+(?:to|in|into)\s+"
    rf"(?:(?:the|a|new|file|module)\s+){{0,3}}{_PATH}"
)
_PUT_IN = lazy_pattern(
    rf"(?i)(?:^[\W\d]*|\bin\s+)(?:the file\s+)?{_PATH}\s*[:,]\s+{_VERB_OF_ADDING}\s+{_BETWEEN}{SPANS}"
)
_HAS = lazy_pattern(
    rf"(?i){_PATH}\s+(?:now\s+|must\s+|should\s+)?(?:has|have|contains?|holds?|defines?|exports?|mentions?|lists?|includes?|declares?)"
    rf"\s+{_BETWEEN}{SPANS}"
)
_LACKS = lazy_pattern(
    rf"(?i){_PATH}\s+(?:no longer|does not|must not|should not|doesn['’]t)\s+(?:has|have|contains?|uses?|imports?"
    rf"|mentions?|calls?|defines?)\s+(?:any\s+)?{_BETWEEN}{SPANS}"
)


def names_in_files(sentence: str) -> Iterator[tuple[str, str]]:
    """Yield the names that a sentence wants in a file, each with that file."""
    for form in (_PUT, _PUT_IN, _HAS):
        for match in form.finditer(sentence):
            yield from ((name, match["path"]) for name in names_of(match, sentence))


def names_not_in_files(sentence: str) -> Iterator[tuple[str, str]]:
    """Yield the names that a sentence no longer wants in a file, each with that file."""
    for match in _LACKS.finditer(sentence):
        if not _GOES_ON.match(sentence, match.end("spans")):
            for span in re.findall(SPAN, match["spans"]):
                yield from ((name, match["path"]) for name in filter(None, [name_of(span)]))


_TESTED = lazy_pattern(
    rf"(?i){CLAUSE}(?:add|write|create)\s+(?:[a-z]+\s+){{0,3}}tests?\s+"
    rf"(?:for|of|covering|that (?:covers?|checks?|tests?))\s+(?:(?:the\s+)?[a-z]+\s+)?{SPANS}"
)


def names_to_test(sentence: str) -> Iterator[str]:
    """Yield the names for which a sentence asks tests."""
    for match in _TESTED.finditer(sentence):
        yield from names_of(match, sentence)
