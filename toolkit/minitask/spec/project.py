"""Check the specs of a project against each other: names, dependencies, files they share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minitask.patterns import lazy_pattern
from minitask.spec.dependency_graph import Graph, find_circle
from minitask.spec.model import Diagnostic, FileAction, FileRef, Spec
from minitask.spec.paths import check_path, fold
from minitask.spec.placeholders import PLACEHOLDER_PATH
from minitask.spec.rules import diagnose
from minitask.spec.task_names import normal_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Use = tuple[int, tuple[FileRef, ...]]

MAX_WRITERS = 3
"""How many other writers of a file a note names."""

TASK_NUMBER = lazy_pattern(r"\bmini[- ]?task\s+#?(\d+[a-z]?)\b", re.IGNORECASE)


def check_project(
    specs: Sequence[Spec], *, known: Sequence[Spec] = (), landed: Sequence[Spec] = ()
) -> tuple[Diagnostic, ...]:
    """Return what does not fit between the specs; `known` are further specs that are not judged themselves.

    Files of `landed` specs are settled: nothing is said of who writes or creates them.
    """
    own = tuple(specs)
    mine = set(map(id, own))
    graph = Graph(own + tuple(spec for spec in known if id(spec) not in mine))
    judged = frozenset(range(len(own)))
    settled = {id(spec) for spec in landed}
    open_ = frozenset(place for place, spec in enumerate(graph.specs) if id(spec) not in settled)
    return (
        *_check_ids(graph, judged),
        *_check_dependencies(graph, judged),
        *_check_cycles(graph, judged),
        *_check_shared_files(graph, judged, open_),
        *_check_next_tasks(graph, judged),
    )


def _check_ids(graph: Graph, judged: frozenset[int]) -> Iterator[Diagnostic]:
    first: dict[str, int] = {}
    for place in sorted(range(len(graph.specs)), key=lambda place: (place in judged, place)):
        spec, name = graph.specs[place], graph.names[place]
        earlier = first.setdefault(name.casefold(), place)
        if earlier != place and place in judged and not _is_said(spec, graph.specs[earlier]):
            other = _place_of(graph.specs[earlier])
            yield diagnose(
                spec.path,
                spec.line_of("options.id"),
                code="E211",
                message=f"two specs are named {name}: this one and {other}",
                hint="give one of them another `id` in its front matter",
            )


def _is_said(spec: Spec, other: Spec) -> bool:
    """Return True if the parser has said so already: one file, with one number or one id for both."""
    numbers = spec.number.casefold() == other.number.casefold()
    return spec.path == other.path and (numbers or spec.options.id is not None)


def _check_dependencies(graph: Graph, judged: frozenset[int]) -> Iterator[Diagnostic]:
    for place in sorted(judged):
        spec = graph.specs[place]
        for row, entry in enumerate(spec.options.depends_on):
            found = graph.find(entry, asker=place)
            repeated = entry in spec.options.depends_on[:row]
            if repeated or (found and not graph.is_ambiguous(found)):
                continue
            several = ", ".join(graph.names[other] for other in found)
            said = f"names several tasks ({several})" if found else "names no task"
            yield diagnose(
                spec.path,
                _dependency_line(spec, row),
                code="E209",
                message=f"the dependency {entry!r} {said}",
                hint="write a task's id, or `PROJECT/ID` for another project",
            )


def _dependency_line(spec: Spec, row: int) -> int:
    """Return the line of one entry of `depends_on`, or that of the list where the entry's is not known."""
    known = dict(spec.lines)
    return known.get(f"options.depends_on/{row}") or spec.line_of("options.depends_on")


def _check_cycles(graph: Graph, judged: frozenset[int]) -> Iterator[Diagnostic]:
    left = frozenset(range(len(graph.specs)))
    while circle := find_circle(graph, among=left):
        left -= frozenset(circle)
        reporters = sorted(judged.intersection(circle))
        if not reporters:
            continue
        start = circle.index(reporters[0])
        turned = (*circle[start:], *circle[:start], circle[start])
        loop = " -> ".join(graph.names[place] for place in turned)
        spec = graph.specs[reporters[0]]
        yield diagnose(
            spec.path,
            spec.line_of("options.depends_on"),
            code="E208",
            message=f"the task depends on itself: {loop}",
            hint="remove the `depends_on` entry that closes the cycle",
        )


def _check_shared_files(
    graph: Graph, judged: frozenset[int], open_: frozenset[int]
) -> Iterator[Diagnostic]:
    touched = [
        files_by_path(spec) if place in open_ else {} for place, spec in enumerate(graph.specs)
    ]
    writers: dict[str, set[int]] = {}
    for (one, two), paths in sorted(shared_files(touched).items()):
        uses = [
            (path, (one, touched[one][path]), (two, touched[two][path])) for path in sorted(paths)
        ]
        said = next(
            (
                problem
                for _, first, second in uses
                if judged & {one, two}
                and (problem := _unordered_use(graph, judged, one=first, two=second))
            ),
            None,
        )
        if said is not None:
            yield said
            continue
        for path, first, second in uses:
            if _both_write(graph, first, second):
                writers.setdefault(path, set()).update((one, two))
    for path, places in sorted(writers.items()):
        if judged & places:
            yield _note_writers(graph, judged, touched, path=path, writers=sorted(places))


