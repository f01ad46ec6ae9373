"""What runs on a worker of a cluster: no command of a person's, but a process's edge all the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from minitask.cli.session import environment


def go(document: Mapping[str, Any]) -> dict[str, Any]:
    """Do an errand in this worker's own folder, one at a time by its repository's lock."""
    from minitask.repo.places import cache_folder
    from minitask.run.projects.away import go as do

    environ = environment()
    home = cache_folder(environ) / f"worker-{os.getpid()}"
    return do(document, home=home, environ=environ)
