"""One change from a sentence: write its spec, and ask a planner for the files and the check if they are not given."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.spec_files import Sources
from minitask.engine.tasks import PROJECTS, Base, Task
from minitask.engine.validate_specs import check_sources
from minitask.errors import EditError, MachineError, RefusedError, UsageError
from minitask.git.commits import FileWrite, NewCommit, write_commit
from minitask.git.objects import TREE, blob_id
from minitask.git.restore_checkout import TargetMove
from minitask.git.update_target import update_target
from minitask.landing.proof import check_fails_before
from minitask.ledger.record import GOAL, PLAN, Attempt, CommandRecord, Verdict
from minitask.patterns import lazy_pattern
from minitask.planning.plan_prompt import Goal, ask_of_project, committed_paths, repository_prompt
from minitask.planning.scaffold import last_number
from minitask.policy.budget import Budget
from minitask.policy.route import Route
from minitask.sandbox.policy import Strength
from minitask.spec.dependency_graph import slug, task_names
from minitask.spec.markdown import code_span, escape_marks
from minitask.spec.model import Diagnostic
from minitask.spec.parse import parse_file
from minitask.system.files import real_path
from minitask.task.finish import landed_result
from minitask.task.paid_calls import Answered
from minitask.task.prepare import fail_before
from minitask.task.questions import QuestionPrompt, record_question
from minitask.words import fence_of, one_line

PROJECT = "do"
"""The project of these specs."""
TITLE_LENGTH = 72
SMALL_BYTES, SMALL_FILES = 24_000, 40
"""A repository up to this size is shown to the planner as a whole."""
ANSWER_TOKENS = 1_000
REPAIRS = 2
MOST_FILES = 5
SYSTEM = """\
You choose which files a change to a repository touches and how it is checked. Another model makes the change: it sees \
your files only. Answer with lines of this form and nothing else:
edit: PATH
create: PATH
check: COMMAND
`edit` names a file of the list that must change, `create` a new file: together at most 5, as few as will do. \
`check` is a shell command that fails now and passes once the change is made, such as `grep -q "def name" src/a.py` \
or a test. It runs from the repository's root, without a network, and tests the change itself."""
_ANSWER = lazy_pattern(
    r"^[\s>*-]*\**(edit|create|check)\**\s*:\**\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE
)
_THOUGHTS = lazy_pattern(r"<think>.*?</think>", re.DOTALL)


class ChangeRequest(Struct, frozen=True):
    """A change that a user requests: a description, the files to edit and to create, and the commands that prove it."""

    text: str
    edits: tuple[str, ...] = ()
    creates: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the missing parts: `files`, `check`."""
        lacks = {"files": not (self.edits or self.creates), "check": not self.checks}
        return tuple(name for name, is_missing in lacks.items() if is_missing)

    def options(self) -> Iterator[tuple[str, str]]:
        """Yield the equivalent command-line options, each with a value."""
        fields = {"edit": self.edits, "create": self.creates, "check": self.checks}
        return ((name, value) for name, values in fields.items() for value in values)


class OneShot(Struct, frozen=True):
    """A spec before it is written: its request, path, text, and task."""

    request: ChangeRequest
    path: str
    text: str
    task: Task
    calls: tuple[Attempt, ...] = ()


def repository_path(engine: Context, folder: Path, word: str) -> str:
    """Return a user's path, relative to `folder`, as the repository's path; raise `UsageError` if it is outside."""
    top = real_path(engine.repository.checkout())
    path = Path(os.path.normpath(real_path(folder) / word))
    if not path.is_relative_to(top) or path == top:
        raise UsageError(f"{word} is no file inside {top}", hint="name files of this repository")
    return path.relative_to(top).as_posix()


def draft(engine: Context, base: Base, request: ChangeRequest) -> OneShot:
    """Return the spec of a change, unchecked: the one of the same request that has not landed, or a new one."""
    names = _names(engine, base)
    for name in sorted(names, reverse=True):
        shot = _numbered(base, request, last_number([name]))
        entry = engine.objects.entry(base.base, shot.path)
        if entry is not None and entry.oid == shot.task.blob:
            task = replace(shot.task, uncommitted=False)
            if landed_result(engine, task) is None:
                return replace(shot, task=task)
    return _numbered(base, request, 1 + last_number(names))


def _numbered(base: Base, request: ChangeRequest, number: int) -> OneShot:
    name = f"{number:02}-{slug(title_of(request.text))}".rstrip("-")
    path = f"{PROJECTS}/{PROJECT}/{name}.md"
    text = spec_text(number, request)
    return OneShot(request, path, text, _task(base, path, text))


def spec_text(number: int, request: ChangeRequest) -> str:
    """Return the Markdown of a change's spec."""
    parts = [f"# Mini-Task {number}: {escape_marks(title_of(request.text))}"]
    for label, paths in (("Edit", request.edits), ("Create", request.creates)):
        rows = "\n".join(f"- {code_span(path)}" for path in paths)
        parts += [f"**Files to {label}**:\n{rows}"] if paths else []
    steps = "\n".join(f"   {line}".rstrip() for line in request.text.strip().splitlines())
    parts.append(f"## Task\n\n1. {steps.strip()}")
    parts.append("## Acceptance Criteria\n\n- [ ] The validation passes")
    commands = "\n".join(request.checks)
    ticks = fence_of(commands)
    parts.append(f"## Validation\n\n{ticks}bash\n{commands}\n{ticks}")
    return "\n\n".join(parts) + "\n"


