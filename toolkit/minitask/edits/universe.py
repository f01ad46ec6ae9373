"""Which specs matter to those that are judged: their project's, and those of other projects that they build on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from minitask.spec.graph import Graph
from minitask.spec.model import FileAction, Spec

MAKING = (FileAction.CREATE, FileAction.WRITE)


class Universe(Struct, frozen=True):
    """The judged specs, and the others of their project; further ones are taken in where these need them."""

    judged: Sequence[Spec]
    near: Sequence[Spec]
    is_there: Callable[[str], bool]
    far: Sequence[Spec] = ()

    @property
    def specs(self) -> list[Spec]:
        """All that matter."""
        return [*self.judged, *self.near, *self.far]

    @property
    def is_complete(self) -> bool:
        """Return True if every dependency, and every file that a spec starts from, is found among the specs or in
        the base.
        """
        return not (self._unknown_needs() or _missing(self.specs, self.is_there))

    def with_others(self, others: Sequence[Spec]) -> Universe:
        """Return the universe with those of other specs that are depended on, or make a file that is used."""
        known, left = self.specs, list(others)
        while True:
            found = _reached(known, left, self.is_there)
            if not found:
                far = known[len(self.judged) + len(self.near) :]
                return Universe(self.judged, self.near, self.is_there, far)
            known += found
            taken = set(map(id, found))
            left = [spec for spec in left if id(spec) not in taken]

    def _unknown_needs(self) -> bool:
        graph = Graph(tuple(self.specs))
        return any(
            not graph.find(entry, asker=place)
            for place, spec in enumerate(graph.specs)
            for entry in spec.options.depends_on
        )


def _missing(specs: Sequence[Spec], is_there: Callable[[str], bool]) -> set[str]:
    """Return the files that specs start from, and that are neither in the base nor made by one of them."""
    made = {ref.path for spec in specs for ref in spec.files if ref.action in MAKING}
    used = (ref for spec in specs for ref in spec.files if ref.action not in MAKING)
    return {
        ref.path
        for ref in used
        if not ref.optional and ref.path not in made and not is_there(ref.path)
    }


def _reached(
    known: Sequence[Spec], left: Sequence[Spec], is_there: Callable[[str], bool]
) -> list[Spec]:
    """Return the specs of `left` that one of `known` depends on, or whose new files it uses."""
    graph = Graph((*known, *left))
    wanted = {
        place for asker in range(len(known)) for place in graph.needs[asker] if place >= len(known)
    }
    missing = _missing(known, is_there)
    for at, spec in enumerate(left, len(known)):
        if any(ref.action in MAKING and ref.path in missing for ref in spec.files):
            wanted.add(at)
    return [graph.specs[place] for place in sorted(wanted)]
