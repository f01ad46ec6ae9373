"""Check how a project's tasks form batches, and whether their token estimates can be summed: advice, never an error.

A batch is a wave: tasks that start once all their predecessors (by `depends_on` and by files) are done. A task runs
alone if it is the only one of its wave or clashes with all others. Each such task is a sequential batch of its own.

The waves of a project whose order is in doubt are not judged: the rules that report the doubt come first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import PurePosixPath

from msgspec import Struct

from minitask.errors import UsageError
from minitask.spec.dependency_graph import Graph
from minitask.spec.file_dependencies import chain_lengths, implied, predecessors
from minitask.spec.model import Diagnostic, Problem, Spec
from minitask.spec.paths import SPECS_FOLDER
from minitask.spec.project import files_by_path, shared_files

MIN_TASKS = 4
"""Tasks below which a project's batches are not judged."""
MAX_SEQUENTIAL = 2
MIN_PARALLEL_PERCENT = 70
MAX_NAMES = 4
UNORDERED = frozenset({"N207", "E208", "E209", "E211", "W214"})


class Design(Struct, frozen=True):
    """The waves of specs, by index: the number of each spec's wave, its predecessors, and the specs that run alone."""

    graph: Graph
    waves: tuple[int, ...]
    before: tuple[frozenset[int], ...]
    alone: tuple[int, ...]

    @property
    def parallel_percent(self) -> float:
        """The share of tasks that may run in parallel with another one of their wave."""
        return 100 * (len(self.waves) - len(self.alone)) / len(self.waves)


def check_batches(
    specs: Sequence[Spec],
    *,
    is_there: Callable[[str], bool] = lambda _path: True,
    is_free: Callable[[Spec], bool] = lambda _spec: False,
    diagnostics: Iterable[Diagnostic] = (),
) -> tuple[Diagnostic, ...]:
    """Return the notes on a whole project's batches; none for fewer than four tasks.

    `is_there` tells which files exist before the tasks, `is_free` which specs need no model. `diagnostics` are those
    found so far.
    """
    if len(specs) < MIN_TASKS:
        return ()
    paths = {spec.path for spec in specs}
    in_doubt = any(
        diagnostic.path in paths
        and (diagnostic.code in UNORDERED or diagnostic.code.startswith("E1"))
        for diagnostic in diagnostics
    )
    wave_diagnostics = () if in_doubt else _check_waves(specs, is_there)
    return (*wave_diagnostics, *_check_estimates(specs, is_free))


def home_of(spec: Spec) -> str:
    """Return the folder of the spec's project, or its file if that is the whole project."""
    path = PurePosixPath(spec.path)
    in_specs = len(path.parts) > 1 and path.parts[0] == SPECS_FOLDER
    if spec.siblings > 1 or spec.index > 0 or (in_specs and len(path.parts) == 2):
        return spec.path
    return f"{SPECS_FOLDER}/{path.parts[1]}" if in_specs else str(path.parent)


def design_of(specs: Sequence[Spec], is_there: Callable[[str], bool]) -> Design:
    """Return the waves in which the specs run; raise `UsageError` for a cycle."""
    graph = Graph(tuple(specs))
    order = implied(specs, is_there=is_there, graph=graph)
    before = predecessors(graph, order.links)
    waves = chain_lengths(before)
    beside: dict[int, set[int]] = {}
    for index, wave in enumerate(waves):
        beside.setdefault(wave, set()).add(index)
    apart: list[set[int]] = [{index} for index in range(len(waves))]
    for clash in order.clashes:
        apart[clash.first].add(clash.second)
        apart[clash.second].add(clash.first)
    alone = [index for index, wave in enumerate(waves) if beside[wave] <= apart[index]]
    alone.sort(key=lambda index: (waves[index], index))
    return Design(graph, waves, tuple(map(frozenset, before)), tuple(alone))


def _check_waves(specs: Sequence[Spec], is_there: Callable[[str], bool]) -> tuple[Diagnostic, ...]:
    """Return at most one diagnostic: a task that runs alone adds a batch and lowers the parallel share."""
    try:
        design = design_of(specs, is_there)
    except UsageError:  # a cycle, which E208 reports in detail
        return ()
    alone, percent = design.alone, design.parallel_percent
    hardly, many = percent < MIN_PARALLEL_PERCENT, len(alone) > MAX_SEQUENTIAL
    if not hardly and not many:
        return ()
    who = f"{_names(design.graph, alone)} run alone"
    # Truncated, not rounded: a share below the limit must not read as the limit.
    count = len(specs) - len(alone)
    share = f"{count} of {len(specs)} tasks ({int(percent)} %) run in parallel"
    if not many:
        return (_at(design, alone[-1], code="N412", message=f"{share}: {who}"),)
    aim = f"{len(alone)} sequential batches; aim for at most {MAX_SEQUENTIAL}"
    message = f"{aim}: {who}; {share}" if hardly else f"{aim}: {who}"
    return (_at(design, alone[MAX_SEQUENTIAL], code="N411", message=message),)


def _at(design: Design, index: int, *, code: str, message: str) -> Diagnostic:
    spec = design.graph.specs[index]
    line = spec.line_of("options.depends_on")
    return Problem(line, code, message, _untie_hint(design)).at(spec.path)


def _untie_hint(design: Design) -> str:
    """Return a hint on which tasks to separate: first those that wait only because of `depends_on`."""
    loose = [
        f"{_names(design.graph, [index])} to {_names(design.graph, blockers)}"
        for index, blockers in islice(_loose(design), MAX_NAMES)
    ]
    if loose:
        listed = _join_phrases(loose)
        return f"remove `depends_on` ({listed}) if possible: no shared file requires it"
    names = _names(design.graph, design.alone)
    return f"{names} share files: separate the files, or join some tasks"


def _loose(design: Design) -> Iterator[tuple[int, list[int]]]:
    """Yield the tasks that run alone only because of `depends_on`, each with its predecessors."""
    specs, waves = design.graph.specs, design.waves
    for index in design.alone:
        blockers = sorted(task for task in design.before[index] if waves[task] == waves[index] - 1)
        touched = [files_by_path(specs[task]) for task in (index, *blockers)]
        if blockers and not any(0 in pair for pair in shared_files(touched)):
            yield index, blockers


def _check_estimates(
    specs: Sequence[Spec], is_free: Callable[[Spec], bool]
) -> Iterator[Diagnostic]:
    silent = [index for index, spec in enumerate(specs) if spec.estimate.tokens is None]
    others = len(specs) - len(silent)
    missing = [index for index in silent if others and not is_free(specs[index])]
    if missing:
        first = specs[missing[0]]
        have = "has one" if others == 1 else "have one"
        message = (
            f"no estimate of input and output tokens in {_names(Graph(tuple(specs)), missing)}, while "
            f"{others} of {len(specs)} tasks {have}: the batch totals are unknown"
        )
        hint = "add `**Estimated Tokens**: N input + N output` there"
        yield Problem(first.line_of("estimate"), "N413", message, hint).at(first.path)


def _names(graph: Graph, indices: Sequence[int]) -> str:
    """Return the tasks' ids: all of them, or the first few and the number of the rest."""
    ids = [graph.names[index].partition("/")[2] for index in indices[:MAX_NAMES]]
    more = len(indices) - len(ids)
    return _join_phrases([*ids, f"{more} more"] if more else ids)


def _join_phrases(phrases: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    return " and ".join([*([", ".join(phrases[:-1])] if phrases[1:] else []), phrases[-1]])
