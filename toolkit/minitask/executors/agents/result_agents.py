"""Agents that print one JSON object at the end: Anthropic's claude, Cursor's cursor-agent, and Block's goose."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from minitask.errors import UsageError
from minitask.executors.agents.adapter import (
    NO_KEY,
    PROMPT_FILE,
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
    key_variable,
    of_type,
    prompt_bytes,
    prompt_path,
    records,
    string,
    summed,
    total,
    trailing_object,
    unless_given,
)
from minitask.executors.agents.faults import clean, exit_problem, failed_report, provider_problem
from minitask.executors.response import count, mapping
from minitask.ledger.record import Usage

MAX_PROMPT_BYTES = 100_000
"""Linux accepts no argument of 128 KiB or more."""
_MAX_TURNS = "60"
_LIMITS = {
    "error_max_budget_usd": "budget",
    "error_max_turns": "max turns",
    "budget_exhausted": "budget",
    "max_turns": "max turns",
}
_GLOB = str.maketrans({char: f"\\{char}" for char in "\\*?[]"})
_SHOWN_DENIALS = 5
_OF_MODEL = (
    *("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"),
    *("cacheCreationEphemeral1hInputTokens", "outputTokens", "thinkingTokens"),
)
_OF_SESSION = (
    *("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
    *("ephemeral_1h_input_tokens", "output_tokens", "thinking_tokens"),
)
"""claude's names of fresh input, cache reads, cache writes, one-hour cache writes, output and thinking tokens."""
_DETAILS = ("cache_creation", "output_tokens_details")
"""Objects with more of a session's counts, beside its own fields."""
_READ = ("cache_read_tokens", "cache_read_input_tokens", "cached_input_tokens")
_WRITTEN = ("cache_write_tokens", "cache_write_input_tokens", "cache_creation_input_tokens")
_FINE = ("", "completed", "success")


class ClaudeProgram(AgentProgram):
    """`claude -p`, which may read everything and write the files that the task lists; it cannot delete.

    It exits with 0 even if every write was denied, and reports "success" for failed calls, so its other fields decide.
    """

    name = "claude"
    caps_cost = True
    credentials = (".claude/.credentials.json", ".claude.json")
    variables = (
        *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"),
        "CLAUDE_CODE_OAUTH_TOKEN",
    )

    def invocation(self, job: Job) -> Invocation:
        """Return an invocation with the prompt on standard input; the repository's settings and hooks are ignored."""
        paths = [f"./{path.translate(_GLOB)}" for path in job.writes]  # gitignore patterns
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
        """Return a report with the usage by model if there is one, because the session's usage omits calls."""
        results = of_type("result", records(output.stdout))
        if not results:
            return failed_report(output)
        result = results[-1]
        models = mapping(result.get("modelUsage")).values()
        session = mapping(result.get("usage"))
        created, details = (mapping(session.get(name)) for name in _DETAILS)
        usages = [_claude_usage(mapping(used), _OF_MODEL) for used in models]
        usage = summed(usages or [_claude_usage({**created, **details, **session}, _OF_SESSION)])
        cost = free_or_unknown(amount(result.get("total_cost_usd")), usage)
        return AgentReport(
            usage, cost, string(result.get("result")), *_claude_problem(output, result)
        )


def _claude_usage(used: Object, names: Iterable[str]) -> Usage:
    """Return the usage from fields with these names; cache writes last five minutes unless counted as one-hour."""
    fresh, read, written, written_1h, output, thinking = (count(used.get(name)) for name in names)
    for_hour = None if written is None else written_1h or 0
    return Usage(
        input_tokens=total((fresh, read, written)),
        cached_input_tokens=read,
        output_tokens=output,
        cache_write_tokens=None if written is None else count(written - (for_hour or 0)),
        cache_write_1h_tokens=for_hour,
        reasoning_tokens=thinking,
    )


