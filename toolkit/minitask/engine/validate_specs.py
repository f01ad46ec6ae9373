"""Check specs as they are in the checkout: form, repository, project, quality."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct, convert, field, to_builtins

from minitask.edits.check_script import is_free
from minitask.edits.checker import check_specs
from minitask.edits.related_specs import Universe
from minitask.engine.anchors import CommitGround, WorkGround
from minitask.engine.repository_settings import check_filters, check_route
from minitask.engine.spec_files import CheckoutFiles, Sources, spec_files
from minitask.engine.tasks import PROJECTS, parse_once
from minitask.git.filters import attribute_sources
from minitask.git.history import Landing, all_landings
from minitask.git.objects import Objects, blob_id, open_objects
from minitask.git.repository import Repository
from minitask.settings import Settings
from minitask.spec.batches import MIN_TASKS, check_batches, home_of
from minitask.spec.checks import check_anchor
from minitask.spec.dependency_graph import task_names
from minitask.spec.model import Diagnostic, Spec, Tree
from minitask.system.files import Cache
from minitask.values import grouped


class Checked(Struct, frozen=True):
    """The diagnostics, and the number of specs."""

    diagnostics: tuple[Diagnostic, ...]
    spec_count: int

    @property
    def has_errors(self) -> bool:
        """Return True if a task could not run."""
        return any(diagnostic.is_error for diagnostic in self.diagnostics)


def check_sources(sources: Sources, repository: Repository | None, settings: Settings) -> Checked:
    """Return all diagnostics that do not require running a command."""
    worktree = CheckoutFiles(sources.top)
    if repository is None:
        return _Validation(sources, settings, worktree).check()
    cache = Cache(repository.home / "cache")
    with open_objects(repository.git) as objects:
        commit = objects.commit("HEAD")
        key = _key(sources, commit, settings, attribute_sources(repository))
        cached = cache.peek(key)
        if cached is not None and CheckoutFiles(sources.top).holds(cached["seen"]):
            return convert(cached["checked"], Checked)
        ground = CommitGround(repository.git, objects, commit) if commit else None
        head = _Head(repository, ground) if ground else None
        checked = _Validation(sources, settings, worktree, objects, head, cache).check()
    cache.keep(key, {"seen": worktree.seen(), "checked": to_builtins(checked)})
    return checked


def _key(sources: Sources, head: str | None, settings: Settings, attributes: bytes) -> str:
    digest = hashlib.sha256(attributes)
    checked_settings = (settings.protected, settings.executors, settings.tiers, settings.models)
    digest.update(
        repr((checked_settings, settings.routing, settings.notes)).encode("utf-8", "replace")
    )
    for path, text in sources.texts.items():
        digest.update(f"{path}\0{len(text)}\0{text}".encode("utf-8", "surrogateescape"))
    digest.update("\0".join(sorted(sources.whole)).encode("utf-8", "surrogateescape"))
    return f"validate 3\0{head}\0{digest.hexdigest()}"


class _Head(Struct):
    """The commit at HEAD, with its specs' anchors and the tasks that have landed."""

    repository: Repository
    ground: CommitGround
    _landings: Mapping[str, Landing] | None = None

    def unchanged(self, texts: Mapping[str, str]) -> set[str]:
        """Return the spec files that are the same in the checkout."""
        entries = ((path, self.ground.files.entry(path)) for path in texts)
        return {
            path
            for path, entry in entries
            if entry
            and blob_id(texts[path].encode("utf-8", "surrogateescape"), like=entry.oid) == entry.oid
        }

    def landed(self, specs: Sequence[Spec]) -> list[Spec]:
        """Return the specs that have landed in their version at HEAD."""
        ground = self.ground
        if self._landings is None:
            self._landings = all_landings(ground.git, ground.objects, ground.base)
        landed = []
        for name, spec in zip(task_names(specs), specs, strict=True) if self._landings else ():
            landing, entry = self._landings.get(name), ground.files.entry(spec.path)
            source = f"{spec.path}@{entry.oid}" if entry else ""
            if landing and not landing.undone and landing.spec == source:
                landed.append(spec)
        return landed


