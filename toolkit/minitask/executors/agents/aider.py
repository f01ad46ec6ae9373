"""aider: files on its command line, text for an output.

It exits with 0 whatever happened, so failures are found in what it prints; its counts are rounded, and so is usage.
"""

from __future__ import annotations

import re
from decimal import Decimal

from minitask.executors.agents.adapter import (
    LITELLM_KEYS,
    PROMPT_FILE,
    AgentReport,
    Invocation,
    Job,
    Output,
    litellm_model,
    litellm_variables,
    plain,
    prompt_path,
)
from minitask.executors.agents.faults import AgentProblem, exit_problem, provider_problem
from minitask.executors.agents.reading import amount, count, summed
from minitask.ledger.usage import Usage
from minitask.patterns import lazy_pattern

_SAID = 4000
_NUMBER = r"([\d.]{1,12})([kM]?)"
_TOKENS = lazy_pattern(
    rf"^Tokens: {_NUMBER} sent(?:, {_NUMBER} cache write)?(?:, {_NUMBER} cache hit)?, {_NUMBER} received\.",
    re.MULTILINE,
)
_COST = lazy_pattern(r"\bCost: \$[\d.]{1,12} message, \$(\d{1,9}(?:\.\d{1,12})?) session\.")
_FAULT = lazy_pattern(r"^litellm\.\w+: .*", re.MULTILINE)
_UNITS = {"": 1, "k": 1000, "M": 1_000_000}
_QUIET = (
    *("--yes-always", "--no-auto-commits", "--no-dirty-commits", "--no-gitignore", "--no-stream"),
    *("--no-pretty", "--no-analytics", "--no-check-update", "--no-show-release-notes"),
    *(
        "--no-show-model-warnings",
        "--no-auto-lint",
        "--no-suggest-shell-commands",
        "--no-detect-urls",
    ),
)


class AiderProgram:
    """`aider`, told once; it may still touch files that are not its own, which the scope gate sees."""

    name = "aider"
    program = "aider"
    caps_cost = False
    version_argv: tuple[str, ...] = ("aider", "--version")
    litter: tuple[str, ...] = (".aider*",)
    credentials: tuple[str, ...] = (".aider/oauth-keys.env",)
    variables: tuple[str, ...] = LITELLM_KEYS

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt in a file; its histories go to its home."""
        reads = [part for path in job.reads for part in ("--read", plain(path))]
        histories = (
            *("--input-history-file", str(job.home / "aider.input")),
            *("--chat-history-file", str(job.home / "aider.chat.md")),
        )
        return Invocation(
            (
                *(self.program, "--message-file", prompt_path(job), "--model", litellm_model(job)),
                *("--edit-format", "diff", "--map-tokens", "0", *_QUIET, *histories),
                *(*reads, *job.extra_args, *(plain(path) for path in job.writes)),
            ),
            env=litellm_variables(job),
            optional=dict.fromkeys(_QUIET[4:], 0),
            files={PROMPT_FILE: job.prompt},
        )

    def report(self, output: Output) -> AgentReport:
        """Return the sum of its `Tokens:` lines, one a request, and the last cost of the session as a whole."""
        text = output.stdout
        lines = list(_TOKENS.finditer(text))
        costs = _COST.findall(text)
        problem = _problem(output, answered=lines[-1].end() if lines else 0)
        return AgentReport(
            Usage() if output.timed_out else summed(_usage(line) for line in lines),
            amount(Decimal(costs[-1])) if len(costs) == len(lines) > 0 else None,
            final_message=text[-_SAID:].strip(),
            problem=problem.kind,
            message=problem.message,
        )


def _usage(line: re.Match[str]) -> Usage:
    """One line; aider counts what was written to a cache twice, once with all that was sent."""
    parts = line.groups()
    sent, written, read, received = (
        _number(*parts[at : at + 2]) if parts[at] else None for at in range(0, 8, 2)
    )
    return Usage(
        requests=1,
        input_tokens=count(sent - (written or 0)) if sent is not None else None,
        cached_input_tokens=read,
        output_tokens=received,
        cache_write_tokens=written,
    )


def _number(digits: str, unit: str) -> int | None:
    """`1.0k` as 1000; None for digits that are no number."""
    whole, dot, part = digits.partition(".")
    if not whole.isdecimal() or (dot and not part.isdecimal()):
        return None
    return count(int(Decimal(digits) * _UNITS[unit]))


def _problem(output: Output, *, answered: int) -> AgentProblem:
    """Return the last error that no answer followed: those before it were overcome by another try."""
    faults = _FAULT.findall(output.stdout, answered)
    return provider_problem(output, faults[-1]) if faults else exit_problem(output)