def _claude_problem(output: Output, result: Object) -> Problem:
    """Return an API failure; a limit or a denied write has no kind, because the task causes it."""
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
    """`cursor-agent -p`, which has no rules for single files, and reports no tokens or costs.

    On failure it exits with a code other than 0 and prints no JSON. Based on its documentation, not tested.
    """

    name = "cursor-agent"
    credentials = (".config/cursor/auth.json", ".cursor/cli-config.json")
    variables = ("CURSOR_API_KEY",)

    def invocation(self, job: Job) -> Invocation:
        """Return an invocation with the prompt as the last argument, on a new line if it starts with `-`.

        Raises `UsageError` for a prompt that is too long, and for an endpoint other than Cursor's own.
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
        """Return a report with its final message; its usage is unknown."""
        results = of_type("result", records(output.stdout))
        if not results:
            return failed_report(output)
        text = string(results[-1].get("result"))
        failed = results[-1].get("is_error") is True
        problem = provider_problem(output, text) if failed else exit_problem(output)
        return AgentReport(Usage(), None, text, *problem)


class GooseProgram(AgentProgram):
    """`goose run`; a model is named `PROVIDER/NAME`, or `NAME` at an endpoint in the config.

    Based on its documentation, not tested.
    """

    name = "goose"
    credentials = (".config/goose/config.yaml", ".config/goose/secrets.yaml")
    variables = (
        *("GOOSE_PROVIDER", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"),
        "OPENROUTER_API_KEY",
    )

    def invocation(self, job: Job) -> Invocation:
        """Return an invocation with the prompt in a file; goose's keyring is disabled."""
        provider, slash, model = job.model.partition("/")
        if job.base_url or not slash:
            provider, model = "openai" if job.base_url else "", job.model
        return Invocation(
            (
                *(self.program, "run", "--no-session", "-q", "-i", prompt_path(job)),
                *(("--provider", provider) if provider else ()),
                *("--model", model, "--output-format", "json"),
                *(*unless_given(job, "--max-turns", _MAX_TURNS), *job.extra_args),
            ),
            env={"GOOSE_MODE": "auto", "GOOSE_DISABLE_KEYRING": "1", **_endpoint(job)},
            files={PROMPT_FILE: job.prompt},
        )

    def report(self, output: Output) -> AgentReport:
        """Return a report with the usage in its metadata; older versions state only a total, which is ignored."""
        parsed = trailing_object(output.stdout)
        metadata = mapping(parsed.get("metadata"))
        usage = Usage() if output.timed_out else _goose_usage(metadata)
        cost = free_or_unknown(amount(metadata.get("cost_usd")), usage)
        return AgentReport(usage, cost, _goose_message(parsed), *_goose_problem(output, metadata))


def _endpoint(job: Job) -> dict[str, str]:
    """Return the variables of an endpoint, whose URL goose takes as a host and a path."""
    if not job.base_url:
        if not job.key:
            return {}
        google = job.model.startswith(("google/", "gemini"))
        return {"GOOGLE_API_KEY" if google else key_variable(job.model): job.key}
    url = urlsplit(job.base_url)
    return {
        "OPENAI_HOST": f"{url.scheme}://{url.netloc}",
        "OPENAI_BASE_PATH": f"{url.path.strip('/')}/chat/completions".lstrip("/"),
        "OPENAI_API_KEY": job.key or NO_KEY,
    }


def _goose_usage(metadata: Object) -> Usage:
    return Usage(
        input_tokens=count(metadata.get("input_tokens")),
        cached_input_tokens=_first(metadata, _READ),
        output_tokens=count(metadata.get("output_tokens")),
        cache_write_tokens=_first(metadata, _WRITTEN),
    )


def _first(metadata: Object, names: tuple[str, ...]) -> int | None:
    return next((count(metadata[name]) for name in names if name in metadata), None)


def _goose_message(parsed: Object) -> str:
    """Return the text of the agent's last message."""
    messages = [mapping(item) for item in items(parsed.get("messages"))]
    replies = [item for item in messages if item.get("role") == "assistant"]
    parts = items(replies[-1].get("content")) if replies else []
    return "".join(string(mapping(part).get("text")) for part in parts)


def _goose_problem(output: Output, metadata: Object) -> Problem:
    """Classify a failure; older versions exit with 0 after one, and report it only in their status."""
    kind, message = exit_problem(output)
    status, error = string(metadata.get("status")), string(metadata.get("error"))
    if kind or status.lower() in _FINE:
        return kind, message
    message = error or output.stderr.strip()
    return provider_problem(output, message) if message else (None, clean(f"status {status}"))
