"""Check the specs of a project against each other: names, dependencies, shared files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from minitask.patterns import lazy_pattern
from minitask.spec.dependency_graph import Graph, find_circle, normal_number
from minitask.spec.model import Diagnostic, FileAction, FileRef, Problem, Spec
from minitask.spec.paths import check_path, fold
from minitask.spec.template import PLACEHOLDER_PATH

Touched = Sequence[Mapping[str, tuple[FileRef, ...]]]
Use = tuple[int, tuple[FileRef, ...]]

MAX_WRITERS = 3
"""The most writers of a file that a note names."""

TASK_NUMBER = lazy_pattern(r"(?i)\bmini[- ]?task\s+#?(\d+[a-z]?)\b")


def check_project(
    specs: Sequence[Spec], *, existing: Sequence[Spec] = (), landed: Sequence[Spec] = ()
) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of specs that contradict each other.

    `existing` are further specs that are not checked themselves. The files of `landed` specs are settled: their writers
    and creators are not reported.
    """
    checked = tuple(specs)
    checked_ids = set(map(id, checked))
    graph = Graph(checked + tuple(spec for spec in existing if id(spec) not in checked_ids))
    judged = frozenset(range(len(checked)))
    settled = {id(spec) for spec in landed}
    open_ = frozenset(index for index, spec in enumerate(graph.specs) if id(spec) not in settled)
    return (
        *_check_ids(graph, judged),
        *_check_dependencies(graph, judged),
        *_check_cycles(graph, judged),
        *_check_shared_files(graph, judged, open_),
        *_check_next_tasks(graph, judged),
    )


def _check_ids(graph: Graph, judged: frozenset[int]) -> Iterator[Diagnostic]:
    first: dict[str, int] = {}
    for index in sorted(range(len(graph.specs)), key=lambda index: (index in judged, index)):
        spec, name = graph.specs[index], graph.names[index]
        earlier = first.setdefault(name.casefold(), index)
        if earlier != index and index in judged and not _is_reported(spec, graph.specs[earlier]):
            location = _location(graph.specs[earlier])
            message = f"two specs are named {name}: this one and {location}"
            hint = "give one of them another `id` in its front matter"
            yield Problem(spec.line_of("options.id"), "E211", message, hint).at(spec.path)


def _is_reported(spec: Spec, earlier: Spec) -> bool:
    """Return True if the parser reports the pair: same file, and same number or an id for both."""
    numbers = spec.number.casefold() == earlier.number.casefold()
    return spec.path == earlier.path and (numbers or spec.options.id is not None)


def _check_dependencies(graph: Graph, judged: frozenset[int]) -> Iterator[Diagnostic]:
    for index in sorted(judged):
        spec = graph.specs[index]
        for row, entry in enumerate(spec.options.depends_on):
            matches = graph.find(entry, asker=index)
            repeated = entry in spec.options.depends_on[:row]
            if repeated or (matches and not graph.is_ambiguous(matches)):
                continue
            several = ", ".join(graph.names[match] for match in matches)
            fault = f"names several tasks ({several})" if matches else "names no task"
            message = f"the dependency {entry!r} {fault}"
            hint = "write a task's id, or `PROJECT/ID` for another project"
            yield Problem(_dependency_line(spec, row), "E209", message, hint).at(spec.path)


def _dependency_line(spec: Spec, row: int) -> int:
    """Return the line of an entry of `depends_on`, or of the list if the entry's is unknown."""
    lines = dict(spec.lines)
    return lines.get(f"options.depends_on/{row}") or spec.line_of("options.depends_on")


def _check_cycles(graph: Graph, judged: frozenset[int]) -> Iterator[Diagnostic]:
    remaining = frozenset(range(len(graph.specs)))
    while circle := find_circle(graph, among=remaining):
        remaining -= frozenset(circle)
        reporters = sorted(judged.intersection(circle))
        if not reporters:
            continue
        start = circle.index(reporters[0])
        turned = (*circle[start:], *circle[:start], circle[start])
        loop = " -> ".join(graph.names[index] for index in turned)
        spec = graph.specs[reporters[0]]
        message = f"the task depends on itself: {loop}"
        hint = "remove the `depends_on` entry that closes the cycle"
        yield Problem(spec.line_of("options.depends_on"), "E208", message, hint).at(spec.path)


def _check_shared_files(
    graph: Graph, judged: frozenset[int], open_: frozenset[int]
) -> Iterator[Diagnostic]:
    touched = [
        files_by_path(spec) if index in open_ else {} for index, spec in enumerate(graph.specs)
    ]
    writers: dict[str, set[int]] = {}
    for (earlier, later), paths in sorted(shared_files(touched).items()):
        uses = [
            (path, (earlier, touched[earlier][path]), (later, touched[later][path]))
            for path in sorted(paths)
        ]
        pairs = [(first, second) for _, first, second in uses if judged & {earlier, later}]
        unordered = (_unordered_use(graph, judged, first=a, second=b) for a, b in pairs)
        if diagnostic := next(filter(None, unordered), None):
            yield diagnostic
            continue
        for path, first, second in uses:
            if _both_write(graph, first, second):
                writers.setdefault(path, set()).update((earlier, later))
    for path, indices in sorted(writers.items()):
        if judged & indices:
            yield _note_writers(graph, judged, touched, path=path, writers=sorted(indices))


