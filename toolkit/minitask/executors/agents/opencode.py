"""opencode: its whole configuration in one variable, the files that it may edit among it; events as JSON lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from minitask.executors.agents.adapter import AgentReport, Invocation, Job, Output, prompt_bytes
from minitask.executors.agents.faults import AgentProblem, clean, exit_problem, provider_problem
from minitask.executors.agents.reading import (
    amount,
    count,
    free_or_unknown,
    is_whole,
    mapping,
    records,
    string,
    summed,
    total,
)
from minitask.ledger.usage import Usage

if TYPE_CHECKING:
    from decimal import Decimal

    from minitask.executors.agents.reading import Object

_OWN = "minitask"
"""The name of the provider that an endpoint of the config's own becomes."""
_KEY = "MINITASK_AGENT_KEY"
_SHOWN_DENIALS = 5


class OpencodeProgram:
    """`opencode run`, which may read everything and edit what the task lists, and start nothing.

    Without `--title` it would ask a model for one, and not count that; a sub-agent's steps would not be counted either.
    """

    name = "opencode"
    program = "opencode"
    caps_cost = False
    version_argv: tuple[str, ...] = ("opencode", "--version")
    litter: tuple[str, ...] = ()
    credentials: tuple[str, ...] = (".local/share/opencode/auth.json",)
    variables: tuple[str, ...] = (
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "OPENROUTER_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_GENERATIVE_AI_API_KEY",
        "DEEPSEEK_API_KEY",
    )

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt on standard input; the repository's own opencode.json is not read."""
        model = f"{_OWN}/{job.model}" if job.base_url else job.model
        config = {
            "share": "disabled",
            "autoupdate": False,
            "permission": _permissions(job),
            "provider": _providers(job),
        }
        return Invocation(
            (
                *(self.program, "run", "--pure", "--format", "json", "--title", _OWN, "--auto"),
                *("-m", model, "--dir", str(job.workspace), *job.extra_args),
            ),
            stdin=prompt_bytes(job),
            optional={"--pure": 0, "--auto": 0},
            env={
                "OPENCODE_CONFIG_CONTENT": json.dumps(config),
                "OPENCODE_DISABLE_PROJECT_CONFIG": "1",
                "OPENCODE_DISABLE_AUTOUPDATE": "1",
                "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
                **({_KEY: job.key} if job.key else {}),
            },
        )

    def report(self, output: Output) -> AgentReport:
        """Return the sum of its steps, each of which is one request; unknown if one did not finish."""
        events = records(output.stdout)
        steps = [mapping(event.get("part")) for event in _of(events, "step_finish")]
        open_steps = len(_of(events, "step_start")) > len(steps)
        lost = output.timed_out or open_steps or not is_whole(output.stdout)
        usage = summed([] if lost else [_usage(step) for step in steps])
        texts = [string(mapping(event.get("part")).get("text")) for event in _of(events, "text")]
        problem = _problem(output, events)
        return AgentReport(
            usage,
            None if lost else free_or_unknown(_cost(steps), usage),
            final_message=texts[-1] if texts else "",
            problem=problem.kind,
            message=problem.message,
        )


def _permissions(job: Job) -> Object:
    """Return what it may do; of rules for edits the last that matches holds."""
    edits = {"*": "deny", **dict.fromkeys(job.writes, "allow")}
    reading = dict.fromkeys(("read", "glob", "grep", "list"), "allow")
    return {"*": "deny", **reading, "edit": edits}


def _providers(job: Job) -> Object:
    """Return the endpoint of the config's own, or just the key of the provider that the model names."""
    options: dict[str, object] = {"apiKey": f"{{env:{_KEY}}}"} if job.key else {}
    if job.base_url:
        return {
            _OWN: {
                "npm": "@ai-sdk/openai-compatible",
                "name": _OWN,
                "options": {"baseURL": job.base_url, **options},
                "models": {job.model: {}},
            }
        }
    return {job.model.partition("/")[0]: {"options": options}} if job.key else {}


def _of(events: tuple[Object, ...], kind: str) -> list[Object]:
    return [event for event in events if event.get("type") == kind]


def _usage(step: Object) -> Usage:
    """One step: opencode keeps cached input and reasoning apart from input and output."""
    tokens = mapping(step.get("tokens"))
    cache = mapping(tokens.get("cache"))
    read, written = count(cache.get("read")), count(cache.get("write"))
    reasoning = count(tokens.get("reasoning"))
    return Usage(
        requests=1,
        input_tokens=total((count(tokens.get("input")), read, written)),
        cached_input_tokens=read,
        output_tokens=total((count(tokens.get("output")), reasoning)),
        cache_write_tokens=written,
        cache_write_1h_tokens=None if written is None else 0,
        reasoning_tokens=reasoning,
    )


def _cost(steps: list[Object]) -> Decimal | None:
    costs = [cost for step in steps if (cost := amount(step.get("cost"))) is not None]
    return sum(costs[1:], costs[0]) if costs and len(costs) == len(steps) else None


def _problem(output: Output, events: tuple[Object, ...]) -> AgentProblem:
    errors = [mapping(event.get("error")) for event in _of(events, "error")]
    if not errors:
        problem = exit_problem(output)
        return problem if problem.kind else AgentProblem(message=_denials(events))
    data = mapping(errors[-1].get("data"))
    message = string(data.get("message")) or string(errors[-1].get("name"))
    return provider_problem(output, message, status=count(data.get("statusCode")))


def _denials(events: tuple[Object, ...]) -> str:
    parts = [mapping(event.get("part")) for event in _of(events, "tool_use")]
    refused = [
        f"{string(part.get('tool'))} {string(mapping(state.get('input')).get('filePath'))}"
        for part in parts
        if "rule which prevents" in string((state := mapping(part.get("state"))).get("error"))
    ]
    return clean(f"denied: {', '.join(refused[:_SHOWN_DENIALS])}") if refused else ""
