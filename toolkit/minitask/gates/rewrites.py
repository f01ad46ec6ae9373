"""What a rewritten file lost or gained that its task did not ask for, beyond its names: bodies, paragraphs, edges.

Edits that name the lines they replace say what they take away; what is judged here is a file that came as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import splitext

from minitask.gates.answer_text import find_answer_text
from minitask.gates.emptied import find_emptied
from minitask.gates.lint_error import FileChange, LintError
from minitask.gates.prose_loss import find_marked_lines, find_prose_loss, is_prose
from minitask.gates.requested_removals import asks_for_less, takes_away
from minitask.gates.short_files import find_dropped
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_BRACED = frozenset(
    {
        *(".css", ".scss", ".less", ".pcss", ".postcss", ".sh", ".bash", ".c", ".h", ".cc", ".cpp"),
        *(".hpp", ".cs", ".kt", ".kts", ".swift", ".php", ".dart", ".scala", ".tf", ".hcl"),
    }
)
_BLANKED = lazy_pattern(r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", 16)


def find_rewrite_faults(
    proposal: FileChange, *, spec: Spec, others: Sequence[FileChange] = (), said: str = ""
) -> Iterator[LintError]:
    """Yield what a file that was written anew must not have: text of the answer, empty bodies, lost lines.

    `said` is what its maker answers to an earlier fault.
    """
    unclosed = _unclosed(proposal)
    if unclosed is not None:
        yield unclosed
    if proposal.explicit:
        return
    yield from find_answer_text(proposal, spec=spec)
    if not proposal.base or "\0" in proposal.base or _may_lose_anything(proposal, spec):
        return
    if is_prose(proposal.path):
        found = find_prose_loss(proposal, spec=spec, others=others)
    else:
        found = find_marked_lines(proposal) or find_emptied(proposal, spec=spec, strict=True)
    found = found or find_dropped(proposal, spec=spec, others=others, said=said)
    if found is not None:
        yield found


def _may_lose_anything(proposal: FileChange, spec: Spec) -> bool:
    return takes_away(spec, proposal.path) or asks_for_less(spec, proposal.path)


def _unclosed(proposal: FileChange) -> LintError | None:
    """Return a brace that nothing closes, in a file whose braces were all closed."""
    ending = splitext(proposal.path)[1].lower()
    if ending not in _BRACED or not proposal.base or not _is_closed(proposal.base):
        return None
    if _is_closed(proposal.content):
        return None
    line = proposal.content.rstrip("\n").count("\n") + 1
    return LintError(proposal.path, line, "its braces do not close", "reply with the whole file")


def _is_closed(text: str) -> bool:
    plain = _BLANKED.sub("", text)
    return plain.count("{") == plain.count("}")
