"""Expectations in plain words: `# Should be ~600 lines`, `# Expected output: "3 passed"`, `Line count is about 480`.

Only unambiguous wording is enforced. Any other remark that states a number is reported, so that it is not mistaken for
a check.
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.spec.model import Expectation, ExpectationKind
from minitask.spec.notes import DASH, is_wrapped
from minitask.spec.quantities import LINE_UNITS, parse_quantity

_LONGEST = 300
_SIGNS = (
    "should must shall need ought expect desired target wanted correct output print return give result count total"
    " lines exit fails no ~ ≈ ∼ < > ≤ ≥ → == about approx around roughly least most than exactly between"
)
_WORDS = tuple(_SIGNS.split())
_SUBJECT = r"(?:[A-Za-z`'\"][^.;:#]{0,60}?[\s(]+)?"
_INTRO = lazy_pattern(
    r"(?i)(?P<modal>"
    + _SUBJECT
    + r"(?:should|must|shall|ought\s+to|needs?\s+to)\s+(?:all\s+|both\s+|each\s+|now\s+|still\s+)?"
    r"(?P<verb>be|equal|print|output|show|display|say|see|return|give|yield|report|count|have|contain|list|read|total)s?\b"
    r"(?:\s+(?:is|of|that|be)\b)?\s*:?)\s*"
    r"|(?P<expected>(?:expect(?:ed|s|ing)?|desired|target|wanted|correct)"
    r"(?:\s+(?P<what>output|result|value|count|number\s+of\s+lines|number|size|length|line\s+count|lines?|total))?"
    r"\s*(?:is\b|to\s+be\b|of\b|:|=|[-=]+>|→)?)\s*"
    r"|(?P<output>(?:outputs?|prints?|returns?|gives?|result|line\s+count|count|total|lines)\s*"
    r"(?:is\b|:|=|(?=[~≈]|(?P<mark>[\"'`])[^\"'`]+(?P=mark)[\s.]*$))|[-=]+>|→|==)\s*"
    r"|(?P<approximate>(?=[~≈∼<>≤≥]|(?:about|approx|around|roughly|at\s+(?:least|most)|exactly|between"
    r"|no\s+(?:more|less|fewer)\s+than)\b))"
)
_PRINTED = frozenset({"print", "output", "say", "display"})
_QUOTED = lazy_pattern(
    r"(?:`(?P<code>[^`]+)`|\"(?P<double>[^\"]+)\"|'(?P<single>[^']+)'|“(?P<curly>[^”]+)”)"
)
_NOTHING = lazy_pattern(
    r"(?is)(?:no\s+(?:output|results?|matches|lines|hits)|nothing|empty|blank|none)\b(?:\s*[(,;.].*|\s+if\b.*)?"
)
_LITERAL = lazy_pattern(r"[^\s(),;]{1,60}[.]?")
_TEXT = lazy_pattern(r"[^\n]{1,80}")
_NEGATIVE = lazy_pattern(r"-[0-9]{1,12}[.]?")
_WORD_ONLY = lazy_pattern(r"[a-z]+")
_EXIT = lazy_pattern(
    r"(?is).{0,60}?\b(?:exits?|exit\s+(?:code|status)|return\s+(?:code|status))\s*(?:code|status)?\s*"
    r"(?:should\s+be|is|of|with|:|=)?\s*(?:code|status)?\s*(?P<code>[0-9]{1,3})\b(?![.0-9]).{0,60}"
)
_FAILS_BEFORE = lazy_pattern(
    r"(?i)(?:should\s+)?fails?\s+(?:before|without)(?:\s+(?:the|this)\s+(?:change|task))?[.]?"
)
_TO = r"(?:should|must|shall|(?:is\s+)?expected\s+to)\s+(?:now\s+)?"
_WHY = rf"[.]?(?:\s*(?:[:;,(]|{DASH}).*)?"
_FAILS = lazy_pattern(
    rf"(?is)(?:(?:it|this|the\s+\w+)\s+)?(?:{_TO}(?:fail|error|differ|raise(?=\s+\w*(?:Error|Exception)\b)|exit\s+(?:with\s+)?(?:an?\s+)?(?:error|non-?(?:zero|0)))"
    rf"|fails|exits?\s+(?:with\s+)?(?:an?\s+)?non-?(?:zero|0))(?:\s+(?:exit\s+)?(?:code|status))?(?:\s+(?:with\s+)?(?:an?\s+)?\w*(?:Error|Exception)\b)?{_WHY}"
)
_ABSENT = lazy_pattern(
    rf"(?is)(?:.{{0,40}}\b)?(?:{_TO}(?:not|never)\s+"
    r"(?:match|exist|appear|be\s+(?:found|there|present|in\s+there)|find\s+(?:anything|it|any(?:\s+match(?:es)?)?))"
    rf"|{_TO}(?:match\s+nothing|find\s+(?:nothing|no\s+match(?:es)?)|be\s+(?:gone|removed|absent))"
    r"|(?:expect(?:ed)?:?\s+)?no\s+(?:match(?:es)?|hits)(?:\s+expected)?)"
    rf"(?:\s+(?:any\s?more|now|any\s+longer))?{_WHY}"
)
_NO_OUTPUT = lazy_pattern(r"(?i)no\s+output(?:\s+expected)?[.]?")
_EARLIER = lazy_pattern(
    r"(?i)\b(?:before|until|at\s+first|initially|currently|without|unless|if|when|yet)\b"
)
_ANY_NUMBER = lazy_pattern(r"(?<![\w.-])[0-9]")
_PRINTS = lazy_pattern(
    r"(?i)(?:prints|returns|gives|outputs|shows|yields|reports)\s+[~≈]?\s*(?:[2-9]|[0-9]{2})"
)
_MODAL = lazy_pattern(r"(?i)\b(?:should|must|shall|expect(?:ed|s)?)\b|^\s*(?:~|≈|=+>|→)")
_NO_NUMBER_VERB = lazy_pattern(
    r"(?i)\b(?:should|must|shall)\s+(?:exist|pass|succeed|fail|work|compile|import)\b"
)


class Remark(Struct, frozen=True):
    """An expectation in the plain words of a comment or a criterion.

    `unit` is the word after the number, in lower case; `bare`: the remark contains nothing else; `below`: its wording
    usually follows the command; `plain`: the number is neither approximate nor exact; `tail`: it counts only at the end
    of a command that prints a count. A remark without an expectation states a number, or an output, that cannot be
    enforced. `absent`: the command should not find anything. `text`: it may be what the command is to print; `quoted`:
    it is in quotes.
    """

    expectation: Expectation | None
    unit: str = ""
    bare: bool = False
    returns: bool = False
    about_output: bool = False
    below: bool = False
    plain: bool = False
    tail: bool = False
    absent: bool = False
    text: str = ""
    quoted: bool = False


def _may_expect(text: str) -> bool:
    """Return True if the text is worth matching with the slow patterns."""
    lowered = text.casefold()
    return text[0].isdigit() or any(word in lowered for word in _WORDS)


def parse_remark(text: str) -> Remark | None:
    """Return the expectation of a comment, or None if it has none."""
    plain = text.strip().lstrip("#").strip()
    plain = plain[1:-1] if is_wrapped(plain) else plain
    comment = re.sub(r"\bzero\b", "0", plain, flags=re.IGNORECASE)
    if not comment or len(comment) > _LONGEST or not _may_expect(comment):
        return None
    failure = _failure(comment)
    if failure or _NO_NUMBER_VERB.search(comment):
        return failure
    exit_code = _EXIT.fullmatch(comment)
    bare_code = exit_code is not None and len(comment.split()) <= 4
    if exit_code and (bare_code or _MODAL.search(comment)):
        expectation = Expectation(ExpectationKind.EXIT, int(exit_code["code"]))
        return Remark(expectation, bare=True) if expectation.number < 256 else None
    intro = _INTRO.match(comment)
    if intro is None:
        return _bare_number(comment) or _unread(comment)
    introduced, unread = _introduced(intro, comment[intro.end() :].strip()), _unread(comment)
    if introduced and introduced.expectation is None and unread:
        return replace(introduced, tail=False)
    return introduced or unread


def _failure(comment: str) -> Remark | None:
    """Return a remark that the command must fail or find nothing, or None."""
    if _FAILS_BEFORE.fullmatch(comment):
        return Remark(Expectation(ExpectationKind.FAILS_BEFORE), bare=True, tail=True)
    if _NO_OUTPUT.fullmatch(comment):
        return Remark(Expectation(ExpectationKind.NO_OUTPUT), bare=True, tail=True)
    absent = _ABSENT.fullmatch(comment) is not None
    if not (absent or _FAILS.fullmatch(comment)) or _EARLIER.search(comment):
        return None
    return Remark(Expectation(ExpectationKind.FAILS), bare=True, tail=True, absent=absent)


def _bare_number(text: str) -> Remark | None:
    """Return a remark that is only a number, as in `wc -l a.py  # 600 lines`."""
    quantity = parse_quantity(text)
    if quantity is None or quantity.rest.strip(" .") or quantity.unit not in {"", *LINE_UNITS}:
        return None
    return Remark(quantity.expectation, quantity.unit, bare=True, plain=quantity.plain, tail=True)


def _unread(text: str) -> Remark | None:
    """Return a remark that cannot be enforced if the text has a number and words of an expectation."""
    stated = (_MODAL.search(text) and _ANY_NUMBER.search(text)) or _PRINTS.match(text)
    return Remark(None) if stated else None


def _introduced(intro: re.Match[str], remainder: str) -> Remark | None:
    verb = (intro["verb"] or "").casefold()
    below = intro["modal"] is None
    quantity = parse_quantity(remainder)
    if _NEGATIVE.fullmatch(remainder):
        expectation = Expectation(ExpectationKind.NUMBER, int(remainder.rstrip(".")))
        return Remark(expectation, bare=True, returns=verb == "return", below=below)
    if quantity is not None:
        return Remark(
            quantity.expectation,
            quantity.unit,
            bare=not quantity.rest.strip(" .;,)"),
            returns=verb == "return",
            below=below,
            plain=quantity.plain,
        )
    if verb in {"have", "contain", "list", "count"}:
        return None
    if _NOTHING.fullmatch(remainder):
        nothing = Expectation(ExpectationKind.NO_OUTPUT)
        return Remark(nothing, bare=True, below=below, text=remainder.rstrip("."))
    printed = verb in _PRINTED or (intro["what"] or "").casefold() == "output"
    printed = printed or (intro["output"] or "").casefold().startswith(("output", "print"))
    quoted = _QUOTED.match(remainder)
    if quoted and (printed or intro["output"] or verb in {"show", "see", "return", "give", "be"}):
        text = next(group for group in quoted.groups() if group is not None)
        return Remark(_contains(text), bare=True, below=below)
    is_word = remainder[-1:] != ":" and _WORD_ONLY.fullmatch(remainder)
    if printed and not is_word and _LITERAL.fullmatch(remainder):
        return Remark(_contains(remainder.rstrip(".")), bare=True, below=below)
    return _stated_text(remainder, is_output=printed, below=below)


def _stated_text(remainder: str, *, is_output: bool, below: bool) -> Remark | None:
    """Return the remark of a text that the command may have to print, or None."""
    plain = remainder.rstrip(".")
    quoted = _QUOTED.fullmatch(plain)
    text = next(filter(None, quoted.groups())) if quoted else plain
    text = text if _TEXT.fullmatch(text) else ""
    if is_output and remainder:
        return Remark(None, about_output=True, below=below, text=text, quoted=bool(quoted))
    return Remark(None, below=below, text=text, quoted=bool(quoted), tail=True) if text else None


def _contains(text: str) -> Expectation:
    return Expectation(ExpectationKind.CONTAINS, text=text)
