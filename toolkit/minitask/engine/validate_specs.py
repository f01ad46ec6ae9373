"""Checking specs as they stand in the checkout: form, repository, project, quality."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from minitask.edits.check_script import is_free
from minitask.edits.checker import check_specs
from minitask.edits.related_specs import Universe
from minitask.engine.anchors import CommitGround, WorkGround
from minitask.engine.repository_settings import check_filters, check_route
from minitask.engine.spec_files import CheckoutFiles, CommittedFiles, Sources, spec_files
from minitask.engine.tasks import PROJECTS, parse_once
from minitask.git import history
from minitask.git.filters import attribute_sources
from minitask.git.history import all_landings
from minitask.git.objects import Objects, blob_id, open_objects
from minitask.git.repository import Repository
from minitask.settings import Settings
from minitask.spec.batches import check_batches, home_of
from minitask.spec.checks import check_against_tree, check_anchor
from minitask.spec.dependency_graph import task_names
from minitask.spec.model import Diagnostic, Severity, Spec, Tree
from minitask.system.cache import Cache


class Checked(Struct, frozen=True):
    """The diagnostics, and the number of specs."""

    diagnostics: tuple[Diagnostic, ...]
    spec_count: int

    @property
    def has_errors(self) -> bool:
        """Return True if a task could not run."""
        return any(diagnostic.is_error for diagnostic in self.diagnostics)


def check_sources(sources: Sources, repository: Repository | None, settings: Settings) -> Checked:
    """Return all that can be said of the specs without running them."""
    if repository is None:
        return _check(sources, Surroundings(sources, settings, None, None))[0]
    cache = Cache(repository.home / "cache")
    with open_objects(repository.git) as objects:
        head = objects.commit("HEAD")
        key = _key(sources, head, settings, attribute_sources(repository))
        cached = cache.peek(key)
        if cached is not None and CheckoutFiles(sources.top).holds(cached["seen"]):
            return Checked(
                tuple(_diagnostic(diagnostic) for diagnostic in cached["diagnostics"]),
                cached["count"],
            )
        checked, entries = _check(
            sources, Surroundings(sources, settings, repository, objects, head)
        )
    rows = [_row(diagnostic) for diagnostic in checked.diagnostics]
    cache.keep(key, {"seen": entries, "diagnostics": rows, "count": checked.spec_count})
    return checked


class Surroundings(Struct):
    """The context that specs are checked against; without a repository, the files as they are."""

    sources: Sources
    settings: Settings
    repository: Repository | None
    objects: Objects | None
    head: str | None = None
    _landings: Mapping[str, history.Landing] | None = None
    _tip: CommittedFiles | None = None
    _ground: CommitGround | None = None

    def tip(self) -> CommittedFiles | None:
        """HEAD's files."""
        if self._tip is None and self.objects and self.head:
            self._tip = CommittedFiles(self.objects, self.head)
        return self._tip

    def committed(self, texts: Mapping[str, str]) -> set[str]:
        """Return the spec files that are at HEAD just as they are in the checkout."""
        tree = self.tip()
        if tree is None:
            return set()
        return {path for path, text in texts.items() if _is_committed(tree, path, text)}

    def ground(self) -> CommitGround | None:
        """HEAD, with the anchors of the specs that are committed there."""
        tree = self.tip()
        if self.repository is None or self.objects is None or self.head is None or tree is None:
            return None
        if self._ground is None:
            self._ground = CommitGround(self.repository.git, self.objects, self.head, tree)
        return self._ground

    def anchor_tree(self, spec: Spec) -> CommittedFiles | None:
        """Return the tree of the commit that brought a spec in."""
        if self.repository is None or self.objects is None or self.head is None:
            return None
        commit = history.introduced_by(self.repository.git, self.head, spec.path)
        return CommittedFiles(self.objects, commit) if commit else None

    def filters(self, specs: Sequence[Spec]) -> Iterator[Diagnostic]:
        """Yield the problems of files that go through one of git's filters."""
        if self.repository is not None and self.objects is not None and self.head is not None:
            yield from check_filters(specs, self.repository, self.objects, self.head)

    def landed(self, specs: Sequence[Spec]) -> list[Spec]:
        """Return the specs that have landed as they are at HEAD."""
        if self.repository is None or self.objects is None or self.head is None:
            return []
        if self._landings is None:
            self._landings = all_landings(self.repository.git, self.objects, self.head)
        landings, landed = self._landings, []
        for name, spec in zip(task_names(specs), specs, strict=True) if landings else ():
            landing = landings.get(name)
            entry = self.objects.entry(self.head, spec.path)
            source = f"{spec.path}@{entry.oid}" if entry else ""
            if landing and not landing.undone and landing.spec == source:
                landed.append(spec)
        return landed


