"""Why an agent program came to nothing: its words and its provider's, as a kind of failure.

Only what a program says of an error is looked at, never a model's reply: that may be about errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from minitask.executors.agents.model import Output, Report
from minitask.executors.model import FailureKind
from minitask.ledger.usage import Usage
from minitask.patterns import lazy_pattern
from minitask.values import dataclass
from minitask.words import one_line

_Words = Mapping[FailureKind, str]
"""What an error may say, in the order in which it is looked for."""

_SHOWN = 300
_TAIL_LINES = 12
_SECRET = lazy_pattern(r"\b(?:sk|AIza|gsk|key)[-_\w]{16,}")
_STATUS = lazy_pattern(
    r"(?:status|error|code|http)(?: code)?[\s:=\"']{0,4}(\d{3})\b", re.IGNORECASE
)
_FIRST_WORDS: _Words = {
    FailureKind.QUOTA: (
        r"insufficient_quota|exceeded your current quota|quota exceeded|BudgetExceededError|usage limit"
        r"|credit balance|out of credits|billing_|payment required"
    ),
    FailureKind.AUTH: (
        r"AuthenticationError|PermissionDeniedError|unauthori[sz]ed|not authori[sz]ed|forbidden|not logged in"
        r"|log ?in required|run /login|invalid auth|(?:invalid|incorrect|missing) (?:x-)?api[ -]?key"
        r"|api[ _-]?key (?:not valid|is missing|not found|is invalid|is required)|failed to authenticate"
    ),
}
_LAST_WORDS: _Words = {
    FailureKind.TRANSPORT: (
        r"RateLimitError|rate.?limit|overloaded|high demand|Service ?Unavailable|InternalServerError"
        r"|BadGatewayError|APIConnectionError|litellm\.(?:APIError|Timeout)|connection (?:error|refused|reset)"
        r"|timed out|disconnected|ECONN|ENOTFOUND|EAI_AGAIN|fetch failed|error sending request|network error"
    ),
    FailureKind.BAD_REQUEST: (
        r"BadRequestError|NotFoundError|ContextWindowExceededError|UnprocessableEntityError"
        r"|UnsupportedParamsError|invalid_request|too long|model[^\n]{0,60}not (?:found|exist|supported)"
        r"|unrecognized argument|unexpected argument|unknown (?:option|argument)|no such option"
    ),
}
_NO_MONEY: _Words = {FailureKind.QUOTA: _FIRST_WORDS[FailureKind.QUOTA]}


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for a report: no kind where neither the provider nor the program is at fault."""

    kind: FailureKind | None = None
    message: str = ""


def clean(text: str) -> str:
    """`text` on one line, cut short, with nothing that could steer a terminal or looks like a key."""
    return one_line(_SECRET.sub("***", text[: 4 * _SHOWN]), longest=_SHOWN)


def kind_of_status(status: int | None) -> FailureKind | None:
    """What an HTTP status means; None where it is no error."""
    if status is None or not 400 <= status < 600:
        return None
    if status in {401, 403}:
        return FailureKind.AUTH
    if status == 402:
        return FailureKind.QUOTA
    if status in {408, 409, 425, 429} or status >= 500:
        return FailureKind.TRANSPORT
    return FailureKind.BAD_REQUEST


def find_kind(text: str) -> FailureKind | None:
    """What an error's text says it is; None where it says nothing that is known."""
    status = _STATUS.search(text)
    return (
        _by_words(text, _FIRST_WORDS)
        or kind_of_status(int(status[1]) if status else None)
        or _by_words(text, _LAST_WORDS)
    )


def provider_problem(output: Output, error: str, *, status: int | None = None) -> Problem:
    """The problem that a program's own error message is; what it does not explain may pass by itself."""
    if output.timed_out:
        return _STUCK
    kind = _by_words(error, _NO_MONEY) or kind_of_status(status) or find_kind(error)
    return Problem(kind or FailureKind.TRANSPORT, clean(error))


def exit_problem(output: Output) -> Problem:
    """The problem that the way a program ended is, where its output names none.

    One that was killed may do better later; one that gave up without a known reason will give up again.
    """
    if output.timed_out:
        return _STUCK
    if output.exit_code == 0:
        return Problem()
    lines = (output.stderr.strip() or output.stdout.strip()).split("\n")[-_TAIL_LINES:]
    killed = output.exit_code is None or not 0 < output.exit_code < 128
    unknown = FailureKind.TRANSPORT if killed else FailureKind.BAD_REQUEST
    kind = find_kind("\n".join(lines)) or unknown
    return Problem(kind, clean(f"exit code {output.exit_code}: {' '.join(lines[-3:])}"))


def failed_report(output: Output) -> Report:
    """All that can be said of a program that left no account of its work."""
    problem = exit_problem(output)
    return Report(Usage(), problem=problem.kind, message=problem.message or "it printed no result")


_STUCK = Problem(FailureKind.STUCK, "it was killed when its time was up")


def _by_words(text: str, table: _Words) -> FailureKind | None:
    return next(
        (kind for kind, words in table.items() if re.search(words, text, re.IGNORECASE)), None
    )
