"""Run a coding agent's program in a workspace; its change is the difference between the workspace and the base.

What it reports about its success does not count. Its commits, stashes and git settings stay in the workspace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from minitask.edits.script_model import Change, Reader
from minitask.errors import EditError, MachineError, StoppedError, UsageError
from minitask.executors.address import agent_url
from minitask.executors.agents.adapter import AgentProgram, AgentReport, Job
from minitask.executors.agents.faults import believed, read_limits
from minitask.executors.agents.run_program import (
    find_program,
    program_version,
    run_program,
    setup_of,
)
from minitask.executors.agents.setups import home_of
from minitask.executors.http import find_absence
from minitask.executors.prompt import agent_prompt
from minitask.executors.request import (
    OUTAGES,
    AgentFolders,
    Check,
    CompletionRequest,
    Description,
    ExecutorFailure,
    ExecutorRequest,
    ExecutorResult,
    FailureKind,
    Meter,
    find_objection,
)
from minitask.ledger.record import NO_USAGE, Usage, plus
from minitask.patterns import lazy_pattern
from minitask.policy.estimates import LIKELY_OUTPUT_TOKENS, estimate_tokens, expected_usage
from minitask.settings import ExecutorSetting
from minitask.spec.model import FileAction, Spec
from minitask.spec.notes import may_be_empty
from minitask.words import one_line

if TYPE_CHECKING:
    from minitask.workspace.agent_workspace import AgentWorkspace

_UNUSABLE = "An earlier answer could not be used:\n{problem}\nAnswer again, corrected and complete."
SHOWN = 300
"""Longest excerpt of a program's output in a message, in characters."""
_SAYS_LINE_ENDS = lazy_pattern(r"\bcrlf\b|line[- ]end|newlines|\bdos2unix\b|\bLF\b")


