"""Classify why an agent program failed, by its own error messages and its provider's.

Only a program's error messages are read, never a model's reply, which may be about errors.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable

from msgspec.structs import replace

from minitask.executors.agents.adapter import AgentReport, Output, Problem, full_lines
from minitask.executors.request import FailureKind
from minitask.executors.retry import is_notice, is_spent
from minitask.ledger.record import Usage
from minitask.patterns import lazy_pattern
from minitask.words import one_line

_SHOWN = 300
_TAIL_LINES = 12
_SECRET = lazy_pattern(r"\b(?:sk|AIza|gsk|key)[-_\w]{16,}")
_STATUS = lazy_pattern(
    r"(?:status|error|code|http)(?: code)?[\s:=\"']{0,4}(\d{3})\b", re.IGNORECASE
)
_UNKNOWN_FLAG = r"(?:unknown|unexpected|unrecogni[sz]ed|invalid) (?:options?|arguments?|flags?)\b|no such option"
_REASON = lazy_pattern(rf"^\W*(?:\w*Error|fatal)\b|{_UNKNOWN_FLAG}", re.IGNORECASE)
"""Start of a line that says why a program stopped, wherever it is among help text."""
_NO_ACCESS = lazy_pattern(
    r"AuthenticationError|PermissionDeniedError|unauthori[sz]ed|not authori[sz]ed|forbidden|not logged in"
    r"|log ?in required|run /login|invalid auth|(?:invalid|incorrect|missing) (?:x-)?api[ -]?key"
    r"|api[ _-]?key (?:not valid|is missing|not found|is invalid|is required)|failed to authenticate",
    re.IGNORECASE,
)
_PASSING = lazy_pattern(
    r"RateLimitError|rate.?limit|too many requests|overloaded|high demand|Service ?Unavailable|InternalServerError"
    r"|BadGatewayError|APIConnectionError|litellm\.(?:APIError|Timeout)|connection (?:error|refused|reset)"
    r"|timed out|disconnected|ECONN|ENOTFOUND|EAI_AGAIN|fetch failed|error sending request|network error",
    re.IGNORECASE,
)
_WRONG_REQUEST = lazy_pattern(
    r"BadRequestError|NotFoundError|ContextWindowExceededError|UnprocessableEntityError"
    r"|UnsupportedParamsError|invalid_request|too long|model[^\n]{0,60}not (?:found|exist|supported)"
    rf"|{_UNKNOWN_FLAG}",
    re.IGNORECASE,
)
_ABSENT = lazy_pattern(
    r"ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|connection (?:error|refused)|cannot connect"
    r"|could not connect|failed to connect|name or service not known|no route to host|error sending request"
    r"|fetch failed",
    re.IGNORECASE,
)
"""Messages that a server cannot be reached."""
_RETRIES = lazy_pattern(
    r"\b(?:error|fatal|retry|retrying|retries|reconnect\w*|attempt)\b|\b429\b", re.IGNORECASE
)
_LIMIT_LENGTH = 200
"""Longest reply that can be only a limit's notice, in characters."""
_OUTAGES = frozenset({FailureKind.TRANSPORT, FailureKind.AUTH, FailureKind.QUOTA})


def clean(text: str) -> str:
    """Return a text on one line, shortened, without terminal control characters and likely keys."""
    return one_line(_SECRET.sub("***", text[: 4 * _SHOWN]), longest=_SHOWN)


def kind_of_status(status: int | None) -> FailureKind | None:
    """Return the failure kind of an HTTP status, or None if it is not an error."""
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
    """Return the failure kind of an error message, or None if it is unknown."""
    if is_spent(text):
        return FailureKind.QUOTA
    if _NO_ACCESS.search(text):
        return FailureKind.AUTH
    status = _STATUS.search(text)
    if kind := kind_of_status(int(status[1]) if status else None):
        return kind
    if _PASSING.search(text):
        return FailureKind.TRANSPORT
    return FailureKind.BAD_REQUEST if _WRONG_REQUEST.search(text) else None


def provider_problem(output: Output, error: str, *, status: int | None = None) -> Problem:
    """Return the problem in a program's error message; an unknown one counts as temporary."""
    if output.timed_out:
        return _stuck(output, error)
    status_kind = None if is_spent(error) else kind_of_status(status)
    return status_kind or find_kind(error) or FailureKind.TRANSPORT, clean(error)


