"""Google's gemini, and qwen, which began as its fork: the prompt on standard input, JSON at the end."""

from __future__ import annotations

import json

from minitask.executors.agents.adapter import (
    AgentProgram,
    AgentReport,
    Invocation,
    Job,
    Object,
    Output,
    Problem,
    endpoint_variables,
    of_type,
    prompt_bytes,
    records,
    string,
    summed,
    total,
    trailing_object,
    unless_given,
)
from minitask.executors.agents.faults import clean, exit_problem, find_kind, provider_problem
from minitask.executors.request import FailureKind
from minitask.executors.response import count, mapping
from minitask.ledger.record import Usage

_QUIET = {"general": {"enableAutoUpdate": False}, "privacy": {"usageStatisticsEnabled": False}}
_TURN_LIMIT = 53
_OWN_CODES = {
    41: FailureKind.AUTH,
    42: FailureKind.BAD_REQUEST,
    44: FailureKind.BAD_REQUEST,
    52: FailureKind.BAD_REQUEST,
}
"""gemini's own exit codes: no login, bad input, no sandbox, bad settings."""
_MAX_TOOL_CALLS = "200"
_LIMIT_EXITS = (53, 55)
"""qwen's exit codes at a limit."""


class GeminiProgram(AgentProgram):
    """`gemini`, with all tools approved, because it has no rules for single files."""

    name = "gemini"
    credentials = (".gemini/oauth_creds.json", ".gemini/google_accounts.json")
    variables = (
        *("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENAI_USE_GCA", "GOOGLE_GENAI_USE_VERTEXAI"),
        *("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
    )

    def invocation(self, job: Job) -> Invocation:
        """Return an invocation with the prompt on standard input, and settings without updates and telemetry.

        With a key or an endpoint, the settings also select key authentication, which gemini does not detect.
        """
        settings: dict[str, object] = dict(_QUIET)
        if job.key or job.base_url:
            settings["security"] = {"auth": {"selectedType": "gemini-api-key"}}
        return Invocation(
            (
                *(self.program, "-m", job.model, "--skip-trust", "--approval-mode", "yolo"),
                *("-o", "json", *job.extra_args),
            ),
            stdin=prompt_bytes(job),
            optional={"--skip-trust": 0},
            env=endpoint_variables(job, url="GOOGLE_GEMINI_BASE_URL", key="GEMINI_API_KEY"),
            files={".gemini/settings.json": json.dumps(settings)},
        )

    def report(self, output: Output) -> AgentReport:
        """Return a report with the sum over all models, including helpers; a failure may be on standard error."""
        parsed = trailing_object(output.stdout) or trailing_object(output.stderr)
        usage = summed(map(_gemini_usage, _models(parsed)))
        problem = _gemini_problem(output, mapping(parsed.get("error")))
        return AgentReport(usage, None, string(parsed.get("response")), *problem)


def _models(parsed: Object) -> list[Object]:
    """Return the statistics of each model."""
    return [mapping(item) for item in mapping(mapping(parsed.get("stats")).get("models")).values()]


def _gemini_usage(model: Object) -> Usage:
    """Return the usage of one model: `prompt` includes cached tokens, `candidates` excludes thoughts."""
    tokens = mapping(model.get("tokens"))
    thoughts = count(tokens.get("thoughts"))
    return Usage(
        requests=count(mapping(model.get("api")).get("totalRequests")),
        input_tokens=total((count(tokens.get("prompt")), count(tokens.get("tool", 0)))),
        cached_input_tokens=count(tokens.get("cached")),
        output_tokens=total((count(tokens.get("candidates")), thoughts)),
        reasoning_tokens=thoughts,
    )


def _gemini_problem(output: Output, error: Object) -> Problem:
    """Classify an error, whose code is an HTTP status or one of gemini's own exit codes."""
    if not error:
        return exit_problem(output)
    message, code = string(error.get("message")), count(error.get("code"))
    if code == _TURN_LIMIT:
        return None, clean(message)
    if code in _OWN_CODES and not output.timed_out:
        return _OWN_CODES[code], clean(message)
    return provider_problem(output, message, status=code)


class QwenProgram(AgentProgram):
    """`qwen` with an OpenAI-compatible endpoint, with all tools approved."""

    name = "qwen"
    credentials = (".qwen/oauth_creds.json",)
    variables = ("OPENAI_API_KEY", "OPENAI_BASE_URL")

    def invocation(self, job: Job) -> Invocation:
        """Return an invocation with the prompt on standard input; qwen stops itself at its time limit."""
        return Invocation(
            (
                *(self.program, "--auth-type", "openai", "-m", job.model),
                *("--approval-mode", "yolo", "-o", "json"),
                *unless_given(job, "--max-wall-time", f"{max(1, int(job.seconds))}s"),
                *(*unless_given(job, "--max-tool-calls", _MAX_TOOL_CALLS), *job.extra_args),
            ),
            stdin=prompt_bytes(job),
            files={".qwen/settings.json": json.dumps({**_QUIET, "telemetry": {"enabled": False}})},
            optional={"--max-wall-time": 1, "--max-tool-calls": 1},
            env={
                "QWEN_CODE_SUPPRESS_YOLO_WARNING": "1",
                **endpoint_variables(job, url="OPENAI_BASE_URL", key="OPENAI_API_KEY"),
            },
        )

    def report(self, output: Output) -> AgentReport:
        """Return a report with the result's usage, the sum of all messages; it is unknown after a limit."""
        results = of_type("result", records(output.stdout))
        result: Object = results[-1] if results else {}
        usage = _qwen_usage(result) if result else Usage()
        return AgentReport(
            usage, None, string(result.get("result")), *_qwen_problem(output, result)
        )


def _qwen_usage(result: Object) -> Usage:
    """Return the usage: input includes cached tokens and output thoughts, whose number is in the statistics."""
    used, models = mapping(result.get("usage")), _models(result)

    def over_models(group: str, name: str) -> int | None:
        counts = [count(mapping(model.get(group)).get(name)) for model in models]
        return total(counts) if counts else None

    return Usage(
        requests=over_models("api", "totalRequests"),
        input_tokens=count(used.get("input_tokens")),
        cached_input_tokens=count(used.get("cache_read_input_tokens")),
        output_tokens=count(used.get("output_tokens")),
        reasoning_tokens=over_models("tokens", "thoughts"),
    )


def _qwen_problem(output: Output, result: Object) -> Problem:
    """Return an API failure or a timeout; a limit or a loop has no kind, because the task causes it."""
    if output.timed_out:
        return exit_problem(output)
    error = string(mapping(result.get("error")).get("message"))
    if not result:
        error = string(mapping(trailing_object(output.stderr).get("error")).get("message"))
        if output.exit_code in _LIMIT_EXITS:
            stuck = FailureKind.STUCK if "wall" in error.lower() else None
            return stuck, clean(error or f"exit code {output.exit_code}: a limit")
    if not error:
        return exit_problem(output)
    if "API Error" in error or find_kind(error):
        return provider_problem(output, error)
    return None, clean(error)
