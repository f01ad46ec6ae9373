"""Google's gemini: a prompt on standard input, one JSON object on standard output, or on the other where it failed."""

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
)
from minitask.executors.agents.faults import (
    AgentProblem,
    clean,
    exit_problem,
    kind_of_status,
    provider_problem,
)
from minitask.executors.agents.reading import count, mapping, string, summed, total, trailing_object
from minitask.executors.request import FailureKind
from minitask.ledger.usage import Usage

if TYPE_CHECKING:
    from minitask.executors.agents.reading import Object

_SETTINGS = ".gemini/settings.json"
_TURN_LIMIT = 53
_OWN_CODES = {
    41: FailureKind.AUTH,
    42: FailureKind.BAD_REQUEST,
    44: FailureKind.BAD_REQUEST,
    52: FailureKind.BAD_REQUEST,
}
"""gemini's own exit codes: no login, bad input, no sandbox, bad settings."""


class GeminiProgram:
    """`gemini`, all of whose tools are approved: it has no rules for single files."""

    name = "gemini"
    program = "gemini"
    caps_cost = False
    version_argv: tuple[str, ...] = ("gemini", "--version")
    litter: tuple[str, ...] = ()
    credentials: tuple[str, ...] = (".gemini/oauth_creds.json", ".gemini/google_accounts.json")
    variables: tuple[str, ...] = (
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GENAI_USE_GCA",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
    )

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt on standard input; settings that keep it quiet, and to its key where it has one.

        With an endpoint of the config's own it does not find out by itself that it is to use a key.
        """
        settings: dict[str, object] = {
            "general": {"enableAutoUpdate": False},
            "privacy": {"usageStatisticsEnabled": False},
        }
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
            files={_SETTINGS: json.dumps(settings)},
        )

    def report(self, output: Output) -> AgentReport:
        """Return the sum over all models that took part, its helpers' too."""
        parsed = trailing_object(output.stdout) or trailing_object(output.stderr)
        models = mapping(mapping(parsed.get("stats")).get("models"))
        problem = _problem(output, mapping(parsed.get("error")))
        return AgentReport(
            summed(_usage(mapping(model)) for model in models.values()),
            final_message=string(parsed.get("response")),
            problem=problem.kind,
            message=problem.message,
        )


def _usage(model: Object) -> Usage:
    """One model: `prompt` includes what was cached, `candidates` no thoughts."""
    tokens = mapping(model.get("tokens"))
    thoughts = count(tokens.get("thoughts"))
    return Usage(
        requests=count(mapping(model.get("api")).get("totalRequests")),
        input_tokens=total((count(tokens.get("prompt")), count(tokens.get("tool", 0)))),
        cached_input_tokens=count(tokens.get("cached")),
        output_tokens=total((count(tokens.get("candidates")), thoughts)),
        reasoning_tokens=thoughts,
    )


def _problem(output: Output, error: Object) -> AgentProblem:
    """Classify an error, whose code is an HTTP status or one of gemini's own exit codes."""
    if not error:
        return exit_problem(output)
    message, code = string(error.get("message")), count(error.get("code"))
    if code == _TURN_LIMIT:
        return AgentProblem(message=clean(message))
    if code in _OWN_CODES and not output.timed_out:
        return AgentProblem(_OWN_CODES[code], clean(message))
    status = code if kind_of_status(code) else None
    return provider_problem(output, message, status=status)
