"""The output of `import`: the specs, and how faithful they are to the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minitask.planning.importers.import_plan import ImportedPlan, ImportedSpec
from minitask.words import counted, one_line


def imported_document(imported: ImportedPlan) -> dict[str, Any]:
    """Return an import as JSON."""
    return {
        "format": imported.form,
        "project": imported.project,
        "tasks_found": imported.tasks_found,
        "specs": [_spec(spec) for spec in imported.specs],
        "notes": list(imported.notes),
    }


def _spec(spec: ImportedSpec) -> dict[str, Any]:
    return {
        "path": spec.path,
        "title": spec.title,
        "state": spec.state,
        "draft": spec.draft,
        "carried": list(spec.carried),
        "dropped": list(spec.dropped),
        "missing": list(spec.missing),
    }


def render_imported(imported: ImportedPlan, *, dry_run: bool = False) -> str:
    """Return an import as text."""
    lines = [line for spec in imported.specs for line in _lines(spec)]
    lines += [f"note: {one_line(note)}" for note in imported.notes]
    drafts = sum(spec.draft for spec in imported.specs)
    total = counted(imported.tasks_found, "task")
    lines.append(
        f"{imported.form}: {total}, {counted(len(imported.specs), 'spec')}, {counted(drafts, 'draft')}"
    )
    if imported.specs and not dry_run:
        folder = imported.specs[0].path.rpartition("/")[0]
        project = folder.rpartition("/")[2]
        first = "complete the drafts" if drafts else "read them"
        lines.append(
            f"next: {first}, then: minitask validate {folder} && git add {folder} && git commit -m 'specs: {project}'"
        )
    return "\n".join(lines)


def _lines(spec: ImportedSpec) -> Iterator[str]:
    yield f"{spec.state:9} {spec.path}{'  (draft)' if spec.draft else ''}"
    if spec.carried:
        yield f"  carried  {', '.join(spec.carried)}"
    yield from (f"  dropped  {one_line(text)}" for text in spec.dropped)
    yield from (f"  fill in  {one_line(text)}" for text in spec.missing)
