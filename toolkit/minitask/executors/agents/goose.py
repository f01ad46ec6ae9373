"""Block's goose: a prompt from a file, one JSON object at the end; written to its documentation, not measured."""

from __future__ import annotations

from urllib.parse import urlsplit

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
    free_or_unknown,
    items,
    key_variable,
    prompt_path,
    string,
    trailing_object,
    unless_given,
)
from minitask.executors.agents.faults import clean, exit_problem, provider_problem
from minitask.executors.response import count, mapping
from minitask.ledger.usage import Usage

_MAX_TURNS = "60"
_READ = ("cache_read_tokens", "cache_read_input_tokens", "cached_input_tokens")
_WRITTEN = ("cache_write_tokens", "cache_write_input_tokens", "cache_creation_input_tokens")
_FINE = ("", "completed", "success")


class GooseProgram(AgentProgram):
    """`goose run`; a model is called `PROVIDER/NAME`, or just `NAME` at an endpoint of the config's own."""

    name = "goose"
    credentials = (".config/goose/config.yaml", ".config/goose/secrets.yaml")
    variables = (
        *("GOOSE_PROVIDER", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"),
        "OPENROUTER_API_KEY",
    )

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt in a file; no keyring is asked for a key."""
        provider, model = ("openai", job.model) if job.base_url else ("", job.model)
        if not job.base_url and "/" in job.model:
            provider, _, model = job.model.partition("/")
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
        """Return the usage in its metadata; older versions give only a total, which is of no use."""
        parsed = trailing_object(output.stdout)
        metadata = mapping(parsed.get("metadata"))
        usage = Usage() if output.timed_out else _usage(metadata)
        cost = free_or_unknown(amount(metadata.get("cost_usd")), usage)
        return AgentReport(usage, cost, _last_message(parsed), *_problem(output, metadata))


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


def _usage(metadata: Object) -> Usage:
    return Usage(
        input_tokens=count(metadata.get("input_tokens")),
        cached_input_tokens=_first(metadata, _READ),
        output_tokens=count(metadata.get("output_tokens")),
        cache_write_tokens=_first(metadata, _WRITTEN),
    )


def _first(metadata: Object, names: tuple[str, ...]) -> int | None:
    return next((count(metadata[name]) for name in names if name in metadata), None)


def _last_message(parsed: Object) -> str:
    """Return the text of the agent's last message."""
    messages = [mapping(item) for item in items(parsed.get("messages"))]
    replies = [item for item in messages if item.get("role") == "assistant"]
    parts = items(replies[-1].get("content")) if replies else []
    return "".join(string(mapping(part).get("text")) for part in parts)


def _problem(output: Output, metadata: Object) -> Problem:
    """Classify a failure; older versions exit with 0 after one, and name it in their status alone."""
    kind, message = exit_problem(output)
    status, error = string(metadata.get("status")), string(metadata.get("error"))
    if kind or status.lower() in _FINE:
        return kind, message
    message = error or output.stderr.strip()
    return provider_problem(output, message) if message else (None, clean(f"status {status}"))
