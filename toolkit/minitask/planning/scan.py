"""Scanning: a linter's findings become specs, one a file, worst files first; nothing is committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.spec_files import CommittedFiles, Sources, read_sources
from minitask.engine.task_status import landings_at
from minitask.engine.tasks import PROJECTS, Base, parse_once
from minitask.engine.validate_specs import check_sources
from minitask.errors import UsageError
from minitask.planning.scaffold import NextSpec, next_spec
from minitask.spec.dependency_graph import task_names
from minitask.spec.findings import FindingReport, Recheck, cited_lines, render_findings
from minitask.spec.markdown import escape_marks
from minitask.spec.model import Diagnostic, FileAction
from minitask.spec.parse import parse_file
from minitask.spec.paths import is_protected
from minitask.spec.sarif import Finding
from minitask.words import counted


class ScanKind(StrEnum):
    """The kind of a spec."""

    FIX = "fix"
    REWRITE = "rewrite"


TEMPLATES = {ScanKind.FIX: "fix-findings", ScanKind.REWRITE: "rewrite-file"}
TITLES = {ScanKind.FIX: "Fix {path}", ScanKind.REWRITE: "Fix {path} by a rewrite"}


class ScanOptions(Struct, frozen=True):
    """The user's options: from how many findings on a file gets which spec, how many specs, and where.

    `recheck` gives their validations. `paths` are the repository's, `""` is all of it. `free_too`: specs also for what
    the linter fixes itself. `writes`: not only looks.
    """

    project: str
    fix_from: int
    rewrite_from: int
    limit: int
    recheck: Recheck
    paths: tuple[str, ...] = ("",)
    free_too: bool = False
    writes: bool = True


class ScannedFile(Struct, frozen=True):
    """A file with findings: how many count, what they ask for (None: too few), its spec, or why it has none."""

    path: str
    findings: tuple[Finding, ...]
    kind: ScanKind | None
    spec: str | None = None
    reason: str = ""


class Scan(Struct, frozen=True):
    """The result of it. Of the `findings` the linter itself fixes `fixable`; `left_out` are in no committed file.

    `drafts` are those specs that have no validation yet.
    """

    base: Base
    findings: int
    fixable: int
    left_out: int
    files: tuple[ScannedFile, ...]
    specs: tuple[str, ...]
    drafts: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def has_errors(self) -> bool:
        """Return True if a spec cannot run as it is."""
        return any(item.is_error for item in self.diagnostics)


def scan(engine: Context, base: Base, report: FindingReport, options: ScanOptions) -> Scan:
    """Write the specs, unless the options forbid it, and judge them as `validate` does."""
    top = engine.repository.top
    if top is None:
        raise UsageError("a bare repository has no files to write to", hint="run it in a checkout")
    tree = CommittedFiles(engine.objects, base.base)
    selected = [item for item in report.findings if _is_below(item.path, options.paths)]
    committed = [item for item in selected if tree.kind(item.path) == "file"]
    free = _free(committed)
    chosen = committed if options.free_too else [item for item in committed if item not in free]
    writer = _Writer(engine, base, top, report, options)
    files = tuple(writer.file(path, items) for path, items in _by_file(chosen))
    texts = {name: draft.text for name, draft in writer.drafts.items()}
    sources = Sources(top, texts)
    checked = check_sources(sources, engine.repository, engine.settings) if texts else None
    for draft in writer.drafts.values() if options.writes else ():
        draft.write()
    return Scan(
        base,
        findings=len(committed),
        fixable=len(free),
        left_out=report.left_out + len(selected) - len(committed),
        files=files,
        specs=tuple(texts),
        drafts=tuple(writer.unproven),
        diagnostics=checked.diagnostics if checked else (),
    )


def narrow(engine: Context, base: Base, names: Sequence[str]) -> tuple[str, ...]:
    """Return the repository's paths that the user named, `""` for all of it; raise `UsageError` for one that is not
    committed.
    """
    top = engine.repository.top
    if not names or top is None:
        return ("",)
    tree = CommittedFiles(engine.objects, base.base)
    paths = []
    for word in names:
        real = Path(base.folder, word).resolve()
        if not real.is_relative_to(top.resolve()):
            raise UsageError(f"{word} is outside {top}", hint="name files or folders inside it")
        path = real.relative_to(top.resolve()).as_posix()
        path = "" if path == "." else path
        if path and tree.kind(path) is None:
            raise UsageError(
                f"{word} is not in {base}", hint="fix the path, or commit the file first"
            )
        paths.append(path)
    return tuple(paths)


class _Writer:
    """Drafts the specs of one scan, file by file."""

    def __init__(
        self, engine: Context, base: Base, top: Path, report: FindingReport, options: ScanOptions
    ) -> None:
        self.engine = engine
        self.base = base
        self.top = top
        self.tool = report.tool
        self.options = options
        self.open = open_specs(engine, base, top, options.project)
        self.drafts: dict[str, NextSpec] = {}
        self.unproven: list[str] = []

    def file(self, path: str, findings: tuple[Finding, ...]) -> ScannedFile:
        """Return the file, with its spec drafted where it gets one."""
        kind = self._kind(len(findings))
        scanned = ScannedFile(path, findings, kind)
        if kind is None:
            return replace(
                scanned, reason=f"fewer than {counted(self.options.fix_from, 'finding')}"
            )
        reason = self._hindrance(path)
        if reason:
            return replace(scanned, reason=reason)
        draft, proven = self._draft(path, kind, findings)
        name = draft.path.relative_to(self.top).as_posix()
        specs = parse_file(draft.text, path=name).specs
        if [ref.path for spec in specs for ref in spec.writes()] != [path]:
            return replace(scanned, reason="the template's spec must edit this file only")
        self.drafts[name] = draft
        if not proven:
            self.unproven.append(name)
        return replace(scanned, spec=name)

    def _kind(self, count: int) -> ScanKind | None:
        if count >= self.options.rewrite_from:
            return ScanKind.REWRITE
        return ScanKind.FIX if count >= self.options.fix_from else None

    def _hindrance(self, path: str) -> str:
        """Return why a file gets no spec though it has findings enough; empty if it gets one."""
        if path in self.open:
            return f"{self.open[path]} is open"
        if is_protected(path, self.engine.settings.protected):
            return "it is protected: fix it by hand"
        if len(self.drafts) >= self.options.limit:
            return f"over the limit of {counted(self.options.limit, 'spec')}"
        return ""

    def _draft(
        self, path: str, kind: ScanKind, findings: tuple[Finding, ...]
    ) -> tuple[NextSpec, bool]:
        """Return the spec, and whether it has a validation."""
        text = self.engine.objects.file(self.base.base, path) or ""
        check = self.options.recheck.command(path, rules=(f.rule for f in findings), text=text)
        lines = cited_lines(findings, line_count=text.count("\n")) if kind is ScanKind.FIX else ()
        draft = next_spec(
            self.top,
            project=self.options.project,
            title=escape_marks(TITLES[kind].format(path=path)),
            template=TEMPLATES[kind],
            values={
                "path": path,
                "note": f"edit lines {', '.join(map(str, lines))}" if lines else "edit",
                "tool": escape_marks(self.tool) or "The linter",
                "count": counted(len(findings), "finding"),
                "commit": self.base.base[:12],
                "findings": render_findings(findings, text),
                "check": check,
            },
            ahead=len(self.drafts),
        )
        return draft, bool(check)


def open_specs(engine: Context, base: Base, top: Path, project: str) -> dict[str, str]:
    """Return the files that a project's specs edit, each with its spec, except for those that have landed."""
    folder = top / PROJECTS / project
    if not folder.is_dir():
        return {}
    texts = read_sources(top, top, [f"{PROJECTS}/{project}"]).texts
    files = [parse_once(text, path=path, cache=engine.cache) for path, text in texts.items()]
    specs = [spec for file in files for spec in file.specs]
    landed = landings_at(engine, base.base, task_names(specs))
    edited: dict[str, str] = {}
    for name, spec in zip(task_names(specs), specs, strict=True):
        entry = engine.objects.entry(base.base, spec.path)
        landing = landed.get(name)
        has_landed = landing is not None and not landing.undone and entry is not None
        if has_landed and landing and entry and landing.spec == f"{spec.path}@{entry.oid}":
            continue
        for ref in spec.writes():
            if ref.action in {FileAction.EDIT, FileAction.WRITE}:
                edited.setdefault(ref.path, spec.path)
    return edited


def _free(findings: Sequence[Finding]) -> set[Finding]:
    """Return what the linter fixes by itself: findings of rules of which it can fix all in that file.

    A rule of which some are left would fail the validation as long as any is.
    """
    stuck = {(item.path, item.rule) for item in findings if not item.fixable}
    return {item for item in findings if (item.path, item.rule) not in stuck}


def _by_file(findings: Sequence[Finding]) -> list[tuple[str, tuple[Finding, ...]]]:
    """Return the files with their findings, those with most first."""
    counts = Counter(item.path for item in findings)
    order = sorted(counts, key=lambda path: (-counts[path], path))
    by_path: dict[str, list[Finding]] = {path: [] for path in order}
    for item in findings:
        by_path[item.path].append(item)
    return [(path, tuple(items)) for path, items in by_path.items()]


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(not folder or path == folder or path.startswith(f"{folder}/") for folder in folders)