def shared_files(
    touched: Sequence[Mapping[str, tuple[FileRef, ...]]],
) -> dict[tuple[int, int], list[str]]:
    """Return the pairs of specs that share files of which one of the two writes, with those files."""
    users: dict[str, list[int]] = {}
    for place, files in enumerate(touched):
        for path in files:
            users.setdefault(path, []).append(place)
    found: dict[tuple[int, int], list[str]] = {}
    for path, places in users.items():
        writers = [place for place in places if _writes(touched[place][path])]
        pairs = {(min(w, p), max(w, p)) for w in writers for p in places if w != p}
        for pair in pairs:
            found.setdefault(pair, []).append(path)
    return found


def _unordered_use(
    graph: Graph, judged: frozenset[int], *, one: Use, two: Use
) -> Diagnostic | None:
    """W214 where one of the two creates what the other uses, in no order that they declare."""
    for maker, user in ((one, two), (two, one)):
        if _creates(maker[1]) and not _creates(user[1]):
            return _check_use(graph, maker=maker, user=user, judged=judged)
    return None


def _both_write(graph: Graph, one: Use, two: Use) -> bool:
    """Return True if both write the file, in no declared order, and neither makes it for the other."""
    if _creates(one[1]) != _creates(two[1]):
        return False
    linked = two[0] in graph.reach[one[0]] or one[0] in graph.reach[two[0]]
    return not linked and bool(_writes(one[1])) and bool(_writes(two[1]))


def _note_writers(
    graph: Graph,
    judged: frozenset[int],
    touched: Sequence[Mapping[str, tuple[FileRef, ...]]],
    *,
    path: str,
    writers: Sequence[int],
) -> Diagnostic:
    """N207, once a file, at the last of its writers that is judged."""
    place = max(judged.intersection(writers))
    spec, ref = graph.specs[place], _writes(touched[place][path])[0]
    others = [other for other in writers if other != place]
    shown = ", ".join(
        f"{_short(graph, other, asker=place)} ({_place_of(graph.specs[other])})"
        for other in others[:MAX_WRITERS]
    )
    more = f" and {len(others) - MAX_WRITERS} more" if len(others) > MAX_WRITERS else ""
    return diagnose(
        spec.path,
        ref.line or spec.line_of("files"),
        code="N207",
        message=f"{ref.path} is also written by {shown}{more}: they run one at a time",
        hint=f"where the order matters, add `depends_on: [{_short(graph, others[0], asker=place)}]`",
    )


def _check_use(
    graph: Graph,
    *,
    maker: tuple[int, tuple[FileRef, ...]],
    user: tuple[int, tuple[FileRef, ...]],
    judged: frozenset[int],
) -> Diagnostic | None:
    refs = tuple(ref for ref in user[1] if not ref.optional)
    if maker[0] in graph.reach[user[0]] or not refs:
        return None
    place = user[0] if user[0] in judged else maker[0]
    spec, ref = graph.specs[place], refs[0]
    creator, reader = _short(graph, maker[0], asker=user[0]), graph.names[user[0]]
    verb = "reads" if ref.action is FileAction.READ else "writes"
    line = ref.line if place == user[0] else maker[1][0].line
    return diagnose(
        spec.path,
        line or spec.line_of("files"),
        code="W214",
        message=f"{reader} {verb} {ref.path}, which {graph.names[maker[0]]} creates, "
        "and does not depend on it",
        hint=f"add `depends_on: [{creator}]` to {reader}",
    )


def _check_next_tasks(graph: Graph, judged: frozenset[int]) -> Iterator[Diagnostic]:
    by_project: dict[str, set[str]] = {}
    by_path: dict[str, set[str]] = {}
    for spec, name in zip(graph.specs, graph.names, strict=True):
        number = normal_number(spec.number)
        by_project.setdefault(name.partition("/")[0], set()).add(number)
        by_path.setdefault(spec.path, set()).add(number)
    for place in sorted(judged):
        spec = graph.specs[place]
        named = dict.fromkeys(TASK_NUMBER.findall(spec.next_task))
        if not named:
            continue
        project = graph.names[place].partition("/")[0]
        numbers = by_project[project] | by_path[spec.path]
        for number in named:
            if normal_number(number) not in numbers:
                yield diagnose(
                    spec.path,
                    spec.line_of("next_task"),
                    code="W210",
                    message=f"the next task, Mini-Task {number}, does not exist in {project}",
                    hint="fix the number, or say that this is the last task",
                )


def files_by_path(spec: Spec) -> dict[str, tuple[FileRef, ...]]:
    """Return the spec's files with a usable path, under the name that any file system compares."""
    found: dict[str, tuple[FileRef, ...]] = {}
    for ref in spec.files:
        if not check_path(ref.path) and not PLACEHOLDER_PATH.search(ref.path):
            key = fold(ref.path)
            found[key] = (*found.get(key, ()), ref)
    return found


def _creates(refs: Sequence[FileRef]) -> bool:
    return any(ref.action is FileAction.CREATE for ref in refs)


def _writes(refs: Sequence[FileRef]) -> tuple[FileRef, ...]:
    return tuple(ref for ref in refs if ref.action is not FileAction.READ)


def _short(graph: Graph, place: int, *, asker: int) -> str:
    """Return a task's name as a `depends_on` entry of `asker` would give it."""
    project, _, own = graph.names[place].partition("/")
    return own if graph.names[asker].partition("/")[0] == project else graph.names[place]


def _place_of(spec: Spec) -> str:
    return f"{spec.path}:{spec.line_of('title')}"
