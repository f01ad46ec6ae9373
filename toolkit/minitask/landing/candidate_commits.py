"""From a change to a commit: the candidate's tree, and the commits that carry the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import EditError
from minitask.gates.scope import starts_programs
from minitask.git import refs
from minitask.git.commits import FileWrite, NewCommit, write_commits
from minitask.git.loose import object_id
from minitask.git.objects import TREE, Objects
from minitask.git.repository import Signature
from minitask.git.trees import TreeChange
from minitask.landing.proof import Proof
from minitask.ledger.record import Attempt, FileRecord, Verdict, money
from minitask.ledger.usage import Usage
from minitask.spec.notes import is_executable

RUNS = "Minitask-Runs"
"""The trailer of a merge that changes files by which tools start programs: their paths."""


def file_writes(changes: Sequence[Change], objects: Objects, task: Task) -> tuple[FileWrite, ...]:
    """Return what to write for a change; raise `EditError` if a path is a folder, or below something that is none."""
    executable = {ref.path for ref in task.spec.files if is_executable(ref)}
    return tuple(
        _write(
            replace(change, executable=change.executable or change.path in executable),
            objects,
            task.base,
        )
        for change in changes
    )


def write_draft_commit(
    engine: Context,
    task: Task,
    *,
    parents: tuple[str, ...],
    writes: Sequence[FileWrite] = (),
    tree: str | None = None,
) -> NewCommit:
    """Return a commit under the task's journal ref, to check out and prove; it says nothing yet."""
    return NewCommit(
        ref=f"{refs.LANDING}/{task.name}/draft",
        message=f"draft of {task.name}\n",
        author=engine.signature,
        committer=engine.signature,
        parents=parents,
        writes=tuple(writes),
        tree=tree,
    )


def write_draft(engine: Context, task: Task, writes: Sequence[FileWrite]) -> str:
    """Write the candidate's tree as a commit under the task's journal ref, and give the commit."""
    commit = write_draft_commit(engine, task, parents=(task.base,), writes=writes)
    return write_commits(engine.database, [commit], force=True)[0]


def candidate_commit(
    engine: Context, task: Task, attempt: Attempt, tree: str, *, text: str = ""
) -> NewCommit:
    """Return the candidate with its verdict: the author is the model, the committer the user; `text` is its own
    message.
    """
    committer = engine.signature
    return engine.signed(
        NewCommit(
            ref=refs.attempt(task.name, attempt.n),
            message=message(task, attempt, text or task.spec.title or task.name),
            author=_author(attempt, committer),
            committer=committer,
            parents=(task.base,),
            tree=tree,
        )
    )


def merge_commit(
    engine: Context,
    task: Task,
    attempt: Attempt,
    *,
    tip: str,
    candidate: str,
    tree: str,
    round_: int = 0,
    text: str = "",
) -> NewCommit:
    """Return the merge of a proven candidate into the target's tip, or its commit on the tip where the history is to
    be linear; `text` is the candidate's own message, which is read where it is not given.
    """
    suffix = f".{round_}" if round_ else ""
    merges = engine.settings.merges
    title = f"Merge {refs.branch(task.name).removeprefix('refs/heads/')}: {task.spec.title}"
    if not merges:
        title = text or _own_text(engine, candidate) or task.spec.title or task.name
    changes = engine.database.diffs.changes(engine.objects.tree_of(tip), tree)
    starting = [change.path for change in changes if starts_programs(change.path)]
    trailer = f"{RUNS}: {', '.join(starting)}\n" if starting else ""
    return engine.signed(
        NewCommit(
            ref=refs.landing(task.name, attempt.n) + suffix,
            message=message(task, attempt, title, verdict=Verdict.MERGED) + trailer,
            author=engine.signature if merges else _author(attempt, engine.signature),
            committer=engine.signature,
            parents=(tip, candidate) if merges else (tip,),
            tree=tree,
        )
    )