def exit_problem(output: Output) -> Problem:
    """Return the problem that a program's exit shows, if its output names none.

    A killed program may succeed later; one that stopped without a known reason will stop again.
    """
    if output.timed_out:
        return _stuck(output)
    if output.exit_code == 0:
        return None, ""
    lines = (output.stderr.strip() or output.stdout.strip()).split("\n")
    reasons = [line for line in lines if _REASON.search(line)][-1:]
    lines = lines[-_TAIL_LINES:]
    killed = output.exit_code is None or not 0 < output.exit_code < 128
    unknown = FailureKind.TRANSPORT if killed else FailureKind.BAD_REQUEST
    kind = find_kind("\n".join(lines)) or find_kind(" ".join(reasons)) or unknown
    shown = reasons if reasons and reasons[0] not in lines[-3:] else lines[-3:]
    shown_text = " ".join(shown).strip() or "it printed nothing"
    return kind, clean(f"exit code {output.exit_code}: {shown_text}")


def reason_of(printed: str) -> str:
    """Return the line that says why a program stopped, or else its last line."""
    lines = full_lines(printed)
    reasons = [line for line in lines if _REASON.search(line)] or lines
    return clean(reasons[-1]) if reasons else ""


def unknown_flags(stderr: str, argv: Iterable[str]) -> tuple[str, ...]:
    """Return the flags of a command line that a program reports as unknown."""
    says_unknown = re.compile(_UNKNOWN_FLAG, re.IGNORECASE)
    refused = next(filter(says_unknown.search, stderr.split("\n")), "")
    names = set(re.findall(r"[\w-]*\w", refused))
    return tuple(
        part for part in argv if part.startswith("--") and names & {part, part.removeprefix("--")}
    )


def failed_report(output: Output) -> AgentReport:
    """Return the report for a program that printed no result."""
    kind, message = exit_problem(output)
    return AgentReport(Usage(), problem=kind, message=message or "it printed no result")


def read_limits(report: AgentReport, output: Output) -> AgentReport:
    """Return the report with a used-up plan as its problem, if the program reports that instead of an answer.

    Some report it in their final message, and exit with 0.
    """
    may_be_limit = report.problem in (None, FailureKind.TRANSPORT, FailureKind.BAD_REQUEST)
    if not may_be_limit or output.timed_out:
        return report
    notice = report.final_message.strip()
    if len(notice) > _LIMIT_LENGTH or not is_notice(notice):
        lines = reversed(full_lines(output.stderr)[-_TAIL_LINES:])
        notice = next(filter(is_spent, lines), "")
    return replace(report, problem=FailureKind.QUOTA, message=clean(notice)) if notice else report


def believed(report: AgentReport) -> AgentReport:
    """Return the report; its usage is unknown if a program without a problem counts no tokens at all."""
    counts = (report.usage.input_tokens, report.usage.output_tokens)
    if report.problem is not None or report.cost_usd or counts != (0, 0):
        return report
    return replace(report, usage=Usage(report.usage.requests), cost_usd=None)


class OutageWatch:
    """Limits a program's time by its output: a program that only reports that its server cannot be reached is stopped.

    Call it with each chunk of output; it returns the remaining seconds, infinite while the program makes progress.
    """

    def __init__(self, *, patience_seconds: float = 60.0) -> None:
        self._patience = patience_seconds
        self._since: float | None = None

    def __call__(self, data: bytes) -> float:
        """Return the remaining seconds."""
        now = time.monotonic()
        lines = full_lines(data.decode("utf-8", "replace"))
        if lines and _ABSENT.search(lines[-1]):
            self._since = now if self._since is None else self._since
        elif lines and not _RETRIES.search(lines[-1]):
            self._since = None
        if self._since is None:
            return math.inf
        return max(0.0, self._patience - (now - self._since))


def _stuck(output: Output, error: str = "") -> Problem:
    """Return the problem of a program that timed out: its provider's, if its last lines name one.

    Of standard output only lines about errors and retries count, because the rest may be a model's text.
    """
    last_words = error or " ".join(map(str.strip, full_lines(output.stderr)[-3:]))
    printed = [line.strip() for line in full_lines(output.stdout)[-3:]]
    kind = find_kind(last_words or " ".join(filter(_RETRIES.search, printed)))
    blamed = kind if kind in _OUTAGES else None
    why = "stopped: its provider does not answer" if blamed else "killed: time limit reached"
    shown = last_words or " ".join(printed)
    return blamed or FailureKind.STUCK, clean(f"{why}: {shown}" if shown else why)
