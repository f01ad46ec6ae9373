"""The entry point of a cluster worker: not a user's command, but the edge of a process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from minitask.cli.session import environment


def go(document: Mapping[str, Any]) -> dict[str, Any]:
    """Do a job in this worker's own folder, one at a time by its repository's lock."""
    from minitask.project.dask_worker import run_worker_job as do
    from minitask.workspace.places import cache_folder

    environ = environment()
    home = cache_folder(environ) / f"worker-{os.getpid()}"
    return do(document, home=home, environ=environ)