def message(task: Task, attempt: Attempt, title: str, *, verdict: Verdict | None = None) -> str:
    """Return a commit message: the title, why it is there, and the trailers that scripts read.

    What follows the first line of a title is kept as paragraphs.
    """
    outcome = verdict or attempt.verdict
    title, _, paragraphs = title.partition("\n\n")
    body = f"{paragraphs.strip()}\n\n" if paragraphs.strip() else ""
    body += f"{attempt.reason}\n\n" if attempt.reason and not outcome.is_good else ""
    trailers = {
        "Minitask": task.name,
        "Minitask-Spec": f"{task.path}@{task.blob}",
        "Minitask-Model": attempt.model or "none",
        "Minitask-Tier": attempt.tier,
        "Minitask-Verdict": outcome.value,
        "Minitask-Tokens": _tokens(attempt.usage),
        "Minitask-Cost": _cost(attempt.cost_usd),
    }
    lines = "".join(f"{key}: {' '.join(value.split())}\n" for key, value in trailers.items())
    return f"{' '.join(title.split())}\n\n{body}{lines}"


def _own_text(engine: Context, commit: str) -> str:
    """Return a commit's message without the trailers; "" where there is no such commit."""
    raw = engine.objects.read(commit)
    message_text = raw[2].decode("utf-8", "replace").partition("\n\n")[2] if raw else ""
    return message_text.partition("\nMinitask: ")[0].strip()


def commit_id(commit: NewCommit, object_format: str) -> str:
    """Return the id that a commit with a given tree will have."""
    assert commit.tree is not None  # noqa: S101 - it is given
    return object_id("commit", commit.content(commit.tree), object_format)


def file_records(changes: Sequence[TreeChange]) -> tuple[FileRecord, ...]:
    """Return the changed files as the record holds them."""
    return tuple(
        FileRecord(change.path, change.status, change.added, change.removed) for change in changes
    )


def _author(attempt: Attempt, committer: Signature) -> Signature:
    name = attempt.model or "edit script"
    address = "".join(char if char.isalnum() or char in "._-" else "-" for char in name.lower())
    shown = "".join(char for char in name if char.isprintable() and char not in "<>")
    return Signature(f"{shown} (minitask)", f"{address}@minitask.invalid", committer.stamp)


def _write(change: Change, objects: Objects, base: str) -> FileWrite:
    entry = objects.entry(base, change.path)
    if entry is not None and entry.mode == TREE:
        raise EditError(f"{change.path} is a folder in the base", hint="name a file")
    parts = change.path.split("/")
    for count in range(1, len(parts)):
        parent = objects.entry(base, "/".join(parts[:count]))
        if parent is not None and parent.mode != TREE:
            raise EditError(f"{change.path}: {'/'.join(parts[:count])} is not a folder in the base")
    source = objects.entry(base, change.mode_from) if change.mode_from else entry
    content = None if change.content is None else change.content.encode("utf-8", "surrogateescape")
    mode = "100755" if change.executable else source.mode if source else "100644"
    return FileWrite(change.path, content, mode)


def _tokens(usage: Usage) -> str:
    def said(count: int | None) -> str:
        return "unknown" if count is None else str(count)

    return f"{said(usage.input_tokens)} in, {said(usage.output_tokens)} out"


def _cost(amount: Decimal | None) -> str:
    text = money(amount)
    return "unknown" if text is None else f"{text} USD"


class Candidate(Struct, frozen=True):
    """A proven candidate: its commit and tree, the attempt that made it, and the merge if one is written.

    `base` is the commit that its change starts from; None for the candidate's first parent.
    """

    commit: str
    tree: str
    attempt: Attempt
    merge: str | None = None
    base: str | None = None


class Landed(Struct, frozen=True):
    """The result of the landing. `proof` is that of the merge, where it had to be run."""

    verdict: Verdict
    merge: str | None = None
    reason: str = ""
    proof: Proof | None = None
    next_step: str = ""
