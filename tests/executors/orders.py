"""A small task and its repository, for the executors' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from minitask.executors.request import Excerpt, ExecutorRequest
from minitask.spec.model import Command, Criterion, FileAction, FileRef, LineRange, Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = {
    "src/a.py": "import os\n\n\ndef one():\n    return 1\n\n\ndef two():\n    return 2\n",
    "docs/style.md": "# Style\n\nShort names.\n",
}

SPEC = Spec(
    path="mini-projects/p/01-a.md",
    number="1",
    title="Rename one",
    files=(
        FileRef("docs/style.md", FileAction.READ),
        FileRef("src/a.py", FileAction.EDIT, ranges=(LineRange(4, 9),)),
        FileRef("src/b.py", FileAction.CREATE, note="the new home"),
    ),
    context="The names are numbers.",
    task="1. Move `one` to src/b.py.",
    criteria=(Criterion("src/b.py holds `one`"),),
    commands=(Command("grep -q one src/b.py"),),
    on_failure="Stop and report.",
    next_task="02-b.md",
)

LENIENT = replace(SPEC, files=tuple(replace(ref, optional=True) for ref in SPEC.files))
"""The same task, whose files may also be left alone: for replies that are about one of them."""

EXCERPTS = (
    Excerpt("docs/style.md", 1, FILES["docs/style.md"], whole=True),
    Excerpt("src/a.py", 4, "".join(FILES["src/a.py"].splitlines(keepends=True)[3:])),
)


def order(
    *, files: Mapping[str, str] = FILES, spec: Spec = LENIENT, **fields: Any
) -> ExecutorRequest:
    """An order for `spec` on a base that holds `files`."""
    given: dict[str, Any] = {
        "excerpts": EXCERPTS,
        "locate": None,
        "model": "some-model",
        "timeout_seconds": 10.0,
        **fields,
    }
    return ExecutorRequest(spec=spec, read=files.get, **given)
