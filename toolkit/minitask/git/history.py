"""History: the commit that introduced a file, landed tasks, hunks between versions of a file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct

from minitask.git import refs
from minitask.git.objects import Objects
from minitask.git.run_git import Git
from minitask.git.trees import differences

REVERTED = re.compile(r"^This reverts commit ([0-9a-f]{40,64})", re.MULTILINE)
HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


class Landing(Struct, frozen=True):
    """A commit on the target that landed a task, or undid it (`undone`).

    `whole`: its diff from its first parent is the task's change; False if only the content matches.
    """

    commit: str
    spec: str
    undone: bool
    whole: bool = True


def introduced_by(git: Git, commit: str, path: str) -> str | None:
    """Return the last commit up to `commit` that changed the path: it introduced the current version."""
    last_change = git.recall("log", "-1", "--format=%H", commit, "--", f":(literal,top){path}")
    return last_change.decode().strip() or None


def latest_landing(git: Git, target: str, *, task: str) -> Landing | None:
    """Return the newest landing or undo of a task on the target's first-parent line."""
    pattern = rf"^Minitask\(-Undo\)\?: {re.escape(task)}$"
    form = "--format=%H%x00%(trailers:key=Minitask-Spec,valueonly)%x00%(trailers:key=Minitask-Undo,valueonly)"
    text = git.line(
        "log", "-1", "--first-parent", "--basic-regexp", f"--grep={pattern}", form, target
    )
    if not text:
        return None
    commit, spec, undo = text.split("\0")
    return Landing(commit, spec.strip(), undone=bool(undo.strip()))


def landed_since(git: Git, target: str, path: str) -> dict[str, Landing]:
    """Return each task's newest landing or undo since the file's current version was introduced."""
    return landings(git, target, since=introduced_by(git, target, path))


def landings(git: Git, target: str, *, since: str | None = None) -> dict[str, Landing]:
    """Return each task's newest landing or undo on the target's first-parent line, after `since` if given."""
    fields = ("%H", *map(trailer_field, ("Minitask", "Minitask-Spec", "Minitask-Undo")))
    newest: dict[str, Landing] = {}
    for commit, task, spec, undo in landing_rows(git, target, fields, since=since):
        newest.setdefault(task or undo, Landing(commit, spec, undone=bool(undo)))
    return newest


def landing_rows(
    git: Git, target: str, fields: Sequence[str], *, since: str | None = None
) -> Iterator[list[str]]:
    """Yield the values of `git log --format` fields for each landing or undo, newest first."""
    grep = r"--grep=^Minitask\(-Undo\)\?: "
    form = f"--format=%x01{'%x00'.join(fields)}"
    only = [f"^{since}"] if since else []
    if since == target:
        return
    output = git.recall("log", "--first-parent", "--basic-regexp", grep, form, target, *only)
    for row in output.decode("utf-8", "surrogateescape").split("\1")[1:]:
        yield [field.strip() for field in row.split("\0")]


def trailer_field(key: str) -> str:
    """Return the `git log --format` field of a trailer's value."""
    return f"%(trailers:key={key},valueonly)"


def merge_of(git: Git, commit: str, target: str) -> str | None:
    """Return the merge on the target's first-parent line with the commit as a second or later parent, if any."""
    lines = git.line("rev-list", "--first-parent", "--parents", target, f"^{commit}").splitlines()
    rows = (line.split() for line in lines)
    return next((row[0] for row in rows if commit in row[2:]), None)


def was_changed_by_task(git: Git, since: str, target: str, paths: Sequence[str]) -> bool:
    """Return True if the last change of the paths after `since`, on the target's line, was a task's or its undo."""
    keys = ("Minitask", "Minitask-Undo")
    form = "--format=" + "".join(f"%(trailers:key={key},valueonly)" for key in keys)
    names = [f":(literal,top){path}" for path in paths]
    args = ("log", "-1", "--first-parent", form, f"{since}..{target}", "--", *names)
    return bool(git.line(*args).strip())


def reverted_since(git: Git, since: str, target: str) -> frozenset[str]:
    """Return the commits that `git revert` undid after `since`, without those whose revert was itself reverted."""
    args = ("log", "--grep=^This reverts commit ", "--format=%x01%H%n%B", f"{since}..{target}")
    text = git.output(*args).decode("utf-8", "surrogateescape")
    reverted: set[str] = set()
    for item in text.split("\1")[1:]:  # newest first: a revert that was reverted is ignored
        commit, _, message = item.partition("\n")
        if commit not in reverted:
            reverted.update(REVERTED.findall(message))
    return frozenset(reverted)


def is_same_change(git: Git, commit: str, other_commit: str) -> bool:
    """Return True if the commits are the same, or make the same change, as a cherry-pick does."""
    return commit == other_commit or git.line(
        "cherry", commit, other_commit, f"{other_commit}^"
    ).startswith("- ")


def latest_with_spec(git: Git, commit: str) -> str | None:
    """Return the newest commit on the first-parent line from `commit` with a `Minitask-Spec` trailer."""
    return (
        git.line(
            "log",
            "-1",
            "--first-parent",
            "--format=%H",
            "--basic-regexp",
            "--grep=^Minitask-Spec: ",
            commit,
        )
        or None
    )


