"""Recognise lines that stand for omitted code: "... rest of the file unchanged".

Only a whole line that is one short phrase counts. Without dots, the phrase must name code and say that it is unchanged
or omitted; with dots, less is enough. Anything longer, or about something else, is prose. Where a change removes more
lines than it adds, a comment also counts if it starts with dots, is a word such as "omitted", or has words for both in
another language.
"""

from __future__ import annotations

import re
from functools import lru_cache

from minitask.gates.source.prefilters import may_elide
from minitask.patterns import lazy_pattern

LONGEST = 160
"""Characters above which a line is always prose."""

# Comment openers of any language, and comment closers.
_LEADER = lazy_pattern(
    r"(?i)\s*(?:\{/\*+|/\*+|//+!?|<!--+|<%#|<%--|\{#|\{\{!-*|#+|--+|;+|%+|\(\*|\*+(?=\s)|::|rem\s)"
)
_TRAILER = lazy_pattern(r"(?:\*+/\s*\}?|--+>|-*%>|#\}|-*\}\}|\*\))\s*$")
_DOTS = lazy_pattern(r"\.{3,}|…|(?:\. ){2,}\.")
# Brackets and quotes around words, without meaning here.
_AROUND = lazy_pattern(r"[()\[\]{}<>*_`\"“”']+")
# A spread or variadic parameter: three dots directly before a name.
_SPREAD = lazy_pattern(r"(?i)[({\[\s]*\.\.\.(?!unchanged|omitted)[a-z]\w*[,;:)}\]>\s]*")
# Characters that no note in words has: the line is code or data.
_CODELIKE = lazy_pattern(r"[=\"'`;]")
_BRACKETED = lazy_pattern(r"[(\[{<].*[)\]}>]")

_CODE = (
    r"(?:code(?:base)?|source|files?|modules?|functions?|methods?|class(?:es)?|imports|includes|implementations?|"
    r"logic|bod(?:y|ies)|definitions?|declarations?|scripts?|components?|handlers?|routes?|endpoints?|tests?|cases|"
    r"helpers?|utilities|constants|types?|interfaces?|structs?|enums?|hooks?|styles?|stylesheet|markup|jsx|html|"
    r"templates?|setup|boilerplate|contents?|document|sections?|lines?|statements?|members|config(?:uration)?s?|page|form|view)"
)
_DATA = (
    r"(?:fields?|properties|props|attributes|options|settings|values|entries|items|keys|param(?:eter)?s|arg(?:ument)?s|"
    r"state|variables|columns|rules|dependencies|elements|objects?|data|stuff|things|nodes|children|parts|steps|jobs|"
    r"services|tables|records|text|paragraphs|resources|blocks?)"
)
_ANY = rf"(?:{_CODE}|{_DATA})"
_OWN = r"code|bod(?:y|ies)|implementations?|methods?|functions?|imports|logic"
_IS = r"(?:(?:is|are|was|were|stays?|remains?|left|kept|goes?|continues?|will(?: be| stay| remain)?) )?"
_WHY = r"(?: for (?:brevity|clarity)| to save space)?"
# What a note says about omitted code: `_GONE` is clear by itself, `_HERE` needs dots or a subject.
_GONE = (
    rf"{_IS}(?:exactly )?(?:unchanged|untouched|unmodified|omitted|elided|snipped|not shown|intact|the same|identical|"
    rf"(?:the )?same as (?:before|above|(?:in )?the original)|as before|as it was)(?: here| as before)?{_WHY}"
)
_HERE = rf"{_IS}(?:here|below|above|follows?|continues?|as[ -]is|same|truncated|skipped|hidden|preserved){_WHY}"
_STATE = rf"(?:{_GONE}|{_HERE})"
_ALL = r"(?:(?:the|all|all of the|all the|your|our|this|any|and|plus|then|with|of) )*"
_KEEP = r"(?:(?:keep|leave|include|insert|add|copy|paste|put) )"
_REST = rf"{_ALL}(?:rest|remainder)"
_OF = r" of (?:the |this |your |its |that )?(?:[\w./-]+ ){0,2}?"
_OTHER = (
    rf"{_ALL}(?:other|remaining|existing|previous|original|unchanged|unmodified|omitted|current)"
)
_WORDS = r"(?: [\w./-]+){0,3}?"
_AND = rf"(?:(?:,| and| &| /|/) ?(?:[\w./-]+ ){{0,2}}{_ANY})*"

_CLAUSE = r"(?:if|when|while|where|unless|until|whether|since|because|for|but|so) "


