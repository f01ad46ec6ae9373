"""Agents built on LiteLLM: aider and mini-swe-agent."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from minitask.executors.agents.adapter import (
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
    parse,
    plain,
    prompt_path,
    string,
    summed,
)
from minitask.executors.agents.faults import clean, exit_problem, failed_report, provider_problem
from minitask.executors.response import count, mapping
from minitask.ledger.record import Usage, plus
from minitask.patterns import lazy_pattern

_KEYS = (
    *("OPENAI_API_KEY", "OPENAI_API_BASE", "ANTHROPIC_API_KEY"),
    *("GEMINI_API_KEY", "DEEPSEEK_API_KEY", "OPENROUTER_API_KEY"),
)
_SHOWN = 4000
_NUMBER = r"([\d.]{1,12})([kM]?)"
_TOKENS = lazy_pattern(
    rf"^Tokens: {_NUMBER} sent(?:, {_NUMBER} cache write)?(?:, {_NUMBER} cache hit)?, {_NUMBER} received\.",
    re.MULTILINE,
)
_COST = lazy_pattern(r"\bCost: \$[\d.]{1,12} message, \$(\d{1,9}(?:\.\d{1,12})?) session\.")
_FAULT = lazy_pattern(r"^litellm\.\w+: .*", re.MULTILINE)
_UNITS = {"": 1, "k": 1000, "M": 1_000_000}
_ALWAYS = ("--yes-always", "--no-auto-commits", "--no-dirty-commits", "--no-gitignore")
_IF_KNOWN = (
    *("--no-stream", "--no-pretty", "--no-analytics", "--no-check-update", "--no-detect-urls"),
    *("--no-show-release-notes", "--no-show-model-warnings", "--no-auto-lint"),
    "--no-suggest-shell-commands",
)
_TASK = "task.yaml"
_TRAJECTORY = "trajectory.json"
_DEFAULTS = "../config/mini.yaml"
"""mini's default settings, relative to their folder, because a repository may have its own `mini.yaml`."""


def _model(job: Job) -> str:
    """Return LiteLLM's name of the model: models at an endpoint in the config get OpenAI's prefix."""
    is_custom = job.base_url and not job.model.startswith("openai/")
    return f"openai/{job.model}" if is_custom else job.model


def _variables(job: Job) -> dict[str, str]:
    """Return the endpoint and its key for LiteLLM, and make it use its built-in price list."""
    key = "OPENAI_API_KEY" if job.base_url else key_variable(job.model)
    return {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        **endpoint_variables(job, url="OPENAI_API_BASE", key=key),
    }


class AiderProgram(AgentProgram):
    """`aider` with one message; it may still edit files outside the task, which the scope gate detects.

    It always exits with 0, so failures are found in its output; its counts are rounded.
    """

    name = "aider"
    litter = (".aider*",)
    credentials = (".aider/oauth-keys.env",)
    variables = _KEYS

    def invocation(self, job: Job) -> Invocation:
        """Return an invocation with the prompt in a file; histories are written to its home."""
        reads = [part for path in job.reads for part in ("--read", plain(path))]
        return Invocation(
            (
                *(self.program, "--message-file", prompt_path(job), "--model", _model(job)),
                *("--edit-format", "diff", "--map-tokens", "0", *_ALWAYS, *_IF_KNOWN),
                *("--input-history-file", str(job.home / "aider.input")),
                *("--chat-history-file", str(job.home / "aider.chat.md")),
                *(*reads, *job.extra_args, *map(plain, job.writes)),
            ),
            env=_variables(job),
            optional=dict.fromkeys(_IF_KNOWN, 0),
            files={PROMPT_FILE: job.prompt},
        )

    def report(self, output: Output) -> AgentReport:
        """Return a report with the sum of its `Tokens:` lines, one per request, and the session's last cost.

        Its problem is the last error without a later answer; earlier errors were overcome by a retry.
        """
        text = output.stdout
        lines, costs = list(_TOKENS.finditer(text)), _COST.findall(text)
        errors = _FAULT.findall(text, lines[-1].end() if lines else 0)
        return AgentReport(
            Usage() if output.timed_out else summed(map(_line_usage, lines)),
            amount(Decimal(costs[-1])) if len(costs) == len(lines) > 0 else None,
            text[-_SHOWN:].strip(),
            *(provider_problem(output, errors[-1]) if errors else exit_problem(output)),
        )


