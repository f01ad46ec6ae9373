"""Whether a proposed file lost most of what it had, though nothing in the spec asks for that."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from minitask.edits.grammar import parse_script, paths_written
from minitask.edits.model import Edit, EditScript, Operation, SearchReplace, Verb
from minitask.errors import EditError
from minitask.gates.fault import Fault, Proposal
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

SMALLEST = 40
"""Lines, not counting blank ones, below which a file is too small to judge."""
# Words of a title, step, criterion or note that ask for less.
_LESS = lazy_pattern(
    r"\b(?:remov(?:e[sd]?|ing|al)|delet(?:e[sd]?|ing|ion)|drop(?:s|ped|ping)?|mov(?:e[sd]?|ing)|extract\w*|"
    r"split(?:s|ting)?|shr[iua]nk\w*|reduc\w+|simplif\w+|re-?writ\w+|rewrote|replac\w+|empt(?:y|ie[sd]|ying)|"
    r"strip(?:s|ped|ping)?|trim(?:s|med|ming)?|clean(?:s|ed|ing|up)?|de-?dup\w*)\b",
    re.IGNORECASE,
)
# Code within prose, whose names (`text.strip()`) ask for nothing.
_CODE = lazy_pattern(r"```.*?```|`[^`\n]*`", re.DOTALL)
_REMEDY = "reply with the whole file, or with edits of the lines that change"


def find_shrinkage(
    proposal: Proposal, *, spec: Spec, others: Sequence[Proposal] = ()
) -> Fault | None:
    """Say so where more than half of a file's lines are gone, were not asked for, and went nowhere.

    `others` are the other files of the change: what moved into them is not lost.
    """
    if proposal.base is None:
        return None
    before, after = _size(proposal.base), _size(proposal.content)
    lost = before - after
    if before < SMALLEST or after * 2 >= before or _is_asked_for(proposal.path, lost, spec):
        return None
    if _is_elsewhere(_lines(proposal.base) - _lines(proposal.content), others):
        return None
    end = proposal.content.rstrip("\n").count("\n") + 1
    message = f"it loses {lost} of its {before} lines, which the spec does not ask for"
    return Fault(proposal.path, end, message, _REMEDY)


def _size(text: str) -> int:
    return sum(1 for line in text.split("\n") if line.strip())


def _lines(text: str) -> Counter[str]:
    """The lines that are not blank, without what is around them."""
    return Counter(line for line in map(str.strip, text.split("\n")) if line)


def _is_asked_for(path: str, lost: int, spec: Spec) -> bool:
    return (
        _says_less(path, spec)
        or _cited_lines(path, spec) >= lost
        or any(_takes_away(edit, path) for edit in _edits(spec))
    )


def _says_less(path: str, spec: Spec) -> bool:
    notes = (ref.note for ref in spec.files if ref.path == path)
    criteria = (criterion.text for criterion in spec.criteria)
    said = "\n".join((spec.title, spec.task, *criteria, *notes))
    return bool(_LESS.search(_CODE.sub(" ", said)))


def _cited_lines(path: str, spec: Spec) -> int:
    return sum(
        cited.end - cited.start + 1
        for ref in spec.writes()
        if ref.path == path
        for cited in ref.ranges
    )


def _edits(spec: Spec) -> tuple[Edit, ...]:
    """The spec's own edit script; one that cannot be read says nothing."""
    try:
        return parse_script(spec.snippets, source=spec.path).edits
    except EditError:
        return ()


def _takes_away(edit: Edit, path: str) -> bool:
    """Whether an edit of the spec itself takes lines from the file, or says all that is to stand in it."""
    if isinstance(edit, Operation):
        cited = any(source.path == path for source in edit.sources)
        renamed = edit.verb is Verb.RENAME and edit.target == path
        return renamed or (cited and edit.verb is not Verb.COPY)
    if isinstance(edit, SearchReplace):
        return edit.path == path and edit.search.count("\n") > edit.replace.count("\n")
    return path in paths_written(EditScript((edit,)))


def _is_elsewhere(lost: Counter[str], others: Sequence[Proposal]) -> bool:
    """Whether at least half of the lines stand in other files now, which did not have them before."""
    gained: Counter[str] = Counter()
    for other in others:
        gained += _lines(other.content) - _lines(other.base or "")
    return (lost & gained).total() * 2 >= lost.total()