def title_of(text: str) -> str:
    """Return the first line of a request, cut at a word."""
    line = one_line(text.strip().partition("\n")[0])
    if len(line) <= TITLE_LENGTH:
        return line
    return line[: TITLE_LENGTH + 1].rpartition(" ")[0] or line[:TITLE_LENGTH]


def diagnose(engine: Context, shot: OneShot) -> tuple[Diagnostic, ...]:
    """Return the diagnostics that `validate` gives for the spec."""
    sources = Sources(engine.repository.checkout(), {shot.path: shot.text})
    return check_sources(sources, engine.repository, engine.settings).diagnostics


def check_committed(engine: Context, shot: OneShot) -> None:
    """Raise `UsageError` for a file to edit that is in the checkout but not in the task's base commit."""
    top = engine.repository.checkout()
    for path in shot.request.edits:
        if engine.objects.entry(shot.task.base, path) is None and (top / path).is_file():
            name, branch = shlex.quote(path), shot.task.target.removeprefix("refs/heads/")
            hint = f"git add -- {name} && git commit -m 'Add {name}' -- {name}"
            raise UsageError(f"{path} is not committed on {branch}", hint=hint)


def complete(
    engine: Context, base: Base, request: ChangeRequest, route: Route, *, budget: Budget
) -> OneShot:
    """Ask a planner for the missing files and check; raise `MinitaskError` if it gives no usable answer."""
    question = QuestionPrompt(
        PLAN,
        SYSTEM,
        _prompt(engine, base, request),
        lambda text: _judge(engine, base, request, text),
        max_output_tokens=ANSWER_TOKENS,
        repairs=REPAIRS,
    )
    last, outcome, failed = ask_of_project(
        engine, base, f"{PROJECT}/@plan", question, route, budget=budget
    )
    record = partial(record_question, engine, last, outcome)
    if isinstance(outcome, Answered):
        shot = draft(engine, base, completed(request, outcome.work.reply))
        notes = (f"{GOAL}{request.text}", shot.path)
        call = record(verdict=Verdict.READY, reason=last.route.reason, notes=notes)
        return replace(shot, calls=(*failed, call))
    record(verdict=Verdict.FAILED, reason=str(outcome))
    raise MachineError(
        f"{last.route.model} named no files and check that will do: {outcome.message}",
        hint=f"name them yourself: {command_with(request, lacking_options(request))}",
    )


def completed(request: ChangeRequest, answer: str) -> ChangeRequest:
    """Return a request completed from an answer; parts that the user gave are not changed."""
    values: dict[str, dict[str, None]] = {"edit": {}, "create": {}, "check": {}}
    for key, value in _ANSWER.findall(_THOUGHTS.sub("", answer)):
        is_command = key.lower() == "check"
        bare = value.strip().strip("`") if is_command else value.strip(" `\"'")
        values[key.lower()] |= {bare: None} if bare else {}
    edits, creates, checks = map(tuple, values.values())
    if "files" in request.missing:
        request = replace(request, edits=edits, creates=creates)
    return replace(request, checks=checks) if "check" in request.missing else request


def lacking_options(request: ChangeRequest) -> str:
    """Return the options for the missing parts."""
    lacking = {"files": "--edit PATH", "check": "--check CMD"}
    return " ".join(lacking[name] for name in request.missing)


