"""A coding agent's program as an executor: it edits files in a workspace, and what differs there then is its change.

Nothing that it says of its success counts. What it committed, stashed or configured stays in its workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.errors import EditError, MachineError, StoppedError, UsageError
from minitask.executors.address import agent_url
from minitask.executors.agent_files import agent_changes
from minitask.executors.agents.adapter import AgentProgram, AgentReport, Job
from minitask.executors.agents.faults import believed, read_limits
from minitask.executors.agents.run_program import (
    JobMaker,
    find_program,
    program_version,
    run_program,
    setup_of,
)
from minitask.executors.completion import (
    UNREADABLE,
    Check,
    Completion,
    CompletionRequest,
    as_edit_error,
)
from minitask.executors.hosts import find_absence
from minitask.executors.prompt import agent_prompt
from minitask.executors.request import (
    AgentFolders,
    Description,
    ExecutorFailure,
    ExecutorRequest,
    ExecutorResult,
    FailureKind,
    Meter,
    is_outage,
)
from minitask.ledger.usage import NO_USAGE, Usage, plus
from minitask.policy.agent_usage import expected_usage
from minitask.policy.task_features import LIKELY_OUTPUT_TOKENS
from minitask.policy.tokens import estimate_tokens
from minitask.settings import ExecutorSetting
from minitask.spec.model import FileAction
from minitask.words import one_line

if TYPE_CHECKING:
    from minitask.workspace.agent_workspace import AgentWorkspace

_UNUSABLE = "An earlier answer could not be used:\n{problem}\nAnswer again, corrected and complete."
SHOWN = 300
"""Characters of what a program said that a message may hold."""


class AgentExecutor:
    """Runs an agent program; `environ` is the caller's, of which it is given what its adapter and the config name."""

    def __init__(
        self,
        program: AgentProgram,
        setting: ExecutorSetting,
        *,
        environ: Mapping[str, str],
    ) -> None:
        self.name = setting.name
        self._program = program
        self._setting = setting
        self._environ = environ

    def work(self, order: ExecutorRequest) -> ExecutorResult:
        """Have the program do the task; raises `ExecutorFailure`."""
        self._check()
        with _opened(order.workplace, self.name) as workspace:
            for past in order.history:
                workspace.put(past.changes)
            report = self._reported(
                workspace, order.meter, partial(self._job, order), order.expected
            )
            changes = self._changes(workspace, order, report)
            version = self._version(workspace)
        if report.problem is not None and not _is_work(changes):
            raise self._failure(report.problem, report.message, report)
        if not changes:
            raise self._failure(
                FailureKind.MALFORMED, "it changed nothing", report, hint=report.message
            )
        return ExecutorResult(
            changes,
            report.usage,
            order.model,
            report.final_message,
            report.cost_usd,
            version=version,
            outage=self._outage(report),
        )

    def advise(self, question: CompletionRequest, check: Check) -> Completion:
        """Have the program answer, in a workspace that it may look around in; what it changes there is dropped.

        Raises `ExecutorFailure`.
        """
        self._check()
        spent, malformed, inquiry = NO_USAGE, 0, question
        while True:
            with _opened(question.workplace, self.name) as workspace:
                report = self._reported(
                    workspace,
                    question.meter,
                    partial(self._inquiry, inquiry),
                    self._expected(inquiry),
                )
                version = self._version(workspace)
            spent = plus(spent, report.usage)
            if report.problem is not None:
                raise self._unanswered(report.problem, report.message, report, spent, malformed)
            try:
                check(report.final_message)
            except (EditError, *UNREADABLE) as error:
                malformed += 1
                problem = str(as_edit_error(error))
                if malformed > question.repairs_or(0):
                    kind = FailureKind.MALFORMED
                    raise self._unanswered(kind, problem, report, spent, malformed) from error
                prompt = f"{question.prompt}\n\n{_UNUSABLE.format(problem=problem)}"
                inquiry = replace(question, prompt=prompt)
            else:
                answer = report.final_message.strip()
                return Completion(answer, spent, version=version, malformed=malformed)

    def _unanswered(
        self, kind: FailureKind, message: str, report: AgentReport, spent: Usage, malformed: int
    ) -> ExecutorFailure:
        """Return a failure that counts what all rounds took."""
        failure = self._failure(kind, message, report)
        failure.usage, failure.malformed = spent, malformed
        return failure

    def describe(self, order: ExecutorRequest) -> Description:
        """Return the command line, and the prompt."""
        job = self._job(order, workspace=Path("WORKSPACE"), home=Path("HOME"))
        return Description(
            executor=self.name,
            url=self._setting.base_url,
            model=order.model,
            prompt=job.prompt,
            key_variable=self._setting.api_key_env,
            key_set=bool(self._environ.get(self._setting.api_key_env)),
            command=self._program.invocation(job).argv,
            brought=setup_of(
                self._setting, Path(self._environ.get("HOME", "/nonexistent"))
            ).brought,
        )

    def _expected(self, question: CompletionRequest) -> Usage:
        """Return an estimate of what an answer takes."""
        return expected_usage(
            self._setting.type,
            prompt_tokens=estimate_tokens(question.text, scale=question.token_scale),
            read_tokens=0,
            output_tokens=LIKELY_OUTPUT_TOKENS,
            scale=question.token_scale,
        )

    def _reported(
        self, workspace: AgentWorkspace, meter: Meter, job: JobMaker, expected: Usage
    ) -> AgentReport:
        """Return what the program reports of a job; it is paid for, whatever resulted."""
        settle = meter.reserve(
            expected, capped=self._program.caps_cost and not self._setting.base_url
        )
        try:
            output = run_program(
                self._program,
                self._setting,
                job,
                executable=self._find(),
                workspace=workspace,
                environ=self._environ,
            )
        except (MachineError, StoppedError, OSError):  # it could not even be started
            settle(NO_USAGE)
            raise
        report = believed(read_limits(self._program.report(output), output))
        settle(report.usage, cost_usd=report.cost_usd)
        return report

    def _check(self) -> None:
        """Raise `ExecutorFailure` where the program, its key or its server is not there."""
        self._find()
        self._check_key()
        fault = find_absence(self._setting.base_url) if self._setting.base_url else ""
        if fault:
            raise ExecutorFailure(
                FailureKind.TRANSPORT,
                f"{self.name}: {self._setting.base_url} cannot be reached ({fault})",
                hint="check base_url, and that the server runs",
            )

    def _find(self) -> str:
        path = find_program(self._program, self._environ)
        if path is None:
            raise ExecutorFailure(
                FailureKind.MISSING,
                f"{self.name}: {self._program.program} is not on PATH",
                hint="install it, or use another executor; `minitask doctor` lists what is there",
            )
        return path

    def _check_key(self) -> None:
        variable = self._setting.api_key_env
        if variable and not self._environ.get(variable):
            raise ExecutorFailure(
                FailureKind.AUTH, f"{self.name}: {variable} is not set", hint=f"export {variable}=…"
            )

    def _job(
        self, order: ExecutorRequest, *, workspace: Path, home: Path, sandboxed: bool = False
    ) -> Job:
        spec = order.spec
        return Job(
            prompt=agent_prompt(order),
            model=order.model,
            workspace=workspace,
            home=home,
            seconds=order.timeout_seconds,
            writes=tuple(ref.path for ref in spec.writes()),
            reads=tuple(ref.path for ref in spec.files if ref.action is FileAction.READ),
            max_cost_usd=order.meter.left_usd,
            base_url=agent_url(self._setting),
            key=self._environ.get(self._setting.api_key_env, ""),
            extra_args=self._setting.args,
            sandboxed=sandboxed,
        )

    def _inquiry(
        self, question: CompletionRequest, *, workspace: Path, home: Path, sandboxed: bool = False
    ) -> Job:
        """Return the job of answering a question: no file may be changed."""
        return Job(
            prompt=question.text,
            model=question.model,
            workspace=workspace,
            home=home,
            seconds=question.timeout_seconds,
            max_cost_usd=question.meter.left_usd,
            base_url=agent_url(self._setting),
            key=self._environ.get(self._setting.api_key_env, ""),
            extra_args=self._setting.args,
            sandboxed=sandboxed,
        )

    def _changes(
        self, workspace: AgentWorkspace, order: ExecutorRequest, report: AgentReport
    ) -> tuple[Change, ...]:
        """Return what differs from the base; an edit that leaves a file's content as it was is none."""
        paths = [ref.path for ref in order.spec.writes()]
        try:
            changes = workspace.changes(litter=self._program.litter, listed=paths)
        except EditError as error:
            raise self._failure(FailureKind.OUT_OF_SCOPE, str(error), report) from error
        return agent_changes(changes, spec=order.spec, read=order.read)

    def _failure(
        self, kind: FailureKind, message: str, report: AgentReport, *, hint: str = ""
    ) -> ExecutorFailure:
        return ExecutorFailure(
            kind,
            f"{self.name}: {one_line(message, longest=SHOWN) or 'it failed'}",
            hint=one_line(hint, longest=SHOWN),
            usage=report.usage,
            reply=report.final_message,
        )

    def _outage(self, report: AgentReport) -> str:
        """Return what the provider broke a draft off with; empty if it did not."""
        if report.problem is None or not is_outage(report.problem):
            return ""
        return f"{report.problem}: {self._failure(report.problem, report.message, report).message}"

    def _version(self, workspace: AgentWorkspace) -> str:
        """Return what the program says of its version, asked once a process."""
        if not self._program.version_argv:
            return ""
        try:
            return program_version(self._program.version_argv, self._find(), workspace)
        except MachineError:
            return ""


def _opened(workplace: AgentFolders | None, name: str) -> AbstractContextManager[AgentWorkspace]:
    if workplace is None:
        raise UsageError(f"{name} needs a workspace to work in")
    return workplace.open()


def _is_work(changes: tuple[Change, ...]) -> bool:
    """Return True if a program that reports a problem did something anyway; some first make empty files."""
    return any(change.content != "" for change in changes)
