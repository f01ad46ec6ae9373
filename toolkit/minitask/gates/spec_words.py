"""What a spec's sentences ask for, word by word: which text may go from a prose file, and which may be added."""

from __future__ import annotations

import re
from collections.abc import Iterable

from minitask.gates.requested_removals import code_spans, has_loss_word, task_sentences, told_texts
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_WORD = lazy_pattern(r"[^\W_]+(?:['’][^\W_]+)?")
_STOP = frozenset(
    re.split(
        r"\s+",
        "about after all also and any are before but change each every file files first following for from "
        "have here into its last line lines make must new none not now only other same section should text "
        "than that the their them then there these they this those update value what when where which with "
        "word words your",
    )
)
_ENGLISH = lazy_pattern(r"\b(?:the|to|of|in|an?|and|from|with|for|it|is|are)\b", re.IGNORECASE)
_ADDS = lazy_pattern(
    r"\b(?:add(?:s|ed|ing)?|append\w*|prepend\w*|insert\w*|writ(?:e|es|ing|ten)|document\w*|mention\w*|describ\w*|notes?"
    r"|includ\w+|extend\w*|introduc\w+|stat(?:e|es|ing)|explain\w*|list\w*|say(?:s|ing)?|rewrit\w+|rewrote|updat\w+"
    r"|translat\w+|expand\w*|creat\w+|put|begin\w*|start\w*|end(?:s|ing)?|header|footer|title|heading|intro\w*"
    r"|paragraphs?|sentences?|links?|banner|notice|warning|section)\b",
    re.IGNORECASE,
)
_FIXES = lazy_pattern(
    r"\b(?:fix\w*|bugs?|fail\w*|wrong\w*|errors?|correct\w*|leak\w*|crash\w*|debug\w*|prints?|logging|typos?|speed|faster"
    r"|improv\w+|optimi[sz]\w+|implement\w*|repair\w*|broken|warnings?|lint|format\w*|style|updat\w+|upgrad\w+|stop\w*"
    r"|avoid\w*|handl\w+|support\w*|allow\w*|prevent\w*|moderni[sz]\w+|us(?:e|es|ing)|adapt\w*)\b",
    re.IGNORECASE,
)


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return [found[0].lower() for found in _WORD.finditer(text)]


def telling_words(text: str) -> frozenset[str]:
    """Return the words of a text that can name something."""
    return frozenset(word for word in words_of(text) if len(word) > 3 and word not in _STOP)


def told(spec: Spec, path: str) -> str:
    """Return all that a spec says of its task and of a file, with its snippets."""
    fences = (fence.content for fence in spec.snippets)
    return "\n".join((*told_texts(spec, path), spec.context, *fences))


def asks_to_add(spec: Spec, path: str) -> bool:
    """Return True if a spec asks for sentences, or for anything else to be added."""
    return any(_ADDS.search(text.replace(path, "")) for text in told_texts(spec, path))


def asks_to_mend(spec: Spec, path: str) -> bool:
    """Return True if a spec asks for a fault to be mended, whatever lines that takes."""
    return any(_FIXES.search(text.replace(path, "")) for text in told_texts(spec, path))


def may_go(spec: Spec, path: str, lines: Iterable[str], *, heading: str = "") -> bool:
    """Return True if a sentence of the spec asks for lines of prose to go, by their words or their section's name."""
    removed = [line for line in lines if line]
    text = "\n".join((heading, *removed))
    own = telling_words(text)
    said = told(spec, path)
    if removed and all(line in said for line in removed):
        return True
    return any(
        _asks_for(sentence.replace(path, ""), text, own, heading)
        for sentence in task_sentences(spec, path)
    )


def _asks_for(sentence: str, text: str, own: frozenset[str], heading: str) -> bool:
    if has_loss_word(sentence):
        named = telling_words(sentence) & own
        return bool(named) or any(span in text for span in code_spans(sentence) if span.strip())
    if _ENGLISH.search(sentence):
        return False
    spans = any(span in text for span in code_spans(sentence) if span.strip())
    title = heading.strip("#= *").lower()
    return spans or (bool(title) and title in sentence.lower())
