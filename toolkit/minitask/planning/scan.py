"""Turn a linter's findings into specs, one per file, files with most findings first; nothing is committed.

The linter runs on a fresh checkout of a commit, in the sandbox, without network, with the limits of a validation.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.spec_files import CommittedFiles, Sources, read_sources
from minitask.engine.tasks import PROJECTS, Base, landings_at, parse_once
from minitask.engine.validate_specs import check_sources
from minitask.errors import MachineError, MinitaskError, UsageError
from minitask.git.repository import Repository
from minitask.landing.run_commands import set_up
from minitask.planning.scaffold import NextSpec, next_spec
from minitask.sandbox.policy import SHELL
from minitask.spec.dependency_graph import task_names
from minitask.spec.findings import (
    FindingReport,
    Recheck,
    cited_lines,
    parse_report,
    render_findings,
)
from minitask.spec.markdown import escape_marks
from minitask.spec.model import Diagnostic, FileAction
from minitask.spec.parse import parse_file
from minitask.spec.paths import is_protected
from minitask.spec.sarif import Finding, decode_json
from minitask.system import process
from minitask.system.files import real_path
from minitask.values import grouped
from minitask.words import counted, one_line
from minitask.workspace.incremental import IncrementalCheckout

DEFAULT = "ruff check --output-format json --exit-zero ."
FOUND_NOTHING_OR_SOMETHING = (0, 1)
"""Exit codes of linters that completed, without and with findings."""
CANNOT_RUN = (126, 127)
"""Exit codes of a shell for a program that is missing or not executable."""
FIX, REWRITE = "fix", "rewrite"
"""Kinds of specs."""
TEMPLATES = {FIX: "fix-findings", REWRITE: "rewrite-file"}
TITLES = {FIX: "Fix {path}", REWRITE: "Fix {path} by a rewrite"}


class ScanOptions(Struct, frozen=True):
    """The user's options: the numbers of findings for each kind of spec, the limit of specs, and the project.

    `recheck` builds the validations. `paths` are the repository's, `""` is all of it. `free_too` adds specs for
    findings that the linter can fix itself. `writes` writes the specs.
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
    """A file with findings: those that count, the kind of spec (None: too few), the spec, or why there is none."""

    path: str
    findings: tuple[Finding, ...]
    kind: str | None
    spec: str | None = None
    reason: str = ""