def _any_of(*patterns: str) -> re.Pattern[str]:
    return lazy_pattern("|".join(patterns))


def _stems(words: str) -> re.Pattern[str]:
    return _any_of(*(stem.replace("_", " ") for stem in words.casefold().split()))


# Word stems for "the rest of the file" and for "unchanged" or "omitted"; `_` is a space.
_LEFT = _stems("""
其他 其余 其它 余下 剩下 剩余 以下 以上 原有 现有 其餘 剩餘 残り 以降 既存 上記 その他 나머지 기존 이하 остальн
остаток прежн решт інш rest ostatní reste suite demais demás existent übrig bestehend overig övrig zbytek zbyl pozosta
kalan diğer mevcut còn_lại sisa lainnya बाकी शेष بقية باقي بقیه שאר יתר υπόλοιπ többi maradék loput muu
""")
_ALIKE = _stems("""
不变 不變 省略 相同 一样 原样 无变化 保持 変更なし 同じ そのまま 동일 변경 그대로 유지 생략 без_измен без_змін
не_измен не_менял опущен sin_cambio sin_modific igual mism sem_altera sem_mudan permanec inalterad omitid inchangé
identique sans_modif sans_chang omis unverändert gleich wie_zuvor wie_vorher wie_bisher weggelassen gekürzt invariat
immutat uguale omess come_prima onveranderd ongewijzigd hetzelfde blijft oförändra samma uendret uændret bez_zmian
niezmienion beze_změn stejn aynı değişm giữ_nguyên không_đổi không_thay tetap sama tidak_berubah वही समान अपरिवर्तित
कोई_बदलाव كما دون_تغيير بدون_تغيير بدون_تغییر همان ללא_שינוי αμετάβλητ ίδι neschimbat változatlan ennallaan
""")
_ALONE = lazy_pattern(
    r"snip(?:ped)?|cut|idem|ditto|etc|omitted|unchanged|same|see above|as above|同上|略|省略|以下略|中略|생략|dito"
)


_VERSION = (
    r"(?:(?:the|my|an?) )?(?:previous|earlier|last|first|original)"
    r" (?:reply|answer|response|version|message|file|one)"
)
_SUBJECT = r"(?:the |this )?(?:same )?(?:file|contents?|code)"
_NO_CONTENT = _any_of(
    rf"(?:{_SUBJECT} )?(?:{_GONE}|not changed|not modified)(?: (?:from|in|as) {_VERSION})?",
    rf"(?:the )?(?:same|identical)(?: (?:file|contents?|code))? (?:as|to) (?:above|before|{_VERSION})",
    rf"(?:see|as|as in) (?:above|below|before|{_VERSION})",
    r"no (?:further )?changes?(?: (?:is |are )?(?:needed|required|necessary|here))?",
)
# Phrases that need no dots: each names code and says that it is unchanged or omitted.
_PLAIN = _any_of(
    rf"{_REST}(?:{_OF}{_CODE})? {_GONE}",
    rf"{_REST}{_OF}{_CODE} (?:goes )?(?:here|as[ -]is)",
    rf"{_OTHER}{_WORDS} {_CODE}{_AND} (?:{_GONE}|{_IS}here|{_IS}as[ -]is)",
    rf"(?:keep|leave) (?:{_OTHER}|{_REST} of){_WORDS} {_CODE}{_AND}(?: {_STATE})?",
    rf"(?:[\w./-]+ ){{0,2}}?(?:{_OWN}) {_GONE}",
    rf"everything else {_GONE}",
    r"(?:exactly )?(?:the )?same as before",
    rf"no (?:other |more |further )?changes (?:here|below|above|to the rest(?:{_OF}{_CODE})?)",
    r"omitted for (?:brevity|clarity)",
)
# Phrases that count after dots.
_DOTTED = _any_of(
    rf"{_KEEP}?{_REST}(?:{_OF}{_ANY})?(?:,? {_STATE})?",
    rf"{_KEEP}?{_OTHER}{_WORDS}(?: {_ANY}{_AND})(?:,? {_STATE})?",
    rf"{_KEEP}?everything else(?: {_STATE})?",
    rf"(?!{_CLAUSE})(?:[\w./-]+ ){{0,3}}?{_ANY} {_GONE}",
    r"(?:[\w./-]+ ){0,2}?(?:code|file) continues(?: (?:here|below|as before))?",
    rf"{_GONE}",
    rf"\d+ (?:more |other |unchanged |omitted )*lines(?: {_STATE})?",
    r"(?:no|nothing) (?:other |more |else |further )?change[sd]?(?: (?:here|below|above))?",
    r"snip(?:ped)?",
)
# Phrases that count with trailing dots only; many ordinary comments end in dots, so these are stricter.
_TRAILING = _any_of(
    rf"{_KEEP}?{_REST}{_OF}{_CODE}(?: {_GONE}| {_IS}here)?",
    rf"{_KEEP}?{_OTHER}(?: [\w./-]+){{0,2}}? {_CODE}{_AND}(?: {_GONE}| {_IS}here)?",
)
# Between dots on both sides, a word for code is enough: `// ... imports ...`.
_ENCLOSED = lazy_pattern(rf"(?:[\w./-]+ ){{0,2}}?{_CODE}|existing|unchanged|rest|same")


