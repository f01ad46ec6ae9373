"""The output of `scan`: a line a spec, what else was found, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from minitask.engine.tasks import PROJECTS
from minitask.planning.scan import Scan, ScannedFile, ScanOptions
from minitask.reports.diagnostics import render_json, render_text
from minitask.words import counted, one_line


def scan_document(scan: Scan) -> dict[str, Any]:
    """Return a scan as JSON."""
    return {
        "findings": scan.findings,
        "fixable": scan.fixable,
        "left_out": scan.left_out,
        "files": [
            {
                "path": file.path,
                "findings": len(file.findings),
                "kind": file.kind.value if file.kind else None,
                "spec": file.spec,
                "reason": file.reason,
            }
            for file in scan.files
        ],
        "specs": list(scan.specs),
        "diagnostics": json.loads(render_json(scan.diagnostics, len(scan.specs))),
    }


def render_scan(scan: Scan, options: ScanOptions, *, fixer: str) -> str:
    """Return the whole of it as text; `fixer` is the command by which the linter fixes what it can."""
    parts = (
        _specs(scan),
        _diagnostics(scan),
        _counts(scan, options),
        _free(scan, options, fixer),
        _next(scan, options),
    )
    return "\n".join(line for part in parts for line in part)


def _specs(scan: Scan) -> Iterator[str]:
    width = max(map(len, scan.specs), default=0)
    for file in scan.files:
        if file.spec and file.kind:
            draft = ", a draft without a validation" if file.spec in scan.drafts else ""
            summary = f"{counted(len(file.findings), 'finding')}, {file.kind.value}{draft}"
            yield f"{file.spec:{width}}  {one_line(file.path)}: {summary}"


def _diagnostics(scan: Scan) -> Iterator[str]:
    if scan.diagnostics:
        yield render_text(scan.diagnostics, len(scan.specs)).rstrip("\n")


def _counts(scan: Scan, options: ScanOptions) -> Iterator[str]:
    if not scan.findings:
        yield f"no findings in {scan.base}"
    else:
        outcome = "written" if options.writes else "would be written"
        spec_count = counted(len(scan.specs), "spec")
        yield f"{counted(scan.findings, 'finding')} in {scan.base}: {spec_count} {outcome}"
    by_reason: dict[str, list[ScannedFile]] = {}
    for file in scan.files:
        if file.spec is None:
            by_reason.setdefault(file.reason, []).append(file)
    for reason, files in by_reason.items():
        subject = one_line(files[0].path) if len(files) == 1 else f"{len(files)} files"
        number = sum(len(file.findings) for file in files)
        yield f"no spec for {subject} ({counted(number, 'finding')}): {reason}"
    if scan.left_out:
        yield f"left out: {counted(scan.left_out, 'finding')} outside the committed files of this repository"


def _free(scan: Scan, options: ScanOptions, fixer: str) -> Iterator[str]:
    if scan.fixable:
        coverage = "the specs cover all" if options.free_too else "the specs cover the rest"
        yield (
            f"{scan.fixable} of {counted(scan.findings, 'finding')}: `{fixer}` fixes them at no cost; {coverage}"
        )


def _next(scan: Scan, options: ScanOptions) -> Iterator[str]:
    if not scan.specs:
        return
    folder = f"{PROJECTS}/{options.project}"
    if not options.writes:
        missing = "; --check 'COMMAND {path}' adds a validation" if scan.drafts else ""
        yield f"next  run it without --dry-run to write them{missing}"
        return
    if scan.drafts:
        yield (
            "next  write the validations of the drafts; or delete them and scan again with --check 'COMMAND {path}'"
        )
        yield f"then  minitask validate {folder}"
    else:
        yield f"next  minitask validate {folder}"
    yield f'      git add {folder} && git commit -m "specs: {options.project}"'
    yield f"      minitask run {options.project}"
