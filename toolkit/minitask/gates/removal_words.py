"""The words by which a sentence of a spec asks for removal, replacement or a shorter text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, splitext

from minitask.gates.foreign_requests import in_english
from minitask.patterns import lazy_pattern

# Words that ask for removal or for rewriting. The ambiguous ones count unless an article or preposition before them
# makes them nouns.
_LESS = lazy_pattern(
    r"(?i)\b(?:remov(?:e[sd]?|ing|al)|delet(?:e[sd]?|ing|ion)|dropp(?:ed|ing)|mov(?:ed|ing)|extract\w*|splitting|shr[iua]nk\w*"
    r"|simplif\w+|re-?writ\w+|rewrote|emptie[sd]|emptying|de-?dup\w*|refactor\w*|restructur\w*|reorgani[sz]\w*"
    r"|rework\w*|redesign\w*|migrat(?:e[sd]?|ing)|consolidat\w+|inlin(?:e[sd]|ing)|unif(?:y|ie[sd])|collaps\w+|overhaul\w*"
    r"|from scratch|get rid|cut down|instead(?! of \d)|in place of|no longer|not needed|unused|obsolete|superseded"
    r"|redundant|eliminat\w+|factor(?:ed|ing)? out"
    r"|pull(?:ed|ing)? out|clear(?:s|ed|ing)? out|start(?:ing)? over|condens\w+|prun\w+)\b"
)
_NOUN = r"\s+(?!(?:the|its?|this|that|these|all|them|out)\b)[a-z]+\b"
_AMBIGUOUS = lazy_pattern(
    r"(?i)(?<!\ba )(?<!\ban )(?<!\bthe )(?<!\bfor )(?<!\bof )(?<!\bwith )(?<!\bnew )"
    rf"\b(?:drops?|moves?|splits?|(?:empty|inline)(?!{_NOUN})|merge[sd]?|merging|combin(?:e[sd]?|ing)"
    r"|clean(?:s|ed|ing)?(?: ?up)?"
    r"|port(?:s|ed|ing)?(?=\s+(?:it|them|this|the|all|our|from|everything)\b|\s+[^\s\d]\S*\s+(?:from|to|into)\b)"
    r"|convert(?:s|ed|ing)?|strip(?:s|ped|ping)?(?= (?:it|them|the file|everything|down)\b)"
    r"|trim(?:s|med|ming)?(?= (?:it|them|the|down|all|old|unused)\b)"
    r"|reduc\w+(?= (?:it|the file|duplicat|boilerplate|code|size)))\b"
)
_REPLACED = lazy_pattern(
    r"(?i)\b(?:replac(?:e[sd]?|ing)|(?P<change>chang(?:e[sd]?|ing)|turn(?:s|ed|ing)?|swap(?:s|ped|ping)?)|overwrit\w+)\s+"
    r"(?:(?:all|of|the|this|that|its|these|those|whole|entire|existing|old|current|present)\s+)*"
    r"(?:(?:it|them)(?!\s+(?:from|to|with|by)\s*+(?:[\d\W]|$))|files?|everything|contents?|text"
    r"|implementations?|modules?|body|bodies|pages?|style ?sheets?|scripts?"
    r"|documents?|class(?:es)?|code|sections?|functions?|methods?|rules|keys|lines|rows|entries|tables?|lists?|blocks?"
    r"|if|chain|prints?|loops?)\b(?(change)(?!\s+(?:of|for|in|on)\b))"
)
# Words that ask for a shorter text or a translation, together with their object.
_TEXT = (
    r"(?:(?:it|them|down|all|of|the|this|its|these|every|each|whole|entire|existing|long|verbose|module|class|function"
    r"|inline|`[^`]*`|\S+\.(?:md|txt|rst))\s+)*"
    r"(?:it|them|docs?|docstrings?|documentation|documents?|comments?|text|texts|prose|wording|read-?me|files?|pages?"
    r"|sections?|paragraphs?|introductions?|intro|descriptions?|sentences?|guides?|notes?|changelog|lists?|strings?"
    r"|labels?|messages?|\S+\.(?:md|txt|rst)|`[^`]*`)"
)
_SHORTER = lazy_pattern(
    rf"(?i)\b(?:shorten\w*|compress\w*|tighten\w*|abridg\w*|summari[sz]\w*|trim\w*|cut(?:ting)?|boil\w*|slim\w*|distil\w*"
    rf"|translat\w*|paraphras\w*|re-?phras\w*|re-?word\w*|streamlin\w*|edit down|polish\w*|modernis\w*|modernize\w*"
    rf"|reduc\w+|clean(?:s|ed|ing)?(?: ?up)?)\s+{_TEXT}(?!\w)"
    r"|\b(?:shorter|(?:more )?(?:concise|terse|succinct|compact)|one-?liners?|fewer (?:lines|words)"
    r"|half (?:as long|the length)|keep only|only keep|keep just|nothing but"
    r"|one (?:sentence|line|paragraph) (?:each|per))\b"
    r"|\b(?:at most|no more than|under|below|fewer than|less than)\s+\d+\s+(?:lines|words|sentences|paragraphs)\b"
    r"|\btranslat\w+\b[^.\n]{0,60}\b(?:in)?to\s+[A-Z][a-z]+"
)
# A sentence with one of these words asks for more than it names.
_VAGUE = lazy_pattern(
    r"(?i)\b(?:helpers?|unused|dead|everything|all|any|every|its|their|related|obsolete|duplicat\w*|rest|others?|entire|whole|old"
    r"|legacy|these|those|deprecated|code|functions|methods|classes|rules|sections|keys|lines|entries|rows|tests|parts"
    r"|implementations?|boilerplate|below|above|following|it|them|file)\b"
)
# A sentence that only adds to a name, or uses it, does not ask for its removal.
_ADDS = lazy_pattern(
    r"(?i)\b(?:add(?:s|ed|ing)?|append\w*|insert\w*|includ\w+|extend\w*|keep\w*|call(?:s|ed|ing)?|us(?:e[sd]?|ing)"
    r"|document\w*|test(?:s|ed|ing)?|like|leave|left|as in|after|before|below|above|next to|stays?"
    r"|unchanged|untouched|preserv\w+)\b"
)
# Clauses that tell when, and denied verbs, ask for nothing: "stop when the queue is empty", "do not remove it".
_CONDITION = lazy_pattern(r"(?i)\b(?:when(?:ever)?|if|unless|until|while)\b[^,;:.\u2014\n]*")
_DENIED = lazy_pattern(
    r"(?i)\b(?:not|never|\w+n['\u2019]t|cannot|without|nothing(?:\s+\w+)?)\s+(?:be\s+|to\s+)?"
    r"(?:remov|delet|drop|mov|renam|chang|replac|empt|los[ei]|re-?writ|clear|reset|strip|skip|disabl|ignor|refactor|simplif|clean)\w*"
)
_SPAN = lazy_pattern(r"`([^`\n]*)`|\"([^\"\n]{1,60})\"|“([^”\n]{1,60})”")


def code_spans(sentence: str) -> tuple[str, ...]:
    """Return the parts of a sentence in backticks or quotation marks."""
    return tuple(next(filter(None, match.groups()), "") for match in _SPAN.finditer(sentence))


def has_loss_word(sentence: str) -> bool:
    """Return True if the sentence asks to remove, replace or empty something."""
    return _has_any(sentence, _LESS, _AMBIGUOUS, _REPLACED, _EMPTIED)


def _has_any(sentence: str, *forms: re.Pattern[str]) -> bool:
    """Return True if the sentence has one of the forms outside of code and quotations."""
    plain = _DENIED.sub(" ", _SPAN.sub(" ", sentence))
    return any(form.search(plain) for form in forms)


def without_conditions(sentence: str) -> str:
    """Return the sentence without clauses that tell when it holds, and without verbs that it denies."""
    return _DENIED.sub(" ", _CONDITION.sub(" ", sentence))


_EMPTIED = lazy_pattern(
    r"(?i)\b(?:renam\w+|replac(?:e[sd]?|ing)|gone|without|empt\w+|blank|unset|reset|clear(?:s|ed|ing)?|null|stub\w*"
    r"|no-?ops?|do(?:es)? nothing|disabl\w+|trim\w*|cut|shorten\w*|out-?dated|stale|wip(?:e[sd]?|ing)|tick\w* off)\b"
)


def has_change_word(sentence: str) -> bool:
    """Return True if the sentence asks to remove, replace or change something."""
    return _has_any(sentence, _LESS, _AMBIGUOUS, _REPLACED, _CHANGED)


_CHANGED = lazy_pattern(
    r"(?i)\b(?:renam\w+|replac\w+|swap\w*|becomes?|into|set|sets|exactly|only|must not|should not|without|goes|gone)\b"
)


def asks_for_shorter(sentence: str) -> bool:
    """Return True if the sentence asks for a shorter text or a translation."""
    return _SHORTER.search(sentence) is not None and _TELLS_OUTPUT.match(sentence) is None


_TELLS_OUTPUT = lazy_pattern(
    r"(?i)\W*(?:\d+[.)]\W*)?(?:please\s+|also\s+|then\s+)*(?:add|implement|introduce|print|show|log|display)\b"
)


def has_adding_word(sentence: str) -> bool:
    """Return True if the sentence only adds to what it names, uses it, or says that it stays."""
    return _has_any(sentence, _ADDS) or _DENIED.search(sentence) is not None


def is_vague(sentence: str) -> bool:
    """Return True if the sentence asks for more than it names."""
    return _has_any(in_english(_SPAN.sub(_CODE, sentence)) or sentence, _VAGUE)


# What new code does is no request: "add a filter that removes all spaces", "`clean` drops every lock".
_ADDING = lazy_pattern(
    r"(?i)\W*(?:\d+[.)]\W*)?(?:please\s+|also\s+|then\s+)*(?:add|create|write|implement|introduce|define|provide)\b"
)
_CODE = "\u00a7"
_THIRD_PERSON = lazy_pattern(r"(?i)(?:\w*[^\W\ds]s)\b")
_CHANGE = lazy_pattern(
    r"(?i)\b(?:this|task|change|commit|step|patch|refactoring|spec)\s+(?:also\s+)?\Z"
)
_CLAUSE = lazy_pattern(r"(?i)(?:[,;:(\u2014\u2013]|\b(?:and|then|but|also))\s*\Z")
_OBJECT = lazy_pattern(
    rf"(?i)\s+(?:the|all|any|its|every|everything|old|unused|it|them|this|that|these|those|both|each)\b|\s*{_CODE}|\W*\Z"
)
_INSTEAD = lazy_pattern(
    r"(?i)(?:instead|in place of|from scratch|no longer|not needed|start\w* over)"
)
_IN_PLACE = lazy_pattern(r"(?i)(?:instead|in place of)")

_PART_NOUNS = """
api attribute block boilerplate chunk class code component constant definition endpoint everything feature field
function handler helper hook implementation interface leftover line list macro method module other paragraph rest row
rule section setting struct table test wrapper
"""
_PARTS = lazy_pattern(
    rf"(?i)\b(?:(?:{'|'.join(_PART_NOUNS.split())})(?:s|es)?|entr(?:y|ies)|propert(?:y|ies)|all else|what|duplicat\w*"
    r"|(?:unused|dead|obsolete|legacy|deprecated|redundant|old)\W*\Z)"
)
_WIDE = lazy_pattern(
    r"(?i)(?:re-?writ|rewrote|restructur|reorgani|rework|redesign|migrat|overhaul|from scratch|start)"
)
"""Verbs that mean all of what they are about."""
_STATES = lazy_pattern(r"(?i)(?:unused|obsolete|superseded|redundant|no longer|not needed)")
"""Words behind or before what is to go."""
_OBJECT_END = lazy_pattern(
    r"(?i)\b(?:from|in|on|for|with|by|to|into|so|that|which|instead|using|via)\b|[,;:.()]"
)
_ALL = lazy_pattern(
    r"(?i)\b(?:it|them|this|that|these|those|everything|down|files?|modules?|scripts?|documents?|docs|pages?|contents?|body)\b"
)
_NO_OBJECT = lazy_pattern(r"(?i)\W*(?:(?:up|out|a bit|a little|further|more|things)\W*)?")


def asks_to_remove(sentence: str) -> bool:
    """Return True if the sentence asks to remove or rewrite something, and does not only tell what code does."""
    return any(True for _ in _requests(_plain(sentence)))


def may_mean_any_part(sentence: str, path: str) -> bool:
    """Return True if a request to remove or rewrite something may mean any part of the file.

    It names the file, its verb means a whole, or its object is such a word, a word for parts, or missing.
    """
    plain = _plain(sentence)
    requests = [match for match in _requests(plain) if not _IN_PLACE.match(match[0])]
    is_named = bool(requests) and _names_file(sentence.lower(), path)
    return is_named or any(_means_any_part(match, plain) for match in requests)


def may_mean_any_line(sentence: str) -> bool:
    """Return True if a request may cost any number of lines: it rewrites, whatever its object is."""
    words = [match[0] for match in _requests(_plain(sentence))]
    return any(not _IN_PLACE.match(word) and not _TAKING.match(word) for word in words)


_TAKING = lazy_pattern(
    r"(?i)(?:remov|delet|drop|get rid|eliminat|clear|unused|obsolete|superseded|redundant|no longer|not needed)"
)


def _means_any_part(match: re.Match[str], plain: str) -> bool:
    word, rest = match[0], _OBJECT_END.split(plain[match.end() :], maxsplit=1)[0]
    if _WIDE.match(word) or (_NO_OBJECT.fullmatch(rest) and not _REPLACED.match(word)):
        return True
    about = plain if _STATES.match(word) else f"{word}{rest}"
    return any(form.search(about) is not None for form in (_PARTS, _ALL))


def _names_file(text: str, path: str) -> bool:
    name = basename(path).lower()
    stem = splitext(name)[0]
    return name in text or (
        len(stem) > 2 and re.search(rf"\b{re.escape(stem)}\b", text) is not None
    )


def _plain(sentence: str) -> str:
    """Return the sentence without code, conditions and denied verbs; in English if it asks so in another language."""
    uncoded = _SPAN.sub(_CODE, sentence)
    return without_conditions(in_english(uncoded) or uncoded)


def _requests(plain: str) -> Iterator[re.Match[str]]:
    """Yield the words with which a sentence asks to remove or rewrite something."""
    is_adding = _ADDING.match(plain) is not None
    for form in (_LESS, _AMBIGUOUS, _REPLACED):
        for match in form.finditer(plain):
            if _is_request(match, plain, is_adding=is_adding):
                yield match


def _is_request(match: re.Match[str], plain: str, *, is_adding: bool) -> bool:
    before, word = plain[: match.start()], match[0]
    if _INSTEAD.match(word):
        return True
    if _THIRD_PERSON.match(word):
        is_first = _CODE not in before and not any(map(str.isalpha, before))
        return is_first or _CHANGE.search(before) is not None
    is_clause = (
        _CLAUSE.search(before) is not None and _OBJECT.match(plain[match.end() :]) is not None
    )
    return is_clause or not is_adding


_EMPTYING = lazy_pattern(
    r"(?i)\b(?:empt\w+|blank\w*|clear\w*|wip(?:e[sd]?|ing)|truncat\w+|reset\w*|purg\w+|erase\w*|nothing)\b"
)
_TAKES_AWAY = lazy_pattern(
    r"(?i)\b(?:clean\w*|remov\w+|delet\w+|drop\w*|strip\w*|mov(?:e[sd]?|ing)|extract\w*|get rid|no longer)\b"
)
_WHOLE = lazy_pattern(
    r"(?i)\b(?:everything|contents?|(?:whole|entire)\s+\w+|the (?:file|text)|(?:all|its)\s+(?:of\s+)?(?:the\s+|its\s+)?"
    r"(?:lines|rows|text|content|contents|entries|data))\b"
)
_IT = lazy_pattern(r"(?i)\bit\b")


def asks_to_empty(sentence: str, path: str) -> bool:
    """Return True if a sentence asks to empty the file: it names the file, or says that all of it goes."""
    asked = without_conditions(sentence)
    if _EMPTYING.search(asked):
        is_named = _names_file(asked.lower(), path)
        return bool(is_named or _IT.search(asked) or _WHOLE.search(asked))
    return bool(_TAKES_AWAY.search(asked) and _WHOLE.search(asked))
