"""Agents that print events as JSON lines: OpenAI's codex, and opencode."""

from __future__ import annotations

import json
from decimal import Decimal

from minitask.executors.agents.adapter import (
    AgentProgram,
    AgentReport,
    Invocation,
    Job,
    Object,
    Output,
    Problem,
    amount,
    free_or_unknown,
    is_whole,
    of_type,
    prompt_bytes,
    records,
    string,
    summed,
    total,
)
from minitask.executors.agents.faults import clean, exit_problem, provider_problem
from minitask.executors.response import count, mapping
from minitask.ledger.record import Usage

_LAST = "last.txt"
_CODEX_KEY = "OPENAI_API_KEY"
_CODEX_FLAGS = (
    *("--ephemeral", "--ignore-user-config", "--skip-git-repo-check", "--color", "never"),
    *("-c", "analytics.enabled=false", "-c", "feedback.enabled=false"),
    *("-c", 'otel.metrics_exporter="none"', "-c", "check_for_update_on_startup=false"),
)
_OWN = "minitask"
"""opencode's name for the config's endpoint, and for its session."""
_OPENCODE_KEY = "MINITASK_AGENT_KEY"
_SHOWN_DENIALS = 5


class CodexProgram(AgentProgram):
    """`codex exec`, in its own sandbox; one turn, whose usage is the sum of all its requests."""

    name = "codex"
    credentials = (".codex/auth.json",)
    variables = (_CODEX_KEY, "CODEX_API_KEY")

    def invocation(self, job: Job) -> Invocation:
        """Return an invocation with the prompt on standard input; the final message goes to a file.

        TMPDIR is set because codex installs its sandbox's helper below its home only if that is outside TMPDIR; without
        the helper, every command fails.
        """
        sandbox = "danger-full-access" if job.sandboxed else "workspace-write"
        key_name = _CODEX_KEY if job.base_url else "CODEX_API_KEY"
        return Invocation(
            (
                *(self.program, "exec", "--json", "-C", str(job.workspace), "-s", sandbox),
                *("-m", job.model, "-o", str(job.home / _LAST), *_CODEX_FLAGS),
                *(*_provider(job), *job.extra_args, "-"),
            ),
            stdin=prompt_bytes(job),
            optional={"--ephemeral": 0, "--ignore-user-config": 0},
            env={"TMPDIR": str(job.home / "tmp"), **({key_name: job.key} if job.key else {})},
            files={"tmp/.keep": ""},
            outputs=(_LAST,),
        )

    def report(self, output: Output) -> AgentReport:
        """Return a report with the usage of the turns; a failed turn does not state its usage."""
        events = records(output.stdout)
        failed, turns = of_type("turn.failed", events), of_type("turn.completed", events)
        ended = [mapping(event.get("item")) for event in of_type("item.completed", events)]
        texts = [string(item.get("text")) for item in of_type("agent_message", ended)]
        errors = [mapping(event.get("error")) for event in failed]
        if not errors and not turns:
            errors = of_type("error", events)
        error = string(errors[-1].get("message")) if errors else ""
        return AgentReport(
            summed([] if failed or output.timed_out else map(_turn_usage, turns)),
            None,
            output.files.get(_LAST, "").strip() or (texts[-1] if texts else ""),
            *(provider_problem(output, error) if errors else exit_problem(output)),
        )


def _provider(job: Job) -> tuple[str, ...]:
    """Return the settings for an endpoint in the config; JSON strings are valid TOML strings."""
    if not job.base_url:
        return ()
    url = json.dumps(job.base_url)
    key = f',env_key="{_CODEX_KEY}"' if job.key else ""
    entry = f'{{name="minitask",base_url={url},wire_api="responses"{key}}}'
    return ("-c", 'model_provider="minitask"', "-c", f"model_providers.minitask={entry}")


def _turn_usage(event: Object) -> Usage:
    """Return the usage of one turn; codex has one class of cache writes, so none is for an hour."""
    usage = mapping(event.get("usage"))
    written = count(usage.get("cache_write_input_tokens"))
    return Usage(
        input_tokens=count(usage.get("input_tokens")),
        cached_input_tokens=count(usage.get("cached_input_tokens")),
        output_tokens=count(usage.get("output_tokens")),
        cache_write_tokens=written,
        cache_write_1h_tokens=None if written is None else 0,
        reasoning_tokens=count(usage.get("reasoning_output_tokens")),
    )


class OpencodeProgram(AgentProgram):
    """`opencode run`, which may read everything, edit the files that the task lists, and run no commands.

    Without `--title` it would ask a model for one; neither that call nor steps of sub-agents would be counted.
    """

    name = "opencode"
    credentials = (".local/share/opencode/auth.json",)
    variables = (
        *("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY", "GEMINI_API_KEY"),
        *("GOOGLE_GENERATIVE_AI_API_KEY", "DEEPSEEK_API_KEY"),
    )

    def invocation(self, job: Job) -> Invocation:
        """Return an invocation with the prompt on standard input, and the whole configuration in a variable.

        The repository's own opencode.json is not read. The last matching rule for edits applies.
        """
        model = f"{_OWN}/{job.model}" if job.base_url else job.model
        reading = dict.fromkeys(("read", "glob", "grep", "list"), "allow")
        edits = {"*": "deny", **dict.fromkeys(job.writes, "allow")}
        config = {
            "share": "disabled",
            "autoupdate": False,
            "permission": {"*": "deny", **reading, "edit": edits},
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
                **({_OPENCODE_KEY: job.key} if job.key else {}),
            },
        )

    def report(self, output: Output) -> AgentReport:
        """Return a report with the sum of the steps, one request each; usage is unknown if a step did not finish."""
        events = records(output.stdout)
        steps = _parts(events, "step_finish")
        open_steps = len(of_type("step_start", events)) > len(steps)
        lost = output.timed_out or open_steps or not is_whole(output.stdout)
        usage = summed([] if lost else map(_step_usage, steps))
        texts = [string(part.get("text")) for part in _parts(events, "text")]
        return AgentReport(
            usage,
            None if lost else free_or_unknown(_cost(steps), usage),
            texts[-1] if texts else "",
            *_opencode_problem(output, events),
        )


def _providers(job: Job) -> Object:
    """Return the config's endpoint, or just the key for the model's provider."""
    options: dict[str, object] = {"apiKey": f"{{env:{_OPENCODE_KEY}}}"} if job.key else {}
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


def _parts(events: tuple[Object, ...], kind: str) -> list[Object]:
    return [mapping(event.get("part")) for event in of_type(kind, events)]


def _step_usage(step: Object) -> Usage:
    """Return the usage of one step: opencode counts cached input and reasoning apart from input and output."""
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
    return sum(costs, Decimal(0)) if costs and len(costs) == len(steps) else None


def _opencode_problem(output: Output, events: tuple[Object, ...]) -> Problem:
    """Return the last error, or else the exit's problem, or else the edits that its rules denied."""
    if errors := of_type("error", events):
        error = mapping(errors[-1].get("error"))
        data = mapping(error.get("data"))
        message = string(data.get("message")) or string(error.get("name"))
        return provider_problem(output, message, status=count(data.get("statusCode")))
    kind, message = exit_problem(output)
    if kind:
        return kind, message
    refused = [
        f"{string(part.get('tool'))} {string(mapping(state.get('input')).get('filePath'))}"
        for part in _parts(events, "tool_use")
        if "rule which prevents" in string((state := mapping(part.get("state"))).get("error"))
    ]
    return None, clean(f"denied: {', '.join(refused[:_SHOWN_DENIALS])}") if refused else ""