def _line_usage(line: re.Match[str]) -> Usage:
    """Return the usage on one line; aider includes cache writes in the tokens sent, too, so subtract them."""
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
    """Return `1.0k` as 1000, or None if the digits are not a number."""
    whole, dot, part = digits.partition(".")
    if not whole.isdecimal() or (dot and not part.isdecimal()):
        return None
    return count(int(Decimal(digits) * _UNITS[unit]))


class MiniProgram(AgentProgram):
    """`mini`, whose only tool is a shell; it exits with 0 at its cost limit, too."""

    name = "mini"
    version_flag = "--help"
    credentials = (".config/mini-swe-agent/.env",)
    variables = _KEYS

    def invocation(self, job: Job) -> Invocation:
        """Return an invocation with the prompt as a setting in a file (JSON is YAML), since `-t` limits its size."""
        cost = () if job.max_cost_usd is None else ("-l", f"{job.max_cost_usd:f}")
        return Invocation(
            (
                *(self.program, "-c", _DEFAULTS, "-c", str(job.home / _TASK)),
                *("-m", _model(job), "-y", "--exit-immediately", *cost),
                *("-o", str(job.home / _TRAJECTORY), *job.extra_args),
            ),
            env={
                "MSWEA_CONFIGURED": "true",
                "MSWEA_SILENT_STARTUP": "1",
                "MSWEA_COST_TRACKING": "ignore_errors",
                **_variables(job),
            },
            files={_TASK: json.dumps({"run": {"task": job.prompt}})},
            outputs=(_TRAJECTORY,),
        )

    def report(self, output: Output) -> AgentReport:
        """Return a report with the sum of the messages' usage; unknown after a kill, when a message may be missing."""
        trajectory = mapping(parse(output.files.get(_TRAJECTORY, "")))
        info = mapping(trajectory.get("info"))
        if not info:
            return failed_report(output)
        messages = [mapping(item) for item in items(trajectory.get("messages"))]
        problem = _mini_problem(output, string(info.get("exit_status")), messages)
        usage, cost = Usage(), None
        if not output.timed_out:
            stats = mapping(info.get("model_stats"))
            usage = _trajectory_usage(messages, count(stats.get("api_calls")))
            cost = free_or_unknown(amount(stats.get("instance_cost")), usage)
        return AgentReport(usage, cost, string(info.get("submission")), *problem)


def _trajectory_usage(messages: list[Object], calls: int | None) -> Usage:
    """Return the sum of the replies' usage, with the number of calls."""
    responses = [mapping(mapping(message.get("extra")).get("response")) for message in messages]
    counted = summed(_reply_usage(mapping(item["usage"])) for item in responses if "usage" in item)
    return plus(counted, Usage(calls, 0, 0, 0, 0, 0, 0))


def _reply_usage(used: Object) -> Usage:
    """Return one reply's usage, in OpenAI's fields, without the request."""
    sent = mapping(used.get("prompt_tokens_details"))
    received = mapping(used.get("completion_tokens_details"))
    return Usage(
        requests=0,
        input_tokens=count(used.get("prompt_tokens")),
        cached_input_tokens=count(sent.get("cached_tokens")),
        output_tokens=count(used.get("completion_tokens")),
        reasoning_tokens=count(received.get("reasoning_tokens")),
    )


def _mini_problem(output: Output, status: str, messages: list[Object]) -> Problem:
    """Return the exception that ended a trajectory; a limit has no kind, because the task causes it."""
    if output.timed_out or not status:
        return exit_problem(output)
    last = messages[-1] if messages else {}
    error = string(mapping(last.get("extra")).get("exception_str"))
    if error:
        return provider_problem(output, f"{status}: {error}")
    return None, "" if status == "Submitted" else clean(status)
