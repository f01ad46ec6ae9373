"""Anthropic's claude, and Cursor's cursor-agent, whose output has the same form: one JSON object at the end."""

from __future__ import annotations

from minitask.errors import UsageError
from minitask.executors.agents.adapter import (
    AgentProgram,
    AgentReport,
    Invocation,
    Job,
    Object,
    Output,
    Problem,
    amount,
    endpoint_variables,
    free_or_unknown,
    items,
    of_type,
    prompt_bytes,
    records,
    string,
    summed,
    total,
    unless_given,
)
from minitask.executors.agents.faults import clean, exit_problem, failed_report, provider_problem
from minitask.executors.response import count, mapping
from minitask.ledger.usage import Usage

MAX_PROMPT_BYTES = 100_000
"""Linux passes no argument of 128 KiB or more."""
_MAX_TURNS = "60"
_LIMITS = {
    "error_max_budget_usd": "budget",
    "error_max_turns": "max turns",
    "budget_exhausted": "budget",
    "max_turns": "max turns",
}
_GLOB = str.maketrans({char: f"\\{char}" for char in "\\*?[]"})
_SHOWN_DENIALS = 5


class ClaudeProgram(AgentProgram):
    """`claude -p`, which may read everything and write what the task lists; it cannot delete.

    It exits with 0 though every write was denied, and says "success" of a failed call: only its fields are believed.
    """

    name = "claude"
    caps_cost = True
    credentials = (".claude/.credentials.json", ".claude.json")
    variables = (
        *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"),
        "CLAUDE_CODE_OAUTH_TOKEN",
    )

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt on standard input; a repository's own settings, hooks and servers are not loaded."""
        paths = [
            f"./{path.translate(_GLOB)}" for path in job.writes
        ]  # patterns of gitignore's kind
        rules = [f"{tool}({path})" for path in paths for tool in ("Edit", "Write")]
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
        """Return the usage by model, where it is given: that of the session leaves calls out."""
        results = of_type("result", records(output.stdout))
        if not results:
            return failed_report(output)
        result = results[-1]
        models = mapping(result.get("modelUsage")).values()
        usages = [_model_usage(mapping(used)) for used in models]
        usage = summed(usages or [_session_usage(mapping(result.get("usage")))])
        cost = free_or_unknown(amount(result.get("total_cost_usd")), usage)
        return AgentReport(usage, cost, string(result.get("result")), *_problem(output, result))


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
    created = mapping(used.get("cache_creation"))
    details = mapping(used.get("output_tokens_details"))
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
    """Return the usage with its input as a whole; cache writes last five minutes unless known to last an hour."""
    for_hour = None if written is None else written_1h or 0
    return Usage(
        input_tokens=total((fresh, read, written)),
        cached_input_tokens=read,
        output_tokens=output,
        cache_write_tokens=None if written is None else count(written - (for_hour or 0)),
        cache_write_1h_tokens=for_hour,
        reasoning_tokens=thinking,
    )


def _problem(output: Output, result: Object) -> Problem:
    """Return the failure of an API; a reached limit or a denied write has no kind: those are the task's own."""
    if result.get("is_error") is not True:
        return None, _denials(result)
    errors = " ".join(string(item) for item in items(result.get("errors")))
    for field in ("subtype", "terminal_reason"):
        if limit := _LIMITS.get(string(result.get(field))):
            return None, clean(f"{limit}: {errors}" if errors else limit)
    message = string(result.get("result")) or errors
    return provider_problem(output, message, status=count(result.get("api_error_status")))


def _denials(result: Object) -> str:
    denied = [mapping(item) for item in items(result.get("permission_denials"))]
    denials = [
        f"{string(item.get('tool_name'))} {string(mapping(item.get('tool_input')).get('file_path'))}"
        for item in denied[:_SHOWN_DENIALS]
    ]
    return clean(f"denied: {', '.join(denials)}") if denials else ""


class CursorProgram(AgentProgram):
    """`cursor-agent -p`: it has no rules for single files, and says nothing of tokens or costs.

    Where it fails it exits with another code than 0 and prints no JSON. Written to its documentation, not measured.
    """

    name = "cursor-agent"
    credentials = (".config/cursor/auth.json", ".cursor/cli-config.json")
    variables = ("CURSOR_API_KEY",)

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt as the last argument, on a line of its own, lest it be taken for an option.

        Raises `UsageError` for a prompt that does not fit there, and for an endpoint other than Cursor's own.
        """
        size = len(prompt_bytes(job))
        if size > MAX_PROMPT_BYTES:
            raise UsageError(
                f"cursor-agent takes its prompt as an argument, and {size} bytes are too many",
                hint=f"list fewer lines to read ({MAX_PROMPT_BYTES} bytes fit), or use another executor",
            )
        if job.base_url:
            raise UsageError(
                "cursor-agent only works with Cursor",
                hint="remove base_url, or use another executor",
            )
        prompt = f"\n{job.prompt}" if job.prompt.startswith("-") else job.prompt
        return Invocation(
            (
                *(self.program, "-p", "--force", "--trust", "--workspace", str(job.workspace)),
                *("--model", job.model, "--output-format", "json", *job.extra_args, prompt),
            ),
            env={"CURSOR_API_KEY": job.key} if job.key else {},
        )

    def report(self, output: Output) -> AgentReport:
        """Return its final message; its usage is unknown."""
        results = of_type("result", records(output.stdout))
        if not results:
            return failed_report(output)
        text = string(results[-1].get("result"))
        failed = results[-1].get("is_error") is True
        problem = provider_problem(output, text) if failed else exit_problem(output)
        return AgentReport(Usage(), None, text, *problem)