def shared_files(touched: Touched) -> dict[tuple[int, int], list[str]]:
    """Return the files shared by each pair of specs of which at least one writes them."""
    users: dict[str, list[int]] = {}
    for index, files in enumerate(touched):
        for path in files:
            users.setdefault(path, []).append(index)
    shared: dict[tuple[int, int], list[str]] = {}
    for path, indices in users.items():
        writers = [index for index in indices if _writes(touched[index][path])]
        pairs = {(min(w, p), max(w, p)) for w in writers for p in indices if w != p}
        for pair in pairs:
            shared.setdefault(pair, []).append(path)
    return shared


def _unordered_use(
    graph: Graph, judged: frozenset[int], *, first: Use, second: Use
) -> Diagnostic | None:
    """Return W214 if one of the two creates a file that the other uses, and they declare no order."""
    for maker, user in ((first, second), (second, first)):
        if _creates(maker[1]) and not _creates(user[1]):
            return _check_use(graph, maker=maker, user=user, judged=judged)
    return None


def _both_write(graph: Graph, first: Use, second: Use) -> bool:
    """Return True if both write the file in no declared order, and neither creates it for the other."""
    if _creates(first[1]) != _creates(second[1]):
        return False
    linked = second[0] in graph.reach[first[0]] or first[0] in graph.reach[second[0]]
    return not linked and bool(_writes(first[1])) and bool(_writes(second[1]))


def _note_writers(
    graph: Graph, judged: frozenset[int], touched: Touched, *, path: str, writers: Sequence[int]
) -> Diagnostic:
    """Return N207, once per file, at the last of its writers that is checked."""
    index = max(judged.intersection(writers))
    spec, ref = graph.specs[index], _writes(touched[index][path])[0]
    others = [writer for writer in writers if writer != index]
    shown = ", ".join(
        f"{_short_name(graph, writer, asker=index)} ({_location(graph.specs[writer])})"
        for writer in others[:MAX_WRITERS]
    )
    more = f" and {len(others) - MAX_WRITERS} more" if len(others) > MAX_WRITERS else ""
    message = f"{ref.path} is also written by {shown}{more}: they run one at a time"
    first = _short_name(graph, others[0], asker=index)
    hint = f"where the order matters, add `depends_on: [{first}]`"
    return Problem(ref.line or spec.line_of("files"), "N207", message, hint).at(spec.path)


def _check_use(graph: Graph, *, maker: Use, user: Use, judged: frozenset[int]) -> Diagnostic | None:
    refs = tuple(ref for ref in user[1] if not ref.optional)
    if maker[0] in graph.reach[user[0]] or not refs:
        return None
    index = user[0] if user[0] in judged else maker[0]
    spec, ref = graph.specs[index], refs[0]
    creator, reader = _short_name(graph, maker[0], asker=user[0]), graph.names[user[0]]
    verb = "reads" if ref.action is FileAction.READ else "writes"
    line = ref.line if index == user[0] else maker[1][0].line
    maker_name = graph.names[maker[0]]
    message = f"{reader} {verb} {ref.path}, which {maker_name} creates, and does not depend on it"
    hint = f"add `depends_on: [{creator}]` to {reader}"
    return Problem(line or spec.line_of("files"), "W214", message, hint).at(spec.path)


def _check_next_tasks(graph: Graph, judged: frozenset[int]) -> Iterator[Diagnostic]:
    by_project: dict[str, set[str]] = {}
    by_path: dict[str, set[str]] = {}
    for spec, name in zip(graph.specs, graph.names, strict=True):
        number = normal_number(spec.number)
        by_project.setdefault(name.partition("/")[0], set()).add(number)
        by_path.setdefault(spec.path, set()).add(number)
    for index in sorted(judged):
        spec = graph.specs[index]
        next_numbers = dict.fromkeys(TASK_NUMBER.findall(spec.next_task))
        if not next_numbers:
            continue
        project = graph.names[index].partition("/")[0]
        numbers = by_project[project] | by_path[spec.path]
        for number in next_numbers:
            if normal_number(number) not in numbers:
                message = f"the next task, Mini-Task {number}, does not exist in {project}"
                hint = "fix the number, or say that this is the last task"
                yield Problem(spec.line_of("next_task"), "W210", message, hint).at(spec.path)


def files_by_path(spec: Spec) -> dict[str, tuple[FileRef, ...]]:
    """Return the spec's files with a usable path, by their folded path."""
    files: dict[str, tuple[FileRef, ...]] = {}
    for ref in spec.files:
        if not check_path(ref.path) and not PLACEHOLDER_PATH.search(ref.path):
            key = fold(ref.path)
            files[key] = (*files.get(key, ()), ref)
    return files


def _creates(refs: Sequence[FileRef]) -> bool:
    return any(ref.action is FileAction.CREATE for ref in refs)


def _writes(refs: Sequence[FileRef]) -> tuple[FileRef, ...]:
    return tuple(ref for ref in refs if ref.action is not FileAction.READ)


def _short_name(graph: Graph, index: int, *, asker: int) -> str:
    """Return a task's name as a `depends_on` entry of `asker` would give it."""
    project, _, task_id = graph.names[index].partition("/")
    return task_id if graph.names[asker].partition("/")[0] == project else graph.names[index]


def _location(spec: Spec) -> str:
    return f"{spec.path}:{spec.line_of('title')}"
