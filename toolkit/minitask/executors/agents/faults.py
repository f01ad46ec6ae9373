"""Classify why an agent program failed: its words and its provider's, as a kind of failure.

Only what a program says of an error is looked at, never a model's reply: that may be about errors.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from minitask.executors.agents.adapter import AgentReport, Output
from minitask.executors.request import FailureKind
from minitask.executors.server_errors import is_notice, is_spent
from minitask.ledger.usage import Usage
from minitask.patterns import lazy_pattern
from minitask.words import one_line

_Words = Mapping[FailureKind, str]
"""Patterns of error messages, in the order in which they are tried."""

_SHOWN = 300
_TAIL_LINES = 12
_SECRET = lazy_pattern(r"\b(?:sk|AIza|gsk|key)[-_\w]{16,}")
_STATUS = lazy_pattern(
    r"(?:status|error|code|http)(?: code)?[\s:=\"']{0,4}(\d{3})\b", re.IGNORECASE
)
_UNKNOWN_FLAG = r"(?:unknown|unexpected|unrecogni[sz]ed|invalid) (?:options?|arguments?|flags?)\b|no such option"
_REASON = lazy_pattern(rf"^\W*(?:\w*Error|fatal)\b|{_UNKNOWN_FLAG}", re.IGNORECASE)
"""The start of a line that says why a program gave up, wherever it stands among a page of help."""
_FIRST_WORDS: _Words = {
    FailureKind.AUTH: (
        r"AuthenticationError|PermissionDeniedError|unauthori[sz]ed|not authori[sz]ed|forbidden|not logged in"
        r"|log ?in required|run /login|invalid auth|(?:invalid|incorrect|missing) (?:x-)?api[ -]?key"
        r"|api[ _-]?key (?:not valid|is missing|not found|is invalid|is required)|failed to authenticate"
    ),
}
_LAST_WORDS: _Words = {
    FailureKind.TRANSPORT: (
        r"RateLimitError|rate.?limit|too many requests|overloaded|high demand|Service ?Unavailable|InternalServerError"
        r"|BadGatewayError|APIConnectionError|litellm\.(?:APIError|Timeout)|connection (?:error|refused|reset)"
        r"|timed out|disconnected|ECONN|ENOTFOUND|EAI_AGAIN|fetch failed|error sending request|network error"
    ),
    FailureKind.BAD_REQUEST: (
        r"BadRequestError|NotFoundError|ContextWindowExceededError|UnprocessableEntityError"
        r"|UnsupportedParamsError|invalid_request|too long|model[^\n]{0,60}not (?:found|exist|supported)"
        rf"|{_UNKNOWN_FLAG}"
    ),
}
_ABSENT = lazy_pattern(
    r"ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|connection (?:error|refused)|cannot connect"
    r"|could not connect|failed to connect|name or service not known|no route to host|error sending request"
    r"|fetch failed",
    re.IGNORECASE,
)
"""Messages which say that a server cannot be reached at all."""
_RETRIES = lazy_pattern(
    r"\b(?:error|fatal|retry|retrying|retries|reconnect\w*|attempt)\b|\b429\b", re.IGNORECASE
)
_LIMIT_WORDS = 200
"""Most characters of an answer that is only a limit's notice."""


class AgentProblem(Struct, frozen=True):
    """The problem for a report: no kind where neither the provider nor the program is at fault."""

    kind: FailureKind | None = None
    message: str = ""


def clean(text: str) -> str:
    """`text` on one line, cut short, with nothing that could steer a terminal or looks like a key."""
    return one_line(_SECRET.sub("***", text[: 4 * _SHOWN]), longest=_SHOWN)


def kind_of_status(status: int | None) -> FailureKind | None:
    """Return what an HTTP status means; None if it is no error."""
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
    """Return what an error's text says it is; None if it says nothing that is known."""
    status = _STATUS.search(text)
    return (
        _spent_kind(text)
        or _by_words(text, _FIRST_WORDS)
        or kind_of_status(int(status[1]) if status else None)
        or _by_words(text, _LAST_WORDS)
    )


def provider_problem(output: Output, error: str, *, status: int | None = None) -> AgentProblem:
    """Return the problem that a program's own error message is; what it does not explain may pass by itself."""
    if output.timed_out:
        return _stuck(output, error)
    kind = _spent_kind(error) or kind_of_status(status) or find_kind(error)
    return AgentProblem(kind or FailureKind.TRANSPORT, clean(error))