def parent_of_task(git: Git, tip: str, task: str, *, since: str) -> str | None:
    """Return the parent of the task's oldest commit on the first-parent line from `tip`, down to `since`."""
    form = "--format=%P%x00%(trailers:key=Minitask,valueonly)%x01"
    parent = None
    for item in git.line("log", "--first-parent", form, tip, f"^{since}").split("\1"):
        parents, _, name = item.strip("\n").partition("\0")
        if name.strip() == task:
            parent = parents.partition(" ")[0]
    return parent


def trailer(git: Git, commit: str, key: str) -> str:
    """Return the value of a trailer of the commit; empty if it has none."""
    return git.line("log", "-1", f"--format=%(trailers:key={key},valueonly)", commit).strip()


def hunks(git: Git, old_blob: str, new_blob: str) -> tuple[tuple[int, int, int, int], ...]:
    """Return the hunks between two blobs, from `diff -U0`, as `(old_start, old_count, new_start, new_count)`."""
    args = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--text", "--minimal", "-U0")
    ranges = []
    for line in git.output(*args, old_blob, new_blob).split(b"\n"):
        match = HUNK.match(line)
        if match:
            old, old_count, new, new_count = (
                int(group) if group is not None else 1 for group in match.groups()
            )
            ranges.append((old, old_count, new, new_count))
    return tuple(ranges)


KEYS = ("Minitask", "Minitask-Undo", "Minitask-Tier", "Minitask-Model", "Minitask-Cost")


class LandedTask(Struct, frozen=True):
    """A task's merge, or its undo (`undone`); `date` is the committer date in ISO 8601."""

    task: str
    commit: str
    date: str
    subject: str
    tier: str
    model: str
    cost: str
    undone: bool


def landed_tasks(git: Git, tip: str) -> Iterator[LandedTask]:
    """Yield the landings and undos on the first-parent line, newest first."""
    fields = ("%H", "%cI", "%s", *map(trailer_field, KEYS))
    for commit, date, subject, task, undone, tier, model, cost in landing_rows(git, tip, fields):
        yield LandedTask(
            task or undone, commit, date, subject, tier, model, cost, undone=bool(undone)
        )


def commits_of(git: Git, landed: LandedTask) -> tuple[tuple[str, str], ...]:
    """Return the commits that a merge brought in, newest first, as `(id, subject)`; none for an undo."""
    if landed.undone:
        return ()
    rows = git.line("log", "--format=%H%x00%s", f"{landed.commit}^1..{landed.commit}").splitlines()
    pairs = (row.partition("\0") for row in rows)
    return tuple((oid, subject) for oid, _, subject in pairs if oid != landed.commit)


def all_landings(
    git: Git, objects: Objects, tip: str, tasks: Collection[str] | None = None
) -> dict[str, Landing]:
    """Return each task's newest landing or undo, by the toolkit or by hand; `tasks` limits the result.

    A landing by hand is detected only while the task has its branch.
    """
    landed = landings(git, tip)
    if tasks is not None:
        landed = {task: landed[task] for task in tasks if task in landed}
        if len(landed) == len(tasks):
            return landed
    for name, candidate in refs.snapshot(git, refs.BRANCHES).items():
        task = name.removeprefix(f"{refs.BRANCHES}/")
        if task not in landed and (tasks is None or task in tasks):
            landing = brought_by_hand(git, objects, tip, task, candidate)
            if landing is not None:
                landed[task] = landing
    return landed


def brought_by_hand(
    git: Git, objects: Objects, tip: str, task: str, candidate: str
) -> Landing | None:
    """Return the landing if a person brought the task's branch to the tip by hand, else None."""
    base = objects.commit(f"{candidate}^1")
    if base is None:
        return None
    paths = _paths_there(objects, tip, base=base, candidate=candidate)
    merge = merge_of(git, candidate, tip)
    if merge is None and not paths:
        return None
    spec = _spec_of(git, candidate, task)
    if spec is None or (merge is not None and trailer(git, merge, "Minitask")):
        return None
    if merge is not None:
        return Landing(merge, spec, undone=False)
    commit = introduced_by(git, tip, paths[0])
    return Landing(commit, spec, undone=False, whole=False) if commit else None


def _spec_of(git: Git, candidate: str, task: str) -> str | None:
    """Return `PATH@BLOB` of the spec in the newest commit with one; None if that commit is another task's."""
    commit = latest_with_spec(git, candidate)
    if commit is None or trailer(git, commit, "Minitask") != task:
        return None
    return trailer(git, commit, "Minitask-Spec")


def _paths_there(objects: Objects, tip: str, *, base: str, candidate: str) -> list[str]:
    """Return the paths of the candidate's change if the tip contains all of it, else none."""
    changes = list(differences(objects, objects.tree_of(base), objects.tree_of(candidate)))
    if not all(objects.entry(tip, change.path) == change.new for change in changes):
        return []
    return [change.path for change in changes]
