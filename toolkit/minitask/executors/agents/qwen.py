"""qwen: a prompt on standard input, one JSON array at the end, unless a limit ended it: then usage is lost."""

from __future__ import annotations

import json
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
from minitask.executors.agents.faults import (
    AgentProblem,
    clean,
    exit_problem,
    find_kind,
    provider_problem,
)
from minitask.executors.agents.reading import (
    count,
    mapping,
    records,
    string,
    total,
    trailing_object,
)
from minitask.executors.request import FailureKind
from minitask.ledger.usage import Usage

if TYPE_CHECKING:
    from minitask.executors.agents.reading import Object

_MAX_TOOL_CALLS = "200"
_SETTINGS = ".qwen/settings.json"
_QUIET = {
    "general": {"enableAutoUpdate": False},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
}
_LIMIT_EXITS = (53, 55)


class QwenProgram:
    """`qwen` against an OpenAI-compatible endpoint, all of whose tools are approved."""

    name = "qwen"
    program = "qwen"
    caps_cost = False
    version_argv: tuple[str, ...] = ("qwen", "--version")
    litter: tuple[str, ...] = ()
    credentials: tuple[str, ...] = (".qwen/oauth_creds.json",)
    variables: tuple[str, ...] = ("OPENAI_API_KEY", "OPENAI_BASE_URL")

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt on standard input; it stops itself when its time is up."""
        seconds = f"{max(1, int(job.seconds))}s"
        return Invocation(
            (
                *(self.program, "--auth-type", "openai", "-m", job.model),
                *("--approval-mode", "yolo", "-o", "json"),
                *unless_given(job, "--max-wall-time", seconds),
                *(*unless_given(job, "--max-tool-calls", _MAX_TOOL_CALLS), *job.extra_args),
            ),
            stdin=prompt_bytes(job),
            files={_SETTINGS: json.dumps(_QUIET)},
            optional={"--max-wall-time": 1, "--max-tool-calls": 1},
            env={
                "QWEN_CODE_SUPPRESS_YOLO_WARNING": "1",
                **endpoint_variables(job, url="OPENAI_BASE_URL", key="OPENAI_API_KEY"),
            },
        )

    def report(self, output: Output) -> AgentReport:
        """Return the result's usage, which is the sum of all messages'."""
        results = [item for item in records(output.stdout) if item.get("type") == "result"]
        result: Object = results[-1] if results else {}
        problem = _problem(output, result)
        return AgentReport(
            _usage(result) if result else Usage(),
            final_message=string(result.get("result")),
            problem=problem.kind,
            message=problem.message,
        )


def _usage(result: Object) -> Usage:
    """Its input includes what was cached, its output the thoughts; those stand in the statistics alone."""
    used = mapping(result.get("usage"))
    models = [
        mapping(item) for item in mapping(mapping(result.get("stats")).get("models")).values()
    ]
    return Usage(
        requests=_over(models, "api", "totalRequests"),
        input_tokens=count(used.get("input_tokens")),
        cached_input_tokens=count(used.get("cache_read_input_tokens")),
        output_tokens=count(used.get("output_tokens")),
        reasoning_tokens=_over(models, "tokens", "thoughts"),
    )


def _over(models: list[Object], group: str, name: str) -> int | None:
    """Return the sum of one number over all models; unknown without any model."""
    counts = [count(mapping(model.get(group)).get(name)) for model in models]
    return total(counts) if counts else None


def _problem(output: Output, result: Object) -> AgentProblem:
    """Return the failure of an API or a timeout, which a reached limit or a loop is not: those are the task's own."""
    if output.timed_out:
        return exit_problem(output)
    error = string(mapping(result.get("error")).get("message"))
    if not result:
        error = string(mapping(trailing_object(output.stderr).get("error")).get("message"))
        if output.exit_code in _LIMIT_EXITS:
            stuck = FailureKind.STUCK if "wall" in error.lower() else None
            return AgentProblem(stuck, clean(error or f"exit code {output.exit_code}: a limit"))
    if error:
        api = "API Error" in error or find_kind(error)
        return provider_problem(output, error) if api else AgentProblem(message=clean(error))
    return exit_problem(output)
