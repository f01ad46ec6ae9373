"""Decide which removals a spec asks for in a file: by its sentences, by the lines it cites, by its own edit script.

A sentence with a removal word asks for any removal if it names nothing, otherwise for that of the named parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from posixpath import basename

from minitask.edits.grammar import paths_written, script_of
from minitask.edits.script_model import Edit, EditScript, Operation, SearchReplace, Verb
from minitask.gates.removal_words import (
    asks_for_shorter,
    asks_to_remove,
    code_spans,
    has_adding_word,
    has_change_word,
    has_loss_word,
    is_vague,
    may_mean_any_line,
    may_mean_any_part,
)
from minitask.gates.source.parts_text import SEPARATOR, NamedPart
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec
from minitask.words import word_set

# Fenced or inline code, whose own words (`text.strip()`) ask for nothing.
FENCED = lazy_pattern(r"(?s)(`{3,}|~{3,}).*?\1")
_END = lazy_pattern(r"(?<=[\w`\"'”)\]])[.;!?](?=\s|$)|\n")
_PLAIN_WORD = lazy_pattern(r"[a-z]+|\w{1,2}")


def asks_for_less(spec: Spec, path: str) -> bool:
    """Return True if the spec asks to rewrite the file, or for removals in it that can be of any part."""
    sentences = _vague_requests(spec, path)
    return any(
        asks_for_shorter(sentence) or may_mean_any_part(sentence, path) for sentence in sentences
    )


def asks_for_something(spec: Spec, path: str) -> bool:
    """Return True if the spec asks for removals in the file without naming them, be they of a word."""
    return bool(_vague_requests(spec, path))


def asks_for_fewer_lines(spec: Spec, path: str) -> bool:
    """Return True if the spec asks to rewrite something in the file without naming it."""
    return any(may_mean_any_line(sentence) for sentence in _vague_requests(spec, path))


def _vague_requests(spec: Spec, path: str) -> list[str]:
    return [part for part in task_sentences(spec, path) if _asks_for_anything(part, path)]


def may_ask_for(spec: Spec, path: str, part: NamedPart) -> bool:
    """Return True if a request that names nothing has a word of the part's name."""
    words = [word.lower() for word in _NAME_WORDS.findall(part.name.replace(SEPARATOR, " "))]
    stems = {word[:_STEM] for word in words if len(word) >= _STEM}
    requests = " ".join(_vague_requests(spec, path)).lower()
    return any(stem in requests for stem in stems)


