"""Names of tasks as people type them: an ID without its project, a number, or a name that is nearly right."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from minitask.engine.context import Context
from minitask.engine.tasks import PROJECTS, Base, Task
from minitask.errors import UsageError
from minitask.git import refs
from minitask.patterns import lazy_pattern
from minitask.spec.dependency_graph import normal_number
from minitask.words import nearest

_NUMBER = lazy_pattern(r"[0-9]{1,6}[a-z]?(?![A-Za-z0-9])")
SHOWN = 6
FORMS = "name a spec's path, FILE#N, PROJECT/ID or a project"


def fits(word: str, name: str, number: str = "") -> bool:
    """Return True if a word is the ID or the number of the task `PROJECT/ID`, with or without its project."""
    project, _, task_id = name.partition("/")
    given_project, _, given = word.replace("#", "/").rpartition("/")
    if given_project not in ("", project):
        return False
    if given == task_id:
        return True
    leading = _NUMBER.match(task_id)
    own = leading[0] if leading else number
    return bool(own and _NUMBER.fullmatch(given)) and normal_number(given) == normal_number(own)


def choose_fitting(word: str, tasks: Iterable[Task], base: Base) -> list[Task]:
    """Return the task that a word fits, of the user's own folder first; raise `UsageError` where it fits several."""
    fitting = [task for task in tasks if fits(word, task.name, task.spec.number)]
    near = [task for task in fitting if PurePosixPath(task.path).parent.name == base.folder.name]
    chosen = near or fitting
    if len(chosen) > 1:
        names = ", ".join(task.name for task in chosen[:SHOWN])
        raise UsageError(f"several tasks are called {word}", hint=f"name one of: {names}")
    return chosen


def unknown_name(engine: Context, word: str, names: Sequence[str], base: Base) -> UsageError:
    """Return the error for a word that names nothing: where the spec is, if it is elsewhere, or what is like it."""
    message = f"no project, task or spec file {word}"
    uncommitted = _in_checkout(engine, word, base)
    if uncommitted:
        return UsageError(
            f"{message}: {uncommitted} is not committed",
            hint=commit_command(engine, uncommitted, base, word),
        )
    branch = _on_branch(engine, word, base)
    if branch:
        return UsageError(
            f"{message} at {base}: it is on branch {branch}",
            hint=f"git switch {shlex.quote(branch)}, or merge it",
        )
    projects = {name.partition("/")[0] for name in names}
    ids = {} if "/" in word else {name.partition("/")[2]: name for name in names}
    near = nearest(word, [*names, *projects, *ids])
    return UsageError(message, hint=f"did you mean {ids.get(near, near)}?" if near else FORMS)


def commit_command(engine: Context, path: str, base: Base, name: str) -> str:
    """Return the command that commits a spec, to be given in the user's folder."""
    top = engine.repository.top
    shown = shlex.quote(os.path.relpath(top / path, base.folder) if top else path)
    return f"git add -- {shown} && git commit -m {shlex.quote(f'spec: {name}')} -- {shown}"


def _candidates(word: str) -> tuple[str, ...]:
    path = word.partition("#")[0].strip("/")
    inside = f"{PROJECTS}/{path.removeprefix(f'{PROJECTS}/')}"
    return (path, f"{inside}.md", inside) if path else ()


def _in_checkout(engine: Context, word: str, base: Base) -> str:
    """Return the path of the spec, or folder of specs, in the checkout that a word may mean; "" for none."""
    top = engine.repository.top
    if top is None:
        return ""
    folder = base.folder.relative_to(top) if base.folder.is_relative_to(top) else Path()
    beside = (folder / f"{word.rpartition('/')[2].removesuffix('.md')}.md").as_posix()
    for path in (*_candidates(word), beside):
        place = top / path
        if (path.endswith(".md") and place.is_file()) or any(place.glob("*.md")):
            return path
    specs = sorted(top.glob(f"{PROJECTS}/*/*.md"))
    fitting = (path for path in specs if fits(word, f"{path.parent.name}/{path.stem}"))
    return next((path.relative_to(top).as_posix() for path in fitting), "")


def _on_branch(engine: Context, word: str, base: Base) -> str:
    """Return another branch of the user's that holds what a word may mean; "" for none."""
    heads = refs.snapshot(engine.repository.git, "refs/heads")
    for ref, oid in heads.items():
        if ref != base.target and not ref.startswith(f"{refs.BRANCHES}/"):
            found = (engine.objects.entry(oid, path) for path in _candidates(word))
            if any(found):
                return ref.removeprefix("refs/heads/")
    return ""
