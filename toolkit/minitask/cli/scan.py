"""`minitask scan`: specs for files with many findings of a linter."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from minitask.cli.session import Session, json_option, print_json, start
from minitask.cli.terminal import say, show
from minitask.engine.context import Context
from minitask.engine.tasks import Base
from minitask.errors import UsageError
from minitask.git.repository import head_branch
from minitask.planning.scan import DEFAULT, ScanOptions, narrow, read_report, run_linter, scan
from minitask.reports.plans import render_scan, scan_document
from minitask.spec.findings import FindingReport, Recheck, check_template, ruff_words

COUNT = click.IntRange(min=1)


@click.command("scan")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--linter",
    metavar="COMMAND",
    help=f"The linter to run; it must print ruff's JSON or SARIF. Default: {DEFAULT}",
)
@click.option("--report", metavar="FILE", help="An existing report to read; - is stdin.")
@click.option(
    "--check",
    metavar="COMMAND",
    help="The validation command of the specs, with {path} for the file.",
)
@click.option(
    "--fix-from",
    type=COUNT,
    default=3,
    metavar="N",
    help="Minimum findings for a spec (default: 3).",
)
@click.option(
    "--rewrite-from",
    type=COUNT,
    default=10,
    metavar="N",
    help="Minimum findings for a rewrite (default: 10).",
)
@click.option(
    "--project", default="lint-fixes", help="The project of the specs (default: lint-fixes)."
)
@click.option(
    "--limit",
    type=COUNT,
    default=20,
    metavar="N",
    help="Maximum specs, worst files first (default: 20).",
)
@click.option(
    "--all", "free_too", is_flag=True, help="Include findings that the linter can fix itself."
)
@click.option("--dry-run", is_flag=True, help="Print what would be written; write nothing.")
@json_option
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Run a linter on what is committed and write a spec for each file with many findings.

    Nothing is committed, and no spec is overwritten. Exits with 2 where a spec has an error.

    \b
    Examples:
      minitask scan src --limit 5
      minitask scan --linter 'eslint -f @microsoft/eslint-formatter-sarif .' --check 'eslint {path}'
    """
    linter, report, as_json = options["linter"], options["report"], options["as_json"]
    if linter is not None and report is not None:
        raise UsageError("--linter and --report exclude each other", hint="pass one of them")
    template = check_template(options["check"]) if options["check"] is not None else ""
    session = start()
    purpose = "scan" if report is None else "scan --report"
    with session.engine(purpose, quiet=as_json, looks_only=report is not None) as engine:
        base = _base(session, engine)
        inside = narrow(engine, base, paths)
        findings, note = _linted(session, engine, base, linter=linter, report=report)
        again = ruff_words(linter or DEFAULT)
        names = ("project", "fix_from", "rewrite_from", "limit", "free_too")
        scan_options = ScanOptions(
            **{name: options[name] for name in names},
            recheck=_recheck(findings, template, again),
            paths=inside,
            writes=not options["dry_run"],
        )
        result = scan(engine, base, findings, scan_options)
    if note:
        say(f"note: {note}")
    if as_json:
        print_json(scan_document(result))
    else:
        show(render_scan(result, scan_options, fixer=f"{' '.join(again)} --fix"))
    return 2 if result.has_errors else 0


def _base(session: Session, engine: Context) -> Base:
    """Return the target branch of tasks; HEAD if it is detached."""
    if engine.settings.target or head_branch(session.repository):
        return session.base(engine)
    return Base(engine.tip("HEAD"), "HEAD", session.folder)


def _linted(
    session: Session, engine: Context, base: Base, *, linter: str | None, report: str | None
) -> tuple[FindingReport, str]:
    """Return the findings, and a note on the linter's exit."""
    if report is None:
        return run_linter(engine, base.base, linter if linter is not None else DEFAULT)
    if report == "-":
        content = sys.stdin.buffer.read()
    else:
        try:
            content = Path(session.folder, report).read_bytes()
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the report {report} cannot be read: {getattr(error, 'strerror', None) or error}",
                hint="name a file, or - for standard input",
            ) from None
    name = "stdin" if report == "-" else report
    return read_report(session.repository, content, name=name), ""


def _recheck(report: FindingReport, template: str, ruff: tuple[str, ...]) -> Recheck:
    """Return the validation command of the specs: the user's, or ruff for its own findings."""
    return Recheck(template, () if template or not report.is_ruffs else ruff)
