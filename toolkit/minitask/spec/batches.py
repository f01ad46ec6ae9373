"""Check how a whole project's tasks fall into batches, and whether their tokens can be summed: advice, never an error.

A batch is a wave: tasks that start once all that they wait for is done, by `depends_on` and by their files. A task is
alone where no other task of its wave may run at the same time: it is the only one, or clashes with all the others.
Each task that is alone is a sequential batch of its own.

A project whose order is in doubt is not judged by its waves: the rules that say so come first.
"""

from __future__ import annotations

from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.errors import UsageError
from minitask.spec.critical_path import chain_lengths, predecessors
from minitask.spec.dependency_graph import Graph
from minitask.spec.file_dependencies import implied
from minitask.spec.paths import SPECS_FOLDER
from minitask.spec.project import files_by_path, shared_files
from minitask.spec.rules import diagnose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from minitask.spec.model import Diagnostic, Spec

MIN_TASKS = 4
"""Below that a project has no batches to speak of."""
MAX_SEQUENTIAL = 2
MIN_PARALLEL_PERCENT = 70
MAX_NAMES = 4
UNORDERED = frozenset({"N207", "E208", "E209", "E211", "W214"})


class Design(Struct, frozen=True):
    """The waves of some specs, by place: each one's wave, what it waits for; those that are alone, wave by wave."""

    graph: Graph
    waves: tuple[int, ...]
    before: tuple[frozenset[int], ...]
    alone: tuple[int, ...]

    @property
    def parallel_percent(self) -> float:
        """Return the share of tasks that may run beside another one of their wave."""
        return 100 * (len(self.waves) - len(self.alone)) / len(self.waves)


def check_batches(
    specs: Sequence[Spec],
    *,
    is_there: Callable[[str], bool] = lambda _path: True,
    is_free: Callable[[Spec], bool] = lambda _spec: False,
    found: Iterable[Diagnostic] = (),
) -> tuple[Diagnostic, ...]:
    """Return what a whole project's batches could be better at; nothing for one of fewer than four tasks.

    `is_there` knows the files before any of the tasks, `is_free` the specs that need no model. `found` is what was
    said of the specs so far.
    """
    if len(specs) < MIN_TASKS:
        return ()
    paths = {spec.path for spec in specs}
    in_doubt = any(
        item.path in paths and (item.code in UNORDERED or item.code.startswith("E1"))
        for item in found
    )
    said = () if in_doubt else _check_waves(specs, is_there)
    return (*said, *_check_estimates(specs, is_free))


def home_of(spec: Spec) -> str:
    """Return the folder that holds the spec's project, or its file where that is the project."""
    path = PurePosixPath(spec.path)
    in_specs = len(path.parts) > 1 and path.parts[0] == SPECS_FOLDER
    if spec.siblings > 1 or spec.index > 0 or (in_specs and len(path.parts) == 2):
        return spec.path
    return f"{SPECS_FOLDER}/{path.parts[1]}" if in_specs else str(path.parent)


def design_of(specs: Sequence[Spec], is_there: Callable[[str], bool]) -> Design:
    """Return the waves that a run goes by; a circle is a `UsageError`."""
    graph = Graph(tuple(specs))
    said = implied(specs, is_there=is_there, graph=graph)
    before = predecessors(graph, said.links)
    waves = chain_lengths(before)
    beside: dict[int, set[int]] = {}
    for place, wave in enumerate(waves):
        beside.setdefault(wave, set()).add(place)
    apart: list[set[int]] = [{place} for place in range(len(waves))]
    for clash in said.clashes:
        apart[clash.one].add(clash.other)
        apart[clash.other].add(clash.one)
    alone = [place for place, wave in enumerate(waves) if beside[wave] <= apart[place]]
    alone.sort(key=lambda place: (waves[place], place))
    return Design(graph, waves, tuple(map(frozenset, before)), tuple(alone))


def _check_waves(specs: Sequence[Spec], is_there: Callable[[str], bool]) -> tuple[Diagnostic, ...]:
    """One diagnostic at most: a task that is alone makes one batch more, and takes its share of the rest."""
    try:
        design = design_of(specs, is_there)
    except UsageError:  # a circle, of which E208 says more
        return ()
    alone, percent = design.alone, design.parallel_percent
    hardly, many = percent < MIN_PARALLEL_PERCENT, len(alone) > MAX_SEQUENTIAL
    if not hardly and not many:
        return ()
    who = f"{_names(design.graph, alone)} run alone"
    # Cut, not rounded: what is below the mark must not read as the mark.
    count = len(specs) - len(alone)
    share = f"{count} of {len(specs)} tasks ({int(percent)} %) run in parallel"
    if not many:
        return (_at(design, alone[-1], code="N412", message=f"{share}: {who}"),)
    aim = f"{len(alone)} sequential batches; aim for at most {MAX_SEQUENTIAL}"
    message = f"{aim}: {who}; {share}" if hardly else f"{aim}: {who}"
    return (_at(design, alone[MAX_SEQUENTIAL], code="N411", message=message),)


def _at(design: Design, place: int, *, code: str, message: str) -> Diagnostic:
    spec = design.graph.specs[place]
    line = spec.line_of("options.depends_on")
    return diagnose(spec.path, line, code=code, message=message, hint=_way_out(design))


def _way_out(design: Design) -> str:
    """Return which tasks to untie: those that nothing but `depends_on` holds back, where there are any."""
    loose = [
        f"{_names(design.graph, [place])} to {_names(design.graph, held)}"
        for place, held in islice(_loose(design), MAX_NAMES)
    ]
    if loose:
        return f"remove `depends_on` ({_listed(loose)}) if possible: no shared file requires it"
    names = _names(design.graph, design.alone)
    return f"{names} share files: separate the files, or join some tasks"


def _loose(design: Design) -> Iterator[tuple[int, list[int]]]:
    """Tasks that are alone, and the tasks of the wave before that hold each back without a file."""
    specs, waves = design.graph.specs, design.waves
    for place in design.alone:
        held = sorted(each for each in design.before[place] if waves[each] == waves[place] - 1)
        touched = [files_by_path(specs[each]) for each in (place, *held)]
        if held and not any(0 in pair for pair in shared_files(touched)):
            yield place, held


def _check_estimates(
    specs: Sequence[Spec], is_free: Callable[[Spec], bool]
) -> Iterator[Diagnostic]:
    silent = [place for place, spec in enumerate(specs) if spec.estimate.tokens is None]
    others = len(specs) - len(silent)
    missing = [place for place in silent if others and not is_free(specs[place])]
    if missing:
        first = specs[missing[0]]
        have = "has one" if others == 1 else "have one"
        yield diagnose(
            first.path,
            first.line_of("estimate"),
            code="N413",
            message=f"no estimate of input and output tokens in {_names(Graph(tuple(specs)), missing)}, while "
            f"{others} of {len(specs)} tasks {have}: the batch totals are unknown",
            hint="add `**Estimated Tokens**: N input + N output` there",
        )


def _names(graph: Graph, places: Sequence[int]) -> str:
    """Return the tasks' ids: all of them, or the first few and how many more."""
    own = [graph.names[place].partition("/")[2] for place in places[:MAX_NAMES]]
    more = len(places) - len(own)
    return _listed([*own, f"{more} more"] if more else own)


def _listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), words[-1]])
