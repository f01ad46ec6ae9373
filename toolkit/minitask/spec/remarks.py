"""Expectations in plain words: `# Should be ~600 lines`, `# Expected output: "3 passed"`, `between 400 and 500`.

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

DEFAULT_TOLERANCE = 10
"""Tolerance, in percent, of an approximate number if the remark states none."""

LINE_UNITS = frozenset({"line", "lines", "loc", "sloc"})
_DIGITS = 12
_ABOUT = r"(?:~|≈|∼|about|approximately|approx\.?|around|roughly|circa|ca\.?|close\s+to|nearly|some|or\s+so)"
_NUMBER = r"[0-9]{1,3}(?:[,_ \u00a0\u202f][0-9]{3})+(?![0-9])|[0-9]+"
_LOWER = r"at\s+least|(?:a\s+)?minimum(?:\s+of)?|min\.?|not?\s+(?:less|fewer)\s+than|>=|≥|=>"
_UPPER = (
    r"at\s+most|(?:a\s+)?maximum(?:\s+of)?|max\.?|not?\s+(?:more|longer)\s+than|up\s+to|within|<=|≤"
)
_ABOVE = r"more\s+than|greater\s+than|longer\s+than|over|above|>"
_BELOW = r"less\s+than|fewer\s+than|shorter\s+than|under|below|<"
_TOLERANCE = (
    r"\s*[(,]?\s*(?:±|\+\s*/\s*-|\+-|plus\s+or\s+minus|give\s+or\s+take)\s*"
    r"(?P<tolerance>[0-9][0-9,]*)\s*(?P<percent>%|percent\b)?(?:\s*lines?\b)?\s*\)?"
)
_QUANTITY = lazy_pattern(
    r"(?is)(?:a\s+total\s+of\s+|equal\s+to\s+|exactly\s+equal\s+to\s+)?"
    rf"(?:(?P<exact>exactly|precisely|=+)\s*)?(?:(?P<about>{_ABOUT})\s*)?"
    rf"(?:(?P<lower>{_LOWER})|(?P<upper>{_UPPER})|(?P<above>{_ABOVE})|(?P<below>{_BELOW}))?\s*"
    rf"(?P<between>between\s+)?(?:(?P<about2>{_ABOUT})\s*)?(?P<number>{_NUMBER})"
    rf"(?:\s*(?:[-–—]|\bto\b|\band\b|\bor\b)\s*~?(?P<high>{_NUMBER})(?![0-9.,-]*[0-9]))?"
    r"(?P<plus>\s*\+(?!\s*/?\s*-))?"
    rf"(?:{_TOLERANCE})?"
    r"(?![0-9]|[.,:/-][0-9]|\s*%|[A-Za-z]?[A-Za-z0-9]*[0-9]|-[A-Za-z])"
    r"(?:\s*(?P<unit>[A-Za-z][A-Za-z]*))?"
    r"(?P<more>\s+or\s+(?:more|above|longer|greater|fewer|less|below|shorter)\b)?"
    rf"(?:{_TOLERANCE.replace('<tolerance>', '<tolerance2>').replace('<percent>', '<percent2>')})?"
    r"(?P<rest>.*)"
)
_JOINT = lazy_pattern(r"(?i)\s*[,;]?\s*(?:and|but)?\s*")
_FILE_LENGTH = lazy_pattern(
    r"(?is)(?P<subject>(?:the\s+|a\s+|its\s+|total\s+|final\s+|new\s+|resulting\s+|each\s+|module\s+)*"
    r"(?:line\s+count|number\s+of\s+lines|file\s+(?:length|size)|file|module|length|size|total|it|`[^`]+`|[\w./-]+\.\w+)"
    r"(?:\s+(?:of|for|in)\s+(?:the\s+)?(?:file|module|`[^`]+`|[\w./-]+\.\w+))?)\s*"
    r"(?::|=|is\b|are\b|has\b|have\b|holds\b|contains\b|should\s+(?:be|have|contain)\b|must\s+(?:be|have)\b|stays\b|be\b)?"
    r"(?:\s+(?:between\s+)?(?:kept\s+)?)?\s*(?P<quantity>.*)"
)
_LENGTH_WORDS = lazy_pattern(
    rf"(?i)\bline\s+count\b|(?:{_ABOUT})\s*(?:{_NUMBER})(?:\s*[-–]\s*(?:{_NUMBER}))?\s+lines\b"
)
_AFTER_LENGTH = lazy_pattern(
    r"(?i)\s*(?:long|of\s+code|in\s+(?:total|all|length)|total|each)?\s*(?:\([^()]*\))?[.;,]?\s*"
)


class Quantity(Struct, frozen=True):
    """A number with its bounds; `unit` is the word after it, `rest` the text after that."""

    expectation: Expectation
    unit: str
    rest: str
    plain: bool = False


def parse_quantity(text: str) -> Quantity | None:
    """Return the number at the start of a text such as `~600 lines (±50)`."""
    match = _QUANTITY.match(text)
    if match is None or len(match["number"]) > _DIGITS or len(match["high"] or "") > _DIGITS:
        return None
    unit = (match["unit"] or "").casefold()
    low = _integer(match["number"])
    high = _integer(match["high"]) if match["high"] else low
    if unit in {"k", "m"} or high < low:
        return None
    bound = _bound(match, low)
    if bound is not None:
        return _between(bound, unit, match["rest"]) or Quantity(bound, unit, match["rest"])
    tolerance = _tolerance(match, low=low, high=high)
    expectation = Expectation(ExpectationKind.NUMBER, (low + high + 1) // 2, tolerance)
    stated = ("tolerance", "tolerance2", "exact", "about", "about2", "high", "between")
    return Quantity(expectation, unit, match["rest"], plain=not any(match[key] for key in stated))


def _between(bound: Expectation, unit: str, remainder: str) -> Quantity | None:
    """Return the quantity between two bounds, as in `at least 550, at most 650`, or None without a second bound."""
    joint = _JOINT.match(remainder)
    second = parse_quantity(remainder[joint.end() :]) if joint else None
    kinds = {ExpectationKind.AT_LEAST, ExpectationKind.AT_MOST}
    if second is None or {bound.kind, second.expectation.kind} != kinds:
        return None
    low, high = sorted((bound.number, second.expectation.number))
    expectation = Expectation(ExpectationKind.NUMBER, (low + high) // 2, (high - low + 1) // 2)
    first_unit = "" if unit in {"and", "but"} else unit
    return Quantity(expectation, second.unit or first_unit, second.rest)


def with_default_tolerance(expectation: Expectation) -> Expectation:
    """Return the expectation with the default tolerance for a number of lines."""
    return replace(expectation, tolerance=expectation.number * DEFAULT_TOLERANCE // 100)


def _bound(match: re.Match[str], number: int) -> Expectation | None:
    """Return the one-sided expectation, such as `at least 5`, or None."""
    more = (match["more"] or "").casefold()
    if match["lower"] or match["plus"] or more.endswith(("more", "above", "longer", "greater")):
        return Expectation(ExpectationKind.AT_LEAST, number)
    if match["upper"] or more:
        return Expectation(ExpectationKind.AT_MOST, number)
    if match["above"]:
        return Expectation(ExpectationKind.AT_LEAST, number + 1)
    if match["below"]:
        return Expectation(ExpectationKind.AT_MOST, number - 1)
    return None


def _tolerance(match: re.Match[str], *, low: int, high: int) -> int:
    """Return how far the number may be off: as stated, a tenth for an approximate number, otherwise half the range."""
    half = (high - low + 1) // 2
    stated = match["tolerance"] or match["tolerance2"]
    if stated:
        number = _integer(stated)
        percent = match["percent"] or match["percent2"]
        return half + (high * number // 100 if percent else number)
    if match["exact"] or not (match["about"] or match["about2"]):
        return half
    return half + max(1, -(-high * DEFAULT_TOLERANCE // 100))


def _integer(digits: str) -> int:
    return int("".join(filter(str.isdigit, digits)))


def parse_length(criterion: str) -> tuple[str, Expectation | None] | None:
    """Return the subject and expectation of a criterion on a file's length, or None for any other criterion.

    The expectation is None if the criterion mentions a number of lines in wording that is not understood.
    """
    lowered = criterion.casefold()
    if "[" in criterion or ("line" not in lowered and "length" not in lowered):
        return None
    match = _FILE_LENGTH.match(criterion.strip().removeprefix("**").strip())
    quantity = parse_quantity(match["quantity"].strip()) if match else None
    if match and quantity:
        subject = match["subject"]
        is_count = "count" in subject.casefold() or "number" in subject.casefold()
        is_length = quantity.unit in LINE_UNITS or (is_count and not quantity.unit)
        if is_length and _AFTER_LENGTH.fullmatch(quantity.rest):
            expectation = quantity.expectation
            return subject, with_default_tolerance(expectation) if quantity.plain else expectation
    return ("", None) if _LENGTH_WORDS.search(criterion) else None


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


def parse_remark(text: str) -> Remark | None:
    """Return the expectation of a comment, or None if it has none."""
    plain = text.strip().lstrip("#").strip()
    plain = plain[1:-1] if is_wrapped(plain) else plain
    comment = re.sub(r"\bzero\b", "0", plain, flags=re.IGNORECASE)
    lowered = comment.casefold()
    may_expect = comment[:1].isdigit() or any(word in lowered for word in _WORDS)
    if not comment or len(comment) > _LONGEST or not may_expect:
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