def _check(sources: Sources, around: Surroundings) -> tuple[Checked, list[Any]]:
    cache = Cache(around.repository.home / "cache") if around.repository else None
    files = [parse_once(text, path=path, cache=cache) for path, text in sources.texts.items()]
    diagnostics = [diagnostic for file in files for diagnostic in file.diagnostics]
    specs = [spec for file in files for spec in file.specs]
    worktree = CheckoutFiles(sources.top)
    committed = around.committed(sources.texts)
    beside = SpecsBeside(sources, around, cache)
    for group in by_project(specs):
        diagnostics += _check_project(group, beside, worktree, committed)
    landed_ids = set(map(id, around.landed(specs)))
    diagnostics += around.filters([spec for spec in specs if id(spec) not in landed_ids])
    for spec in specs:
        revision = spec.options.anchor
        commit = around.objects.commit(revision) if around.objects and revision else revision
        diagnostics += check_anchor(spec, commit=commit)
    for project in _whole_projects(specs, sources):
        is_new = not committed.issuperset(spec.path for spec in project)
        tree = worktree if is_new else around.tip() or worktree
        diagnostics += check_batches(
            project, is_there=partial(_is_file, tree), is_free=is_free, diagnostics=diagnostics
        )
    ordered = sorted(
        set(diagnostics),
        key=lambda diagnostic: (
            diagnostic.path,
            diagnostic.line,
            diagnostic.code,
            diagnostic.message,
        ),
    )
    return Checked(tuple(ordered), len(specs)), [*worktree.seen(), *beside.seen()]


def by_project(specs: Sequence[Spec]) -> list[list[Spec]]:
    """Return the specs in groups of one project's each."""
    groups: dict[str, list[Spec]] = {}
    for name, spec in zip(task_names(specs), specs, strict=True):
        groups.setdefault(name.partition("/")[0], []).append(spec)
    return list(groups.values())


def _check_project(
    judged: Sequence[Spec], beside: SpecsBeside, worktree: CheckoutFiles, committed: set[str]
) -> Iterator[Diagnostic]:
    """Yield what is wrong with specs of one project: those that are committed at HEAD, the others in the checkout."""
    around = beside.around
    tip = around.tip()
    is_there = partial(_stands, tip if tip and committed else worktree)
    near = beside.near(judged)
    universe = Universe(judged, near, is_there)
    if not universe.is_complete:
        universe = universe.with_others(beside.far((*judged, *near)))
    everyone = universe.specs
    same = committed | around.committed(beside.texts)
    landed = around.landed([spec for spec in everyone if spec.path in same])
    landed_ids = set(map(id, landed))
    old = [spec for spec in judged if spec.path in committed and tip is not None]
    new = [spec for spec in judged if spec.path not in committed or tip is None]
    for group, ground in (
        (old, around.ground()),
        (new, WorkGround(worktree, around.ground())),
    ):
        if group and ground is not None:
            verdicts = check_specs(
                everyone,
                ground=ground,
                judged=group,
                landed=landed,
                protected=around.settings.protected,
            )
            yield from (diagnostic for verdict in verdicts for diagnostic in verdict.diagnostics)
    for spec in (spec for spec in judged if id(spec) not in landed_ids):
        yield from check_route(spec, around.settings)
    for spec in (spec for spec in old if id(spec) in landed_ids):
        anchor = around.anchor_tree(spec)
        yield from check_against_tree(spec, anchor) if anchor else ()


