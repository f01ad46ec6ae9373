"""An object store for a while: what git writes there is gone at the end, and the user's repository stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from minitask.git.command import Git
from minitask.git.repository import Repository
from minitask.workspace.checkout import alternates_to


@contextmanager
def temporary_objects(repository: Repository) -> Iterator[Git]:
    """Git on the repository, for merges that only ask what would come of them: their objects are not kept."""
    with TemporaryDirectory(prefix="minitask-") as folder:
        info = Path(folder, "info")
        info.mkdir()
        (info / "alternates").write_bytes(alternates_to(repository.objects_dir))
        yield replace(repository.git, new_objects=Path(folder))
