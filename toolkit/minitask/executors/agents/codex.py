"""OpenAI's codex: a prompt on standard input, events as JSON lines, a sandbox of its own around what it runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from minitask.executors.agents.adapter import AgentReport, Invocation, Job, Output, prompt_bytes
from minitask.executors.agents.faults import AgentProblem, exit_problem, provider_problem
from minitask.executors.agents.reading import count, mapping, records, string, summed
from minitask.ledger.usage import Usage

if TYPE_CHECKING:
    from minitask.executors.agents.reading import Object

_LAST = "last.txt"
_KEY = "OPENAI_API_KEY"
_KEPT = "tmp/.keep"
_QUIET = (
    *("-c", "analytics.enabled=false", "-c", "feedback.enabled=false"),
    *("-c", 'otel.metrics_exporter="none"', "-c", "check_for_update_on_startup=false"),
)


class CodexProgram:
    """`codex exec`; one turn, which may be many requests and reports one sum."""

    name = "codex"
    program = "codex"
    caps_cost = False
    version_argv: tuple[str, ...] = ("codex", "--version")
    litter: tuple[str, ...] = ()
    credentials: tuple[str, ...] = (".codex/auth.json",)
    variables: tuple[str, ...] = (_KEY, "CODEX_API_KEY")

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt on standard input; its last words go to a file.

        A folder for temporary files of its own, because codex installs its sandbox's helper below its home only where
        that is outside such a folder: else every command fails.
        """
        sandbox = "danger-full-access" if job.sandboxed else "workspace-write"
        flags = ("--json", "-C", str(job.workspace), "-s", sandbox, "-m", job.model)
        quiet = ("--ephemeral", "--ignore-user-config", "--skip-git-repo-check", "--color", "never")
        last = ("-o", str(job.home / _LAST))
        return Invocation(
            (
                self.program,
                "exec",
                *flags,
                *quiet,
                *last,
                *_QUIET,
                *_provider(job),
                *job.extra_args,
                "-",
            ),
            stdin=prompt_bytes(job),
            optional={"--ephemeral": 0, "--ignore-user-config": 0},
            env={"TMPDIR": str(job.home / "tmp"), **_variables(job)},
            files={_KEPT: ""},
            outputs=(_LAST,),
        )

    def report(self, output: Output) -> AgentReport:
        """Return the turns' usage; a turn that failed keeps its usage for itself."""
        events = records(output.stdout)
        failed = [event for event in events if event.get("type") == "turn.failed"]
        turns = [_usage(event) for event in events if event.get("type") == "turn.completed"]
        problem = _problem(output, failed, events, completed=bool(turns))
        return AgentReport(
            summed([] if failed or output.timed_out else turns),
            final_message=output.files.get(_LAST, "").strip() or _last_message(events),
            problem=problem.kind,
            message=problem.message,
        )


def _provider(job: Job) -> tuple[str, ...]:
    """Settings for an endpoint of the config's own; JSON strings are TOML strings."""
    if not job.base_url:
        return ()
    url = json.dumps(job.base_url)
    key = f',env_key="{_KEY}"' if job.key else ""
    entry = f'{{name="minitask",base_url={url},wire_api="responses"{key}}}'
    return ("-c", 'model_provider="minitask"', "-c", f"model_providers.minitask={entry}")


def _variables(job: Job) -> dict[str, str]:
    return {_KEY if job.base_url else "CODEX_API_KEY": job.key} if job.key else {}


def _usage(event: Object) -> Usage:
    """One turn; codex has one class of cache writes, so none of them is for an hour."""
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


def _problem(
    output: Output, failed: list[Object], events: tuple[Object, ...], *, completed: bool
) -> AgentProblem:
    errors = [string(mapping(event.get("error")).get("message")) for event in failed]
    if not errors and not completed:
        errors = [string(event.get("message")) for event in events if event.get("type") == "error"]
    return provider_problem(output, errors[-1]) if errors else exit_problem(output)


def _last_message(events: tuple[Object, ...]) -> str:
    completed = [
        mapping(event.get("item")) for event in events if event.get("type") == "item.completed"
    ]
    texts = [string(item.get("text")) for item in completed if item.get("type") == "agent_message"]
    return texts[-1] if texts else ""