def exit_problem(output: Output) -> AgentProblem:
    """Return the problem that the way a program ended is, where its output names none.

    One that was killed may do better later; one that gave up without a known reason will give up again.
    """
    if output.timed_out:
        return _stuck(output)
    if output.exit_code == 0:
        return AgentProblem()
    lines = (output.stderr.strip() or output.stdout.strip()).split("\n")
    reasons = [line for line in lines if _REASON.search(line)][-1:]
    lines = lines[-_TAIL_LINES:]
    killed = output.exit_code is None or not 0 < output.exit_code < 128
    unknown = FailureKind.TRANSPORT if killed else FailureKind.BAD_REQUEST
    kind = find_kind("\n".join(lines)) or find_kind(" ".join(reasons)) or unknown
    told = reasons if reasons and reasons[0] not in lines[-3:] else lines[-3:]
    return AgentProblem(kind, clean(f"exit code {output.exit_code}: {' '.join(told)}"))


def reason_of(printed: str) -> str:
    """Return the line that says why a program gave up, else its last one."""
    lines = [line for line in printed.split("\n") if line.strip()]
    reasons = [line for line in lines if _REASON.search(line)] or lines
    return clean(reasons[-1]) if reasons else ""


def unknown_flags(stderr: str, argv: Iterable[str]) -> tuple[str, ...]:
    """Return the flags of a command line that a program says it does not know."""
    refused = next(
        (line for line in stderr.split("\n") if re.search(_UNKNOWN_FLAG, line, re.IGNORECASE)), ""
    )
    names = set(re.findall(r"[\w-]*\w", refused))
    return tuple(
        part for part in argv if part.startswith("--") and names & {part, part.removeprefix("--")}
    )


def failed_report(output: Output) -> AgentReport:
    """All that can be said of a program that left no account of its work."""
    problem = exit_problem(output)
    return AgentReport(
        Usage(), problem=problem.kind, message=problem.message or "it printed no result"
    )


def read_limits(report: AgentReport, output: Output) -> AgentReport:
    """Return the report with a used-up plan as its problem, where the program says so in place of an answer.

    Some say it as their last words, and exit with 0.
    """
    may_be_limit = report.problem in (None, FailureKind.TRANSPORT, FailureKind.BAD_REQUEST)
    if not may_be_limit or output.timed_out:
        return report
    final_message = report.final_message.strip()
    notice = (
        final_message if len(final_message) <= _LIMIT_WORDS and is_notice(final_message) else ""
    )
    notice = notice or _spent_line(output.stderr)
    return replace(report, problem=FailureKind.QUOTA, message=clean(notice)) if notice else report


def believed(report: AgentReport) -> AgentReport:
    """Return the report with usage unknown if a program that ended well counts no tokens at all."""
    counts = (report.usage.input_tokens, report.usage.output_tokens)
    if report.problem is not None or report.cost_usd or counts != (0, 0):
        return report
    return replace(report, usage=Usage(report.usage.requests), cost_usd=None)


def _spent_line(stderr: str) -> str:
    lines = [line for line in stderr.split("\n") if line.strip()][-_TAIL_LINES:]
    return next((line for line in reversed(lines) if is_spent(line)), "")


class OutageWatch:
    """Limit a program's time by what it prints: one that only says that its server is not there is ended.

    Called with each chunk of output; gives the seconds that are left, infinite where it is at work.
    """

    def __init__(self, *, patience_seconds: float = 60.0) -> None:
        self._patience = patience_seconds
        self._since: float | None = None

    def __call__(self, data: bytes) -> float:
        """Return the seconds that are left."""
        now = time.monotonic()
        lines = [line for line in data.decode("utf-8", "replace").split("\n") if line.strip()]
        if lines and _ABSENT.search(lines[-1]):
            self._since = now if self._since is None else self._since
        elif lines and not _RETRIES.search(lines[-1]):
            self._since = None
        if self._since is None:
            return math.inf
        return max(0.0, self._patience - (now - self._since))


def _stuck(output: Output, error: str = "") -> AgentProblem:
    """Return the problem of a program that was killed at its time: its provider's, where its last words name one."""
    shown = error or _last_lines(output.stderr) or _last_lines(output.stdout)
    kind = find_kind(error or _last_lines(output.stderr) or _retries(output.stdout))
    blamed = kind if kind in _OUTAGES else None
    why = "stopped: its provider does not answer" if blamed else _TIME_UP
    return AgentProblem(blamed or FailureKind.STUCK, clean(f"{why}: {shown}" if shown else why))


_TIME_UP = "killed: time limit reached"
_OUTAGES = frozenset({FailureKind.TRANSPORT, FailureKind.AUTH, FailureKind.QUOTA})


def _last_lines(text: str) -> str:
    return " ".join([line.strip() for line in text.split("\n") if line.strip()][-3:])


def _retries(text: str) -> str:
    """Return the last lines that tell of an error or of another try; a model's own words are not looked at."""
    lines = [line for line in text.split("\n") if line.strip()][-3:]
    return " ".join(line for line in lines if _RETRIES.search(line))


def _spent_kind(text: str) -> FailureKind | None:
    return FailureKind.QUOTA if is_spent(text) else None


def _by_words(text: str, table: _Words) -> FailureKind | None:
    return next(
        (kind for kind, pattern in table.items() if re.search(pattern, text, re.IGNORECASE)), None
    )