_STEM = 4
_NAME_WORDS = lazy_pattern(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def task_sentences(spec: Spec, path: str) -> tuple[str, ...]:
    """Return the sentences of the task and about the file, without fenced code."""
    return sentences_of(texts_about(spec, path))


def requested_renames(spec: Spec, path: str) -> dict[str, str]:
    """Return the new name of each name that the task renames, also in the case of a class."""
    pairs = [pair for sentence in task_sentences(spec, path) for pair in _RENAMES.findall(sentence)]
    return {_as_class(old): _as_class(new) for old, new in pairs} | dict(pairs)


def rename(text: str, renames: Mapping[str, str]) -> str:
    """Return the text with new names in place of old ones, also within longer names."""
    if not renames:
        return text
    return re.sub("|".join(map(re.escape, renames)), lambda match: renames[match[0]], text)


def _as_class(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


_RENAMES = lazy_pattern(
    r"(?i)\brenam\w+\s+(?:(?:the|function|method|class|constant|variable|field|type)\s+)*"
    r"[`\"“]?([A-Za-z_]\w{2,})(?:\(\))?[`\"”]?\s+(?:to|into|as|->|→)\s+[`\"“]?([A-Za-z_]\w{2,})"
)


def says_name(text: str, name: str) -> bool:
    """Return True if the text mentions the name: as code or, if it cannot be an ordinary word, in prose."""
    if not re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text):
        return False
    if not _PLAIN_WORD.fullmatch(name):
        return True
    code = (*(match[0] for match in FENCED.finditer(text)), *code_spans(FENCED.sub("", text)))
    return any(_has_word(part, name) for part in code)


def is_named(spec: Spec, path: str, part: NamedPart) -> bool:
    """Return True if the spec names the part as one to change or remove."""
    sentences = task_sentences(spec, path)
    if any(_names(sentence, part) and _may_lose(sentence, part) for sentence in sentences):
        return True
    fences = (match[0] for text in texts_about(spec, path) for match in FENCED.finditer(text))
    if any(_has_word(fence, part.leaf) for fence in fences):
        return True
    context = sentences_of((spec.context,))
    return any(_names(sentence, part) and has_change_word(sentence) for sentence in context)


def _names(sentence: str, part: NamedPart) -> bool:
    """Return True if the sentence names the part: as code or, if it cannot be an ordinary word, in prose."""
    leaf = part.leaf.removesuffix("[]")
    if any(_has_word(span, leaf) for span in code_spans(sentence)):
        return True
    is_called = re.search(rf"(?<!\w){re.escape(leaf)}[(:]", sentence)
    is_plain = not is_called and _PLAIN_WORD.fullmatch(leaf.lower())
    if is_plain and not _is_foreign(sentence) and not (len(leaf) > 2 and has_change_word(sentence)):
        return False
    return _has_word(sentence.lower(), leaf.lower())


_FOREIGN = lazy_pattern(
    r"(?i)[^\W\x00-\x7f]|\b(?:der|das|den|und|eine|aus|dem|vom|im|ist|nicht|les|une|sur|dans|los|las|del"
    r"|por|para|uma|della|il|la|le|el)\b"
)


def _is_foreign(sentence: str) -> bool:
    """Return True if a sentence is not English, so that an ordinary English word in it is a name."""
    return _FOREIGN.search(sentence) is not None and " the " not in sentence.lower()


def _has_word(text: str, word: str) -> bool:
    return bool(word) and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def has_name(text: str, name: str) -> bool:
    """Return True if the text has the name, also as a plural; `block1` is not in `block10`."""
    end = r"(?!\d|_|[^\W\d_]{3})"
    return bool(name) and re.search(rf"(?<!\w){re.escape(name)}{end}", text) is not None


def _may_lose(sentence: str, part: NamedPart) -> bool:
    return has_change_word(sentence) or (part.kind != "items" and not has_adding_word(sentence))


def _asks_for_anything(sentence: str, path: str) -> bool:
    if asks_for_shorter(sentence):
        return True
    names = set(code_spans(sentence)) - {path, basename(path)}
    return asks_to_remove(sentence) and (not names or is_vague(sentence))


@lru_cache(maxsize=64)
def sentences_of(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sentences of some texts, without fenced code."""
    return tuple(
        sentence
        for text in texts
        for sentence in _END.split(FENCED.sub("\n", text))
        if sentence.strip()
    )


def texts_about(spec: Spec, path: str) -> tuple[str, ...]:
    """Return the texts about the task and the file: title, task, snippets, criteria, notes."""
    criteria = (criterion.text for criterion in spec.criteria)
    notes = (ref.note for ref in spec.files if ref.path == path)
    return (spec.title, spec.task, spec.snippets_text, *criteria, *notes)


def cited_lines(spec: Spec, path: str) -> int:
    """Return how many lines of the file the spec cites as those to change."""
    cited = (line for ref in spec.writes() if ref.path == path for line in ref.ranges)
    return sum(line_range.end - line_range.start + 1 for line_range in cited)


def takes_away(spec: Spec, path: str) -> bool:
    """Return True if the spec's own edit script removes lines from the file or writes all of it."""
    return any(_takes_away(edit, path) for edit in script_of(spec).edits)


def _takes_away(edit: Edit, path: str) -> bool:
    if isinstance(edit, Operation):
        cited = any(source.path == path for source in edit.sources)
        renamed = edit.verb is Verb.RENAME and edit.target == path
        return renamed or (cited and edit.verb is not Verb.COPY)
    if isinstance(edit, SearchReplace):
        return edit.path == path and edit.search.count("\n") > edit.replace.count("\n")
    return path in paths_written(EditScript((edit,)))


_WORD = lazy_pattern(r"[^\W_]+(?:['’][^\W_]+)?")
_STOP = word_set("""
about after all also and any are before but change each every file files first following for from have here into its
last line lines make must new none not now only other same section should text than that the their them then there
these they this those update value what when where which with word words your
""")
_ENGLISH = lazy_pattern(r"(?i)\b(?:the|to|of|in|an?|and|from|with|for|it|is|are)\b")
_ADDS_TEXT = lazy_pattern(
    r"(?i)\b(?:add(?:s|ed|ing)?|append\w*|prepend\w*|insert\w*|writ(?:e|es|ing|ten)|document\w*|mention\w*|describ\w*|notes?"
    r"|includ\w+|extend\w*|introduc\w+|stat(?:e|es|ing)|explain\w*|list\w*|say(?:s|ing)?|rewrit\w+|rewrote|updat\w+"
    r"|translat\w+|expand\w*|creat\w+|put|begin\w*|start\w*|end(?:s|ing)?|header|footer|title|heading|intro\w*"
    r"|paragraphs?|sentences?|links?|banner|notice|warning|section)\b"
)
_FIXES = lazy_pattern(
    r"(?i)\b(?:fix\w*|bugs?|fail\w*|wrong\w*|errors?|correct\w*|leak\w*|crash\w*|debug\w*|prints?|logging|typos?|speed|faster"
    r"|improv\w+|optimi[sz]\w+|implement\w*|repair\w*|broken|warnings?|lint|format\w*|style|updat\w+|upgrad\w+|stop\w*"
    r"|avoid\w*|handl\w+|support\w*|allow\w*|prevent\w*|moderni[sz]\w+|us(?:e|es|ing)|adapt\w*)\b"
)


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return [match[0].lower() for match in _WORD.finditer(text)]


def telling_words(text: str) -> frozenset[str]:
    """Return the words of a text that can be names: longer than three letters and no stop words."""
    return frozenset(word for word in words_of(text) if len(word) > 3 and word not in _STOP)


def text_about(spec: Spec, path: str) -> str:
    """Return all that a spec says about its task and a file, with context and snippets."""
    fences = (fence.content for fence in spec.snippets)
    return "\n".join((*texts_about(spec, path), spec.context, *fences))


def text_beside(spec: Spec, path: str) -> str:
    """Return the same text without the file's path, whose words are no request."""
    return text_about(spec, path).replace(path, "")


def asks_to_add(spec: Spec, path: str) -> bool:
    """Return True if the spec asks to add text or anything else."""
    return any(_ADDS_TEXT.search(text.replace(path, "")) for text in texts_about(spec, path))


def asks_to_mend(spec: Spec, path: str) -> bool:
    """Return True if the spec asks for a fix or improvement, which may affect any line."""
    return any(_FIXES.search(text.replace(path, "")) for text in texts_about(spec, path))


def may_go(spec: Spec, path: str, lines: Iterable[str], *, heading: str = "") -> bool:
    """Return True if the spec asks to remove lines of prose, by their words or by their section's `heading`."""
    removed = [line for line in lines if line]
    text, spec_text = "\n".join((heading, *removed)), text_about(spec, path)
    removed_words = telling_words(text)
    if removed and all(line in spec_text for line in removed):
        return True
    return any(
        _asks_for(sentence.replace(path, ""), text, removed_words, heading)
        for sentence in task_sentences(spec, path)
    )


def _asks_for(sentence: str, text: str, removed_words: frozenset[str], heading: str) -> bool:
    is_cited = any(span in text for span in code_spans(sentence) if span.strip())
    if has_loss_word(sentence):
        return is_cited or not removed_words.isdisjoint(telling_words(sentence))
    if _ENGLISH.search(sentence):
        return False
    heads = [line for line in text.split("\n")[1:] if line.startswith(("#", "="))] or [heading]
    titles = [head.strip("#= *").lower() for head in heads]
    return is_cited or (all(titles) and all(title in sentence.lower() for title in titles))