class Scan(Struct, frozen=True):
    """The result of a scan. The linter can fix `fixable` findings itself; `left_out` are not in a committed file.

    `drafts` are the specs without a validation.
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
        """Return True if a spec has errors that keep it from running."""
        return any(item.is_error for item in self.diagnostics)


def scan(engine: Context, base: Base, report: FindingReport, options: ScanOptions) -> Scan:
    """Write the specs, unless the options forbid it, and return them with the diagnostics of `validate`."""
    top = engine.repository.checkout()
    tree = CommittedFiles(engine.objects, base.base)
    selected = [item for item in report.findings if _is_below(item.path, options.paths)]
    committed = [item for item in selected if tree.kind(item.path) == "file"]
    free = _free(committed)
    chosen = committed if options.free_too else [item for item in committed if item not in free]
    writer = _Writer(engine, base, top, report.tool, options)
    files = tuple(writer.file(path, tuple(items)) for path, items in _by_file(chosen))
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
    """Return the user's paths as the repository's, `""` for all; raise `UsageError` for one that is not committed."""
    if not names or engine.repository.top is None:
        return ("",)
    top, tree = real_path(engine.repository.top), CommittedFiles(engine.objects, base.base)
    paths = []
    for word in names:
        real = real_path(Path(base.folder, word))
        if not real.is_relative_to(top):
            outside = f"{word} is outside {engine.repository.top}"
            raise UsageError(outside, hint="name files or folders inside it")
        path = "" if real == top else real.relative_to(top).as_posix()
        if path and tree.kind(path) is None:
            message = f"{word} is not in {base}"
            raise UsageError(message, hint="fix the path, or commit the file first")
        paths.append(path)
    return tuple(paths)


class _Writer:
    """Drafts the specs of one scan, file by file."""

    def __init__(
        self, engine: Context, base: Base, top: Path, tool: str, options: ScanOptions
    ) -> None:
        self.engine, self.base, self.top = engine, base, top
        self.tool, self.options = tool, options
        self.open = open_specs(engine, base, top, options.project)
        self.drafts: dict[str, NextSpec] = {}
        self.unproven: list[str] = []

    def file(self, path: str, findings: tuple[Finding, ...]) -> ScannedFile:
        """Return the file, with its spec if it gets one."""
        if len(findings) < min(self.options.fix_from, self.options.rewrite_from):
            reason = f"fewer than {counted(self.options.fix_from, 'finding')}"
            return ScannedFile(path, findings, None, reason=reason)
        kind = REWRITE if len(findings) >= self.options.rewrite_from else FIX
        scanned = ScannedFile(path, findings, kind, reason=self._hindrance(path))
        if scanned.reason:
            return scanned
        draft, proven = self._draft(path, kind, findings)
        name = draft.path.relative_to(self.top).as_posix()
        specs = parse_file(draft.text, path=name).specs
        if [ref.path for spec in specs for ref in spec.writes()] != [path]:
            return replace(scanned, reason="the template's spec must edit this file only")
        self.drafts[name] = draft
        if not proven:
            self.unproven.append(name)
        return replace(scanned, spec=name)

    def _hindrance(self, path: str) -> str:
        """Return why a file with enough findings gets no spec, or ""."""
        if path in self.open:
            return f"{self.open[path]} is open"
        if is_protected(path, self.engine.settings.protected):
            return "it is protected: fix it by hand"
        if len(self.drafts) >= self.options.limit:
            return f"over the limit of {counted(self.options.limit, 'spec')}"
        return ""

    def _draft(self, path: str, kind: str, findings: tuple[Finding, ...]) -> tuple[NextSpec, bool]:
        """Return the spec, and whether it has a validation."""
        text = self.engine.objects.file(self.base.base, path) or ""
        check = self.options.recheck.command(path, rules=(f.rule for f in findings), text=text)
        lines = cited_lines(findings, line_count=text.count("\n")) if kind == FIX else ()
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
    """Return the files that a project's unlanded specs edit, each with its spec."""
    if not (top / PROJECTS / project).is_dir():
        return {}
    texts = read_sources(top, top, [f"{PROJECTS}/{project}"]).texts
    files = [parse_once(text, path=path, cache=engine.cache) for path, text in texts.items()]
    specs = [spec for file in files for spec in file.specs]
    names = task_names(specs)
    landed = landings_at(engine, base.base, names)
    edited: dict[str, str] = {}
    for name, spec in zip(names, specs, strict=True):
        entry, landing = engine.objects.entry(base.base, spec.path), landed.get(name)
        if landing and not landing.undone and entry and landing.spec == f"{spec.path}@{entry.oid}":
            continue
        for ref in spec.writes():
            if ref.action in {FileAction.EDIT, FileAction.WRITE}:
                edited.setdefault(ref.path, spec.path)
    return edited


def _free(findings: Sequence[Finding]) -> set[Finding]:
    """Return the findings that the linter can fix: those of rules that it can fix everywhere in that file.

    Otherwise the validation, which is by rule, would fail on the remaining ones.
    """
    stuck = {(item.path, item.rule) for item in findings if not item.fixable}
    return {item for item in findings if (item.path, item.rule) not in stuck}


def _by_file(findings: Sequence[Finding]) -> list[tuple[str, list[Finding]]]:
    """Return the files with their findings, those with most first."""
    by_path = grouped(findings, lambda item: item.path)
    return sorted(by_path.items(), key=lambda entry: (-len(entry[1]), entry[0]))


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(not folder or path == folder or path.startswith(f"{folder}/") for folder in folders)