class SpecsBeside(Struct):
    """The spec files beside those that are checked, as they stand in the checkout; parsed when they are needed."""

    sources: Sources
    around: Surroundings
    cache: Cache | None
    texts: dict[str, str] = field(default_factory=dict)
    _read: dict[str, list[Spec]] = field(default_factory=dict)
    _seen: CheckoutFiles | None = None

    def near(self, judged: Sequence[Spec]) -> list[Spec]:
        """Return the other specs of the project that some specs are of."""
        top = self.sources.top
        projects = {name.partition("/")[0] for name in task_names(judged)}
        homes = {home_of(spec) for spec in judged}
        homes |= {f"{PROJECTS}/{project}{end}" for project in projects for end in ("", ".md")}
        paths = {path for home in homes if home != "." for path in spec_files(top / home)}
        return self._specs(paths, but=judged)

    def far(self, specs: Sequence[Spec]) -> list[Spec]:
        """Return the specs of all other projects."""
        return self._specs(spec_files(self.sources.top / PROJECTS), but=specs)

    def seen(self) -> list[Any]:
        """Return what was read, so that a later look can tell a change."""
        return self._tree().seen()

    def _tree(self) -> CheckoutFiles:
        if self._seen is None:
            self._seen = CheckoutFiles(self.sources.top)
        return self._seen

    def _specs(self, paths: Iterable[Path], *, but: Sequence[Spec]) -> list[Spec]:
        excluded = {spec.path for spec in but}
        names = {path.relative_to(self.sources.top).as_posix() for path in paths}
        return [spec for name in sorted(names - excluded) for spec in self._file(name)]

    def _file(self, name: str) -> list[Spec]:
        if name not in self._read:
            text = self.sources.texts.get(name) or self._tree().text(name) or ""
            self.texts[name] = text
            self._read[name] = list(parse_once(text, path=name, cache=self.cache).specs)
        return self._read[name]


def _whole_projects(specs: Sequence[Spec], sources: Sources) -> list[list[Spec]]:
    """Return the specs by project, of those projects that are here as a whole."""
    homes: dict[str, list[Spec]] = {}
    for spec in specs:
        homes.setdefault(home_of(spec), []).append(spec)
    return [group for home, group in homes.items() if sources.has_whole(home)]


def _stands(tree: Tree, path: str) -> bool:
    return tree.kind(path) is not None


def _is_file(tree: Tree, path: str) -> bool:
    return tree.kind(path) == "file"


def _is_committed(tree: CommittedFiles, path: str, text: str) -> bool:
    entry = tree.entry(path)
    if entry is None:
        return False
    content = text.encode("utf-8", "surrogateescape")
    return blob_id(content, like=entry.oid) == entry.oid


def _key(sources: Sources, head: str | None, settings: Settings, attributes: bytes) -> str:
    digest = hashlib.sha256(attributes)
    checked_settings = (settings.protected, settings.executors, settings.tiers, settings.models)
    digest.update(
        repr((checked_settings, settings.routing, settings.notes)).encode("utf-8", "replace")
    )
    for path, text in sources.texts.items():
        digest.update(f"{path}\0{len(text)}\0{text}".encode("utf-8", "surrogateescape"))
    digest.update("\0".join(sorted(sources.whole)).encode("utf-8", "surrogateescape"))
    return f"validate\0{head}\0{digest.hexdigest()}"


def _row(diagnostic: Diagnostic) -> list[Any]:
    return [
        diagnostic.path,
        diagnostic.line,
        diagnostic.code,
        diagnostic.severity.value,
        diagnostic.message,
        diagnostic.hint,
    ]


def _diagnostic(row: list[Any]) -> Diagnostic:
    path, line, code, severity, message, hint = row
    return Diagnostic(path, line, code, Severity(severity), message, hint)
