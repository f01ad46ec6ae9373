"""Cursor's cursor-agent: a prompt on the command line, one JSON object at the end.

It says nothing of tokens or costs, and where it fails it exits with another code than 0 and prints no JSON.
Written to its documentation, not measured.
"""

from __future__ import annotations

from minitask.errors import UsageError
from minitask.executors.agents.adapter import AgentReport, Invocation, Job, Output, prompt_bytes
from minitask.executors.agents.faults import (
    AgentProblem,
    exit_problem,
    failed_report,
    provider_problem,
)
from minitask.executors.agents.reading import records, string
from minitask.ledger.usage import Usage

MAX_PROMPT_BYTES = 100_000
"""Linux passes no argument of 128 KiB or more."""


class CursorProgram:
    """`cursor-agent -p`; it has no rules for single files."""

    name = "cursor-agent"
    program = "cursor-agent"
    caps_cost = False
    version_argv: tuple[str, ...] = ("cursor-agent", "--version")
    litter: tuple[str, ...] = ()
    credentials: tuple[str, ...] = (".config/cursor/auth.json", ".cursor/cli-config.json")
    variables: tuple[str, ...] = ("CURSOR_API_KEY",)

    def invocation(self, job: Job) -> Invocation:
        """Return the prompt as the last argument, on a line of its own, lest it be taken for an option.

        Raises `UsageError` for a prompt that does not fit there, and for an endpoint other than Cursor's own.
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
        """Return its final message; its usage is unknown."""
        results = [item for item in records(output.stdout) if item.get("type") == "result"]
        if not results:
            return failed_report(output)
        final_message = string(results[-1].get("result"))
        problem: AgentProblem = exit_problem(output)
        if results[-1].get("is_error") is True:
            problem = provider_problem(output, final_message)
        return AgentReport(
            Usage(), final_message=final_message, problem=problem.kind, message=problem.message
        )