class _Validation(Struct):
    """The check of some spec files; without a repository, against the files of their folder.

    Neighbouring specs are read from the checkout, and parsed on demand.
    """

    sources: Sources
    settings: Settings
    worktree: CheckoutFiles
    objects: Objects | None = None
    head: _Head | None = None
    cache: Cache | None = None
    _beside_texts: dict[str, str] = field(default_factory=dict)
    _beside: dict[str, list[Spec]] = field(default_factory=dict)

    def check(self) -> Checked:
        """Return the diagnostics, by path and line."""
        texts, head = self.sources.texts, self.head
        files = [parse_once(text, path=path, cache=self.cache) for path, text in texts.items()]
        diagnostics = [diagnostic for file in files for diagnostic in file.diagnostics]
        specs = [spec for file in files for spec in file.specs]
        committed = head.unchanged(texts) if head else set()
        for group in _by_project(specs):
            diagnostics += self._check_project(group, committed)
        landed_ids = set(map(id, head.landed(specs))) if head else set()
        if head:
            rest = [spec for spec in specs if id(spec) not in landed_ids]
            ground = head.ground
            diagnostics += check_filters(rest, head.repository, ground.objects, ground.base)
        for spec in specs:
            revision = spec.options.anchor
            commit = self.objects.commit(revision) if self.objects and revision else revision
            diagnostics += check_anchor(spec, commit=commit)
        for project in self._whole_projects(specs):
            if sum(id(spec) not in landed_ids for spec in project) < MIN_TASKS:
                continue
            is_new = not committed.issuperset(spec.path for spec in project)
            tree = head.ground.files if head and not is_new else self.worktree
            diagnostics += check_batches(
                project, is_there=partial(_is_file, tree), is_free=is_free, diagnostics=diagnostics
            )
        ordered = sorted(set(diagnostics), key=lambda d: (d.path, d.line, d.code, d.message))
        return Checked(tuple(ordered), len(specs))

    def _check_project(self, judged: Sequence[Spec], committed: set[str]) -> Iterator[Diagnostic]:
        """Yield the diagnostics of one project's specs: committed ones against HEAD, others against the checkout."""
        head, worktree = self.head, self.worktree
        files: Tree = head.ground.files if head and committed else worktree
        near = self._near(judged)
        universe = Universe(judged, near, lambda path: files.kind(path) is not None)
        if not universe.is_complete:
            others = spec_files(self.sources.top / PROJECTS)
            universe = universe.with_others(self._specs(others, but=(*judged, *near)))
        everyone, landed = universe.specs, []
        if head:
            same = committed | head.unchanged(self._beside_texts)
            landed = head.landed([spec for spec in everyone if spec.path in same])
        old = [spec for spec in judged if spec.path in committed]
        new = [spec for spec in judged if spec.path not in committed]
        ground = head.ground if head else None
        for group, group_ground in ((old, ground), (new, WorkGround(worktree, ground))):
            if group and group_ground is not None:
                verdicts = check_specs(
                    everyone,
                    ground=group_ground,
                    judged=group,
                    landed=landed,
                    protected=self.settings.protected,
                )
                for verdict in verdicts:
                    yield from verdict.diagnostics
        landed_ids = set(map(id, landed))
        for spec in judged:
            if id(spec) not in landed_ids:
                yield from check_route(spec, self.settings)

    def _near(self, judged: Sequence[Spec]) -> list[Spec]:
        """Return the other specs in the same projects."""
        projects = {name.partition("/")[0] for name in task_names(judged)}
        homes = {home_of(spec) for spec in judged}
        homes |= {f"{PROJECTS}/{project}{end}" for project in projects for end in ("", ".md")}
        top = self.sources.top
        paths = {path for home in homes if home != "." for path in spec_files(top / home)}
        return self._specs(paths, but=judged)

    def _specs(self, paths: Iterable[Path], *, but: Sequence[Spec]) -> list[Spec]:
        excluded = {spec.path for spec in but}
        names = {path.relative_to(self.sources.top).as_posix() for path in paths}
        return [spec for name in sorted(names - excluded) for spec in self._file(name)]

    def _file(self, name: str) -> list[Spec]:
        if name not in self._beside:
            text = self.sources.texts.get(name) or self.worktree.text(name) or ""
            self._beside_texts[name] = text
            self._beside[name] = list(parse_once(text, path=name, cache=self.cache).specs)
        return self._beside[name]

    def _whole_projects(self, specs: Sequence[Spec]) -> list[list[Spec]]:
        """Return the specs by project, for projects whose specs are all among the sources."""
        homes = grouped(specs, home_of)
        return [group for home, group in homes.items() if self.sources.has_whole(home)]


def _by_project(specs: Sequence[Spec]) -> list[list[Spec]]:
    groups: dict[str, list[Spec]] = {}
    for name, spec in zip(task_names(specs), specs, strict=True):
        groups.setdefault(name.partition("/")[0], []).append(spec)
    return list(groups.values())


def _is_file(tree: Tree, path: str) -> bool:
    return tree.kind(path) == "file"