class AgentExecutor:
    """Runs an agent program, which sees only the variables of `environ` that its adapter and the config name."""

    def __init__(
        self, program: AgentProgram, setting: ExecutorSetting, *, environ: Mapping[str, str]
    ) -> None:
        self.name = setting.name
        self._program = program
        self._setting = setting
        self._environ = environ

    def work(self, order: ExecutorRequest) -> ExecutorResult:
        """Run the program on the task; raise `ExecutorFailure`."""
        self._check()
        with _opened(order.workplace, self.name) as workspace:
            for past in order.history:
                workspace.put(past.changes)
            report = self._report(workspace, self._order_job(order), order.meter, order.expected)
            changes = self._changes(workspace, order, report)
            version = self._version(workspace)
        outage = ""
        if report.problem is not None:
            failure = self._failure(report.problem, report.message, report)
            if all(change.content == "" for change in changes):  # some make empty files first
                raise failure
            outage = f"{failure.kind}: {failure.message}" if failure.kind in OUTAGES else ""
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
            outage=outage,
        )

    def advise(self, question: CompletionRequest, check: Check) -> ExecutorResult:
        """Return the program's answer to a question; its changes to the workspace are dropped.

        Raises `ExecutorFailure`.
        """
        self._check()
        spent, malformed, inquiry = NO_USAGE, 0, question
        while True:
            with _opened(question.workplace, self.name) as workspace:
                job, expected = self._job(inquiry, inquiry.text), self._expected(inquiry)
                report = self._report(workspace, job, question.meter, expected)
                version = self._version(workspace)
            spent = plus(spent, report.usage)
            report = replace(report, usage=spent)  # a failure counts the usage of all rounds
            if report.problem is not None:
                raise self._failure(report.problem, report.message, report, malformed=malformed)
            problem = find_objection(check, report.final_message)
            if problem is None:
                return ExecutorResult(
                    (),
                    spent,
                    question.model,
                    report.final_message.strip(),
                    None,
                    version=version,
                    malformed=malformed,
                )
            malformed += 1
            if malformed > (question.repairs or 0):
                kind = FailureKind.MALFORMED
                raise self._failure(kind, str(problem), report, malformed=malformed) from problem
            prompt = f"{question.prompt}\n\n{_UNUSABLE.format(problem=problem)}"
            inquiry = replace(question, prompt=prompt)

    def describe(self, order: ExecutorRequest) -> Description:
        """Return the command line and the prompt."""
        job = self._order_job(order)
        return Description(
            executor=self.name,
            url=self._setting.base_url,
            model=order.model,
            prompt=job.prompt,
            key_variable=self._setting.api_key_env,
            key_set=bool(self._environ.get(self._setting.api_key_env)),
            command=self._program.invocation(job).argv,
            brought=setup_of(self._setting, home_of(self._environ)).brought,
            missing="" if find_program(self._program, self._environ) else self._program.program,
        )

    def _expected(self, question: CompletionRequest) -> Usage:
        """Return the estimated usage of an answer."""
        return expected_usage(
            self._setting.type,
            prompt_tokens=estimate_tokens(question.text, scale=question.token_scale),
            read_tokens=0,
            output_tokens=LIKELY_OUTPUT_TOKENS,
            scale=question.token_scale,
        )

    def _report(
        self, workspace: AgentWorkspace, job: Job, meter: Meter, expected: Usage
    ) -> AgentReport:
        """Run the program and return its report; its usage counts regardless of the result."""
        capped = self._program.caps_cost and not self._setting.base_url
        settle = meter.reserve(expected, capped=capped)
        job = replace(
            job,
            workspace=workspace.folder,
            home=workspace.home,
            max_cost_usd=meter.left_usd,
            sandboxed=self._setting.sandbox and workspace.is_sandboxed,
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
        except (MachineError, StoppedError, ExecutorFailure, OSError):  # the program did not start
            settle(NO_USAGE)
            raise
        except BaseException:  # other calls wait for what is reserved
            settle(Usage(1))
            raise
        report = believed(read_limits(self._program.report(output), output))
        settle(report.usage, cost_usd=report.cost_usd)
        return report

    def _check(self) -> None:
        """Raise `ExecutorFailure` if the program, its key or its server is missing."""
        self._find()
        variable, url = self._setting.api_key_env, self._setting.base_url
        if variable and not self._environ.get(variable):
            raise ExecutorFailure(
                FailureKind.AUTH, f"{self.name}: {variable} is not set", hint=f"export {variable}=…"
            )
        if url and (fault := find_absence(url)):
            raise ExecutorFailure(
                FailureKind.TRANSPORT,
                f"{self.name}: {url} cannot be reached ({fault})",
                hint="check base_url, and that the server runs",
            )

    def _find(self) -> str:
        path = find_program(self._program, self._environ)
        if path is None:
            program = self._program.program
            is_path = "/" in program
            raise ExecutorFailure(
                FailureKind.MISSING,
                f"{self.name}: {program} is {'not a program' if is_path else 'not on PATH'}",
                hint="check its path, and that it is executable"
                if is_path
                else "install it, or use another executor; `minitask doctor` lists what is there",
            )
        return path

    def _order_job(self, order: ExecutorRequest) -> Job:
        writes = tuple(ref.path for ref in order.spec.writes())
        reads = tuple(ref.path for ref in order.spec.files if ref.action is FileAction.READ)
        return replace(self._job(order, agent_prompt(order)), writes=writes, reads=reads)

    def _job(self, about: ExecutorRequest | CompletionRequest, prompt: str) -> Job:
        """Return the job for an order or a question, without a workspace."""
        return Job(
            prompt=prompt,
            model=about.model,
            workspace=Path("WORKSPACE"),
            home=Path("HOME"),
            seconds=about.timeout_seconds,
            max_cost_usd=about.meter.left_usd,
            base_url=agent_url(self._setting),
            key=self._environ.get(self._setting.api_key_env, ""),
            extra_args=self._setting.args,
        )

    def _changes(
        self, workspace: AgentWorkspace, order: ExecutorRequest, report: AgentReport
    ) -> tuple[Change, ...]:
        """Return the differences from the base, except for files whose content is unchanged."""
        paths = [ref.path for ref in order.spec.writes()]
        try:
            changes = workspace.changes(litter=self._program.litter, listed=paths)
        except EditError as error:
            raise self._failure(FailureKind.OUT_OF_SCOPE, str(error), report) from error
        return _agent_changes(changes, order.spec, order.read)

    def _failure(
        self,
        kind: FailureKind,
        message: str,
        report: AgentReport,
        *,
        hint: str = "",
        malformed: int = 0,
    ) -> ExecutorFailure:
        failure = ExecutorFailure(
            kind,
            f"{self.name}: {one_line(message, longest=SHOWN) or 'it failed'}",
            hint=one_line(hint, longest=SHOWN),
            usage=report.usage,
            reply=report.final_message,
        )
        failure.malformed = malformed
        return failure

    def _version(self, workspace: AgentWorkspace) -> str:
        """Return the version that the program prints; "" if it has no version flag or does not start."""
        flag = self._program.version_flag
        try:
            return program_version(flag, self._find(), workspace) if flag else ""
        except MachineError:
            return ""


def _opened(workplace: AgentFolders | None, name: str) -> AbstractContextManager[AgentWorkspace]:
    if workplace is None:
        raise UsageError(f"{name} needs a workspace to work in")
    return workplace.open()


def _agent_changes(changes: Iterable[Change], spec: Spec, read: Reader) -> tuple[Change, ...]:
    """Return the changes without side effects of the agent.

    New empty files are dropped unless the spec wants them. Line ends that changed throughout a file are restored,
    unless the spec mentions line ends.
    """
    criteria = (criterion.text for criterion in spec.criteria)
    keeps_line_ends = not any(map(_SAYS_LINE_ENDS.search, (spec.title, spec.task, *criteria)))
    own_changes = []
    for change in changes:
        base = read(change.path)
        if base is None and change.content == "" and not may_be_empty(spec, change.path):
            continue
        restored = _with_line_ends(change, base) if keeps_line_ends else change
        if restored.content != base or restored.executable:
            own_changes.append(restored)
    return tuple(own_changes)


def _with_line_ends(change: Change, base: str | None) -> Change:
    """Return the change with the line ends of its base, if all of them changed."""
    if base is None or change.content is None:
        return change
    old, new = _line_end(base), _line_end(change.content)
    if not old or not new or old == new:
        return change
    return replace(change, content=change.content.replace(new, old))


def _line_end(text: str) -> str:
    """Return the line end of a text; "" if it has none or mixes them."""
    every, windows = text.count("\n"), text.count("\r\n")
    if not every or "\0" in text:
        return ""
    return "\r\n" if windows == every else "" if windows else "\n"
