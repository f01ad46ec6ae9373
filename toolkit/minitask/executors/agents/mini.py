"""mini-swe-agent: a prompt from a file of settings, a trajectory in a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from minitask.executors.agents.adapter import (
    LITELLM_KEYS,
    AgentReport,
    Invocation,
    Job,
    Output,
    litellm_model,
    litellm_variables,
)
from minitask.executors.agents.faults import (
    AgentProblem,
    clean,
    exit_problem,
    failed_report,
    provider_problem,
)
from minitask.executors.agents.reading import (
    amount,
    count,
    free_or_unknown,
    items,
    mapping,
    parse,
    string,
    summed,
)
from minitask.ledger.usage import Usage, plus

if TYPE_CHECKING:
    from minitask.executors.agents.reading import Object

_TASK = "task.yaml"
_TRAJECTORY = "trajectory.json"
_DEFAULTS = "../config/mini.yaml"
"""mini's own settings, looked up below the folder that holds them: a repository may have a `mini.yaml` of its own."""


class MiniProgram:
    """`mini`, whose only tool is a shell; it exits with 0 at its cost limit too."""

    name = "mini"
    program = "mini"
    caps_cost = False
    version_argv: tuple[str, ...] = ("mini", "--help")
    litter: tuple[str, ...] = ()
    credentials: tuple[str, ...] = (".config/mini-swe-agent/.env",)
    variables: tuple[str, ...] = LITELLM_KEYS

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt as a setting in a file (JSON is YAML), since `-t` would limit its size."""
        cost = () if job.max_cost_usd is None else ("-l", f"{job.max_cost_usd:f}")
        return Invocation(
            (
                *(self.program, "-c", _DEFAULTS, "-c", str(job.home / _TASK)),
                *("-m", litellm_model(job), "-y", "--exit-immediately", *cost),
                *("-o", str(job.home / _TRAJECTORY), *job.extra_args),
            ),
            env={
                "MSWEA_CONFIGURED": "true",
                "MSWEA_SILENT_STARTUP": "1",
                "MSWEA_COST_TRACKING": "ignore_errors",
                **litellm_variables(job),
            },
            files={_TASK: json.dumps({"run": {"task": job.prompt}})},
            outputs=(_TRAJECTORY,),
        )

    def report(self, output: Output) -> AgentReport:
        """Return the sum of its messages' usage; the trajectory is written as it goes, so one may be missing after
        a kill.
        """
        trajectory = mapping(parse(output.files.get(_TRAJECTORY, "")))
        info = mapping(trajectory.get("info"))
        if not info:
            return failed_report(output)
        messages = [mapping(item) for item in items(trajectory.get("messages"))]
        stats = mapping(info.get("model_stats"))
        usage = Usage() if output.timed_out else _usage(messages, count(stats.get("api_calls")))
        cost = None if output.timed_out else amount(stats.get("instance_cost"))
        problem = _problem(output, string(info.get("exit_status")), messages)
        return AgentReport(
            usage,
            free_or_unknown(cost, usage),
            final_message=string(info.get("submission")),
            problem=problem.kind,
            message=problem.message,
        )


def _usage(messages: list[Object], calls: int | None) -> Usage:
    """Return what the replies cost, and how many calls were made for them."""
    responses = [mapping(mapping(message.get("extra")).get("response")) for message in messages]
    counted = summed(_reply_usage(mapping(item["usage"])) for item in responses if "usage" in item)
    return plus(counted, Usage(calls, 0, 0, 0, 0, 0, 0))


def _reply_usage(used: Object) -> Usage:
    """One reply's usage as OpenAI counts it, except for the requests."""
    sent, received = (
        mapping(used.get(name)) for name in ("prompt_tokens_details", "completion_tokens_details")
    )
    return Usage(
        requests=0,
        input_tokens=count(used.get("prompt_tokens")),
        cached_input_tokens=count(sent.get("cached_tokens")),
        output_tokens=count(used.get("completion_tokens")),
        reasoning_tokens=count(received.get("reasoning_tokens")),
    )


def _problem(output: Output, status: str, messages: list[Object]) -> AgentProblem:
    """Return an exception ends a trajectory under its own name; a limit is the task's affair."""
    if output.timed_out or not status:
        return exit_problem(output)
    last = messages[-1] if messages else {}
    error = string(mapping(last.get("extra")).get("exception_str"))
    if error:
        return provider_problem(output, f"{status}: {error}")
    return AgentProblem() if status == "Submitted" else AgentProblem(message=clean(status))
