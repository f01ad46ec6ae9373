"""Anthropic's claude: edits by rules for each file, one JSON object at the end.

It exits with 0 though every write was denied, and says "success" of a failed call: only its fields are believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.executors.agents.adapter import (
    AgentReport,
    Invocation,
    Job,
    Output,
    endpoint_variables,
    prompt_bytes,
    unless_given,
)
from minitask.executors.agents.faults import AgentProblem, clean, failed_report, provider_problem
from minitask.executors.agents.reading import (
    amount,
    count,
    free_or_unknown,
    items,
    mapping,
    records,
    string,
    summed,
    total,
)
from minitask.ledger.usage import Usage

if TYPE_CHECKING:
    from minitask.executors.agents.reading import Object

_MAX_TURNS = "60"
_LIMITS = {
    "error_max_budget_usd": "budget",
    "error_max_turns": "max turns",
    "budget_exhausted": "budget",
    "max_turns": "max turns",
}
_GLOB = str.maketrans({char: f"\\{char}" for char in "\\*?[]"})
_SHOWN_DENIALS = 5


class ClaudeProgram:
    """`claude -p`, which may read everything and write what the task lists; it cannot delete."""

    name = "claude"
    program = "claude"
    caps_cost = True
    version_argv: tuple[str, ...] = ("claude", "--version")
    litter: tuple[str, ...] = ()
    credentials: tuple[str, ...] = (".claude/.credentials.json", ".claude.json")
    variables: tuple[str, ...] = (
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "CLAUDE_CODE_OAUTH_TOKEN",
    )

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt on standard input; a repository's own settings, hooks and servers are not loaded."""
        rules = [f"{tool}({_pattern(path)})" for path in job.writes for tool in ("Edit", "Write")]
        cost = () if job.max_cost_usd is None else ("--max-budget-usd", f"{job.max_cost_usd:f}")
        return Invocation(
            (
                *(self.program, "-p", "--output-format", "json", "--model", job.model),
                *("--permission-mode", "dontAsk", "--tools", "Read,Edit,Write"),
                *("--allowedTools", "Read", *rules),
                *("--setting-sources", "user", "--strict-mcp-config", "--no-session-persistence"),
                *(*cost, *unless_given(job, "--max-turns", _MAX_TURNS), *job.extra_args),
            ),
            stdin=prompt_bytes(job),
            optional={"--max-turns": 1, "--no-session-persistence": 0},
            env={
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "CLAUDE_CODE_MAX_RETRIES": "3",
                **endpoint_variables(job, url="ANTHROPIC_BASE_URL", key="ANTHROPIC_API_KEY"),
            },
        )

    def report(self, output: Output) -> AgentReport:
        """Usage by model, where it is given: that of the session as a whole leaves calls out."""
        results = [item for item in records(output.stdout) if item.get("type") == "result"]
        if not results:
            return failed_report(output)
        result = results[-1]
        by_model = [
            _model_usage(mapping(used)) for used in mapping(result.get("modelUsage")).values()
        ]
        problem = _problem(output, result)
        usage = summed(by_model or [_session_usage(mapping(result.get("usage")))])
        return AgentReport(
            usage,
            free_or_unknown(amount(result.get("total_cost_usd")), usage),
            final_message=string(result.get("result")),
            problem=problem.kind,
            message=problem.message,
        )


def _pattern(path: str) -> str:
    """Return a path as a rule's pattern, which is one of gitignore's: its special characters are meant as they
    are.
    """
    return f"./{path.translate(_GLOB)}"


def _model_usage(used: Object) -> Usage:
    return _usage(
        fresh=count(used.get("inputTokens")),
        read=count(used.get("cacheReadInputTokens")),
        written=count(used.get("cacheCreationInputTokens")),
        written_1h=count(used.get("cacheCreationEphemeral1hInputTokens")),
        output=count(used.get("outputTokens")),
        thinking=count(used.get("thinkingTokens")),
    )


def _session_usage(used: Object) -> Usage:
    created, details = (
        mapping(used.get("cache_creation")),
        mapping(used.get("output_tokens_details")),
    )
    return _usage(
        fresh=count(used.get("input_tokens")),
        read=count(used.get("cache_read_input_tokens")),
        written=count(used.get("cache_creation_input_tokens")),
        written_1h=count(created.get("ephemeral_1h_input_tokens")),
        output=count(used.get("output_tokens")),
        thinking=count(details.get("thinking_tokens")),
    )


def _usage(
    *,
    fresh: int | None,
    read: int | None,
    written: int | None,
    written_1h: int | None,
    output: int | None,
    thinking: int | None,
) -> Usage:
    """Input as a whole; cache writes that are not known to be for an hour are for five minutes."""
    for_hour = None if written is None else written_1h or 0
    for_minutes = None if written is None or for_hour is None else written - for_hour
    return Usage(
        input_tokens=total((fresh, read, written)),
        cached_input_tokens=read,
        output_tokens=output,
        cache_write_tokens=count(for_minutes),
        cache_write_1h_tokens=for_hour,
        reasoning_tokens=thinking,
    )


def _problem(output: Output, result: Object) -> AgentProblem:
    """Return the failure of an API, which a reached limit or a denied write is not: those are the task's own."""
    denied = [mapping(item) for item in items(result.get("permission_denials"))]
    if result.get("is_error") is not True:
        return AgentProblem(message=_denials(denied))
    errors = " ".join(string(item) for item in items(result.get("errors")))
    for field in ("subtype", "terminal_reason"):
        if limit := _LIMITS.get(string(result.get(field))):
            return AgentProblem(message=clean(f"{limit}: {errors}" if errors else limit))
    message = string(result.get("result")) or errors
    return provider_problem(output, message, status=count(result.get("api_error_status")))


def _denials(denied: list[Object]) -> str:
    denials = [
        f"{string(item.get('tool_name'))} {string(mapping(item.get('tool_input')).get('file_path'))}"
        for item in denied[:_SHOWN_DENIALS]
    ]
    return clean(f"denied: {', '.join(denials)}") if denials else ""