def run_linter(engine: Context, commit: str, command: str) -> tuple[FindingReport, str]:
    """Run a linter command on a commit's tree; return its report, and a note if its exit was unusual.

    Raises `MachineError` if it does not complete, `UsageError` if it prints no valid report.
    """
    if not command.strip() or "\0" in command:
        raise UsageError("--linter is empty", hint=f"name a command line, such as `{DEFAULT}`")
    with engine.slots.take(commit) as slot:
        set_up(engine, slot)
        finished = _run(engine, slot, command)
        roots = _spellings(slot.tree, engine.repository.top)
    subject = f"the linter `{one_line(command)}`"
    _check_end(engine, finished, subject)
    try:
        report = parse_report(decode_json(finished.stdout), roots=roots)
    except UsageError as error:
        raise _blame(finished, subject, error) from None
    is_usual = finished.exit_code in FOUND_NOTHING_OR_SOMETHING
    end = f"the linter {_ended(finished.exit_code)}; its report is complete and was used"
    return report, "" if is_usual else end


def read_report(repository: Repository, content: bytes, *, name: str) -> FindingReport:
    """Parse an existing report; `name` is the user's name for it in errors."""
    try:
        return parse_report(decode_json(content), roots=_spellings(repository.top))
    except UsageError as error:
        raise UsageError(error.message, where=name, hint=error.hint) from None


def _spellings(*folders: Path | None) -> tuple[str, ...]:
    """Return the absolute path of each folder, as written and with links resolved."""
    pairs = [(str(folder.absolute()), os.path.realpath(folder)) for folder in folders if folder]
    return tuple(dict.fromkeys(chain.from_iterable(pairs)))


def _run(engine: Context, slot: IncrementalCheckout, command: str) -> process.Finished:
    limits = engine.limits(None)
    with engine.sandbox.wrap(
        (*SHELL, command),
        workspace=slot.tree,
        limits=limits,
        network=False,
        environ=engine.environ,
        readonly=slot.readonly(),
    ) as wrapped:
        return process.run(
            wrapped.argv,
            cwd=slot.tree,
            env=wrapped.env,
            timeout_seconds=limits.seconds,
            max_output_bytes=limits.output_bytes,
        )


def _check_end(engine: Context, finished: process.Finished, subject: str) -> None:
    """Raise `MachineError` if the report cannot be complete."""
    limits = engine.limits(None)
    if finished.timed_out:
        raise MachineError(
            f"{subject} did not finish within {limits.seconds:g} s",
            hint="run it on fewer files, or raise `limits.seconds` in minitask.yaml",
        )
    if finished.truncated and len(finished.stdout) >= limits.output_bytes:
        raise MachineError(
            f"{subject} printed more than {limits.output_bytes >> 20} MiB",
            hint="run it on fewer files, or raise `limits.output_mb` in minitask.yaml",
        )
    if finished.exit_code in CANNOT_RUN and not finished.stdout.strip():
        raise MachineError(
            f"{subject} cannot be run: {_last_words(finished)}",
            hint="install it, or put its folder on PATH; the sandbox has no network, and only programs on PATH",
        )


def _blame(finished: process.Finished, subject: str, error: UsageError) -> MinitaskError:
    """Return the error for a missing report: of the machine, or of the user's command."""
    printed = bool(finished.stdout.strip())
    hint = f"{error.hint}; only its standard output is read"
    if finished.exit_code not in FOUND_NOTHING_OR_SOMETHING or (finished.exit_code and not printed):
        return MachineError(
            f"{subject} {_ended(finished.exit_code)} and no report: {_last_words(finished)}",
            hint="run it by hand in the checkout; in the sandbox it has no network and no home",
        )
    return UsageError(
        f"{subject}: {error.message}" if printed else f"{subject} printed nothing", hint=hint
    )


def _ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _last_words(finished: process.Finished) -> str:
    return one_line(finished.last_error("nothing on stderr"), longest=300)