def is_elision(line: str) -> bool:
    """Return True if the line, in any language, is only a comment or note that elides code."""
    if len(line) > LONGEST or not may_elide(line) or is_example(line):
        return False
    inner = comment_text(line)
    if inner is not None:
        return _tells(inner, plain=True)
    bare = line.strip()
    return not _CODELIKE.search(bare) and _tells(bare, plain=bool(_BRACKETED.fullmatch(bare)))


def is_note(line: str) -> bool:
    """Return True if the line says that code is omitted, with or without comment markers."""
    if len(line) > LONGEST or not may_elide(line) or is_example(line):
        return False
    bare = line.strip()
    return is_elision(line) or (not _CODELIKE.search(bare) and _tells(bare, plain=True))


def is_no_content(text: str) -> bool:
    """Return True if all that a file holds is a line about another version of it, such as "(unchanged)"."""
    rows = [row for row in text.split("\n") if row.strip()]
    if len(rows) != 1 or len(rows[0]) > LONGEST:
        return False
    bare = _AROUND.sub("", _LEADER.sub("", rows[0], count=1))
    return _NO_CONTENT.fullmatch(bare.strip(" .!:-#*_").casefold()) is not None


def may_replace_code(line: str) -> bool:
    """Return True if the comment stands for code, given that the change removes more lines there than it adds."""
    inner = comment_text(line) if len(line) <= LONGEST else None
    if not inner:
        return False
    text = inner.casefold().strip(" -=~#!:;,()[]<>*_`")
    if _DOTS.match(text) or _ALONE.fullmatch(text.strip(".…")):
        return True
    return _LEFT.search(text) is not None and _ALIKE.search(text) is not None


_EXAMPLE = lazy_pattern(r"\s*(?:#+|//[/!]?|\*|--+|;+|%+)\s{2,}(?:#|//|/\*|--|;|%|<!--)")


def is_example(line: str) -> bool:
    """Return True for a comment inside of a comment: it belongs to an example in the documentation."""
    return _EXAMPLE.match(line) is not None


@lru_cache(maxsize=2)
def rows_in_strings(text: str) -> frozenset[int]:
    """Return the lines that continue a string in three quotes, in which comments are examples; none without an end."""
    pieces, rows, line = text.split('"""'), set[int](), 1
    for number, piece in enumerate(pieces):
        first, line = line + 1, line + piece.count("\n")
        rows.update(range(first, line + 1) if number % 2 else ())
    return frozenset(rows) if len(pieces) % 2 else frozenset()


_WIDEST = 10_000
"""Characters of a line that no person wrote, whose end is not looked at."""


def comment_text(line: str) -> str | None:
    """Return the text of a comment that fills the line, or None if the line is not a comment."""
    match = _LEADER.match(line)
    if match and len(line) > _WIDEST:
        return line[match.end() :].strip()
    return _TRAILER.sub("", line[match.end() :]).strip() if match else None


def _tells(text: str, *, plain: bool) -> bool:
    if _SPREAD.fullmatch(text):
        return False
    dotted = " ".join(_DOTS.sub(" … ", _AROUND.sub(" ", text.lower())).split()).strip(" -=~#!:;.,")
    before, behind = dotted.startswith("…"), dotted.endswith("…")
    phrase = " ".join(dotted.replace("…", " ").split()).strip(" -=~#!/:;.,")
    if before and behind and _ENCLOSED.fullmatch(phrase):
        return True
    if before and _DOTTED.fullmatch(phrase):
        return True
    if behind and _TRAILING.fullmatch(phrase):
        return True
    return (plain or behind) and bool(_PLAIN.fullmatch(phrase))