def command_with(request: ChangeRequest, options: str) -> str:
    """Return the command with additional options, for the user to type."""
    present = [f"--{name} {shlex.quote(value)}" for name, value in request.options()]
    return " ".join(["minitask do", shlex.quote(title_of(request.text)), *present, options])


def check_first(engine: Context, shot: OneShot) -> tuple[CommandRecord, ...]:
    """Return the results of the checks without the change; raise `RefusedError` if they prove nothing."""
    try:
        return fail_before(engine, shot.task)
    except RefusedError as error:
        reason = error.message.removeprefix(f"task {shot.task.name}: ")
        raise RefusedError(f"nothing was written: {reason}", hint=error.hint) from None


def commit_spec(engine: Context, base: Base, shot: OneShot) -> None:
    """Commit only the spec on the target; raise `RefusedError` if the target or the checkout prevents that."""
    if not shot.task.uncommitted:
        return
    content = shot.text.encode("utf-8", "surrogateescape")
    commit = NewCommit(
        ref=base.target,
        message=f"spec: {shot.task.name}\n",
        author=engine.signature,
        committer=engine.signature,
        parents=(base.base,),
        writes=(FileWrite(shot.path, content),),
    )
    new = write_commit(engine.objects, engine.signed(commit))
    moved = update_target(engine.repository, TargetMove(base.target, base.base, new))
    if not moved.done:
        reason = moved.reason or f"{base.target.removeprefix('refs/heads/')} moved meanwhile"
        raise RefusedError(f"the spec cannot be committed: {reason}", hint="run the command again")


def _task(base: Base, path: str, text: str) -> Task:
    """Return the task of a draft spec, without checks: `diagnose` reports its errors."""
    spec = parse_file(text, path=path).specs[0]
    blob = blob_id(text.encode("utf-8", "surrogateescape"), like=base.base)
    return Task(task_names([spec])[0], spec, path, blob, base.base, base.target, uncommitted=True)


def _names(engine: Context, base: Base) -> list[str]:
    """Return the names of the specs in the checkout and at the base."""
    folder = f"{PROJECTS}/{PROJECT}"
    names = [path.name for path in (engine.repository.checkout() / folder).glob("*.md")]
    entry = engine.objects.entry(base.base, folder)
    if entry is not None and entry.mode == TREE:
        names += engine.objects.entries(entry.oid)
    return names


def _prompt(engine: Context, base: Base, request: ChangeRequest) -> str:
    rows = [f"{name}: {value}" for name, value in request.options()]
    missing = " and ".join(request.missing)
    more = f"# Given\n{chr(10).join(rows)}\n\n" if rows else ""
    reads = tuple(
        path for path in request.edits if engine.objects.file(base.base, path) is not None
    )
    goal = Goal(request.text, PROJECT, reads or _small_repository(engine, base))
    return repository_prompt(engine, base, goal, f"{more}Name the {missing}.")


def _small_repository(engine: Context, base: Base) -> tuple[str, ...]:
    """Return the text files of a repository that is small enough to be shown as a whole, else none."""
    paths = committed_paths(engine, base)
    if len(paths) > SMALL_FILES:
        return ()
    texts = {path: engine.objects.file(base.base, path) for path in paths}
    shown = {path: text for path, text in texts.items() if text and "\0" not in text}
    return tuple(shown) if sum(map(len, shown.values())) <= SMALL_BYTES else ()


def _judge(engine: Context, base: Base, request: ChangeRequest, answer: str) -> None:
    """Raise `EditError`, in words to send back, unless the answer makes a valid spec whose check fails now."""
    more = completed(request, answer)
    if more.missing:
        raise EditError(
            f"the answer names no {more.missing[0]}: write lines `edit: PATH`, `check: COMMAND`"
        )
    if len(more.edits) + len(more.creates) > MOST_FILES:
        raise EditError(f"name at most {MOST_FILES} files")
    shot = draft(engine, base, more)
    errors = errors_of(diagnose(engine, shot))
    if errors:
        described = (f"{e.message} ({e.hint})" if e.hint else e.message for e in errors)
        raise EditError("; ".join(described))
    if engine.sandbox.strength is Strength.NONE:  # a model's command, not yet reviewed
        return
    try:
        check_fails_before(engine, shot.task)
    except RefusedError as error:
        reason = error.message.removeprefix(f"task {shot.task.name}: ")
        raise EditError(f"check: {reason}; {error.hint}") from None


def errors_of(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Return the diagnostics that keep a task from running."""
    return [item for item in diagnostics if item.is_error]
