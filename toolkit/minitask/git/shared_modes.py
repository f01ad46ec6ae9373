"""A repository that several users share (`core.sharedRepository`): what is made in it is theirs, too, as git has it."""

from __future__ import annotations

import os
from contextlib import suppress

from minitask.git.repository import Repository

GROUP, ALL = 0o070, 0o075
RIGHTS = {"group": GROUP, "true": GROUP, "1": GROUP, "yes": GROUP, "on": GROUP}
RIGHTS |= {"all": ALL, "world": ALL, "everybody": ALL, "2": ALL}
SET_GROUP = 0o2000


def share_modes(repository: Repository) -> None:
    """Have this process, from now on, make files that those may use who share the repository."""
    value = _shared(repository)
    if value in RIGHTS:
        os.umask(os.umask(0o077) & ~RIGHTS[value])
    elif value.isdigit() and int(value, 8) >= 0o600:  # the very rights of a file
        rights = int(value, 8)
        os.umask(0o777 & ~(rights | (rights & 0o444) >> 2))
    else:
        return
    with suppress(OSError):
        repository.home.mkdir()
        repository.home.chmod(repository.home.stat().st_mode | SET_GROUP)


def _shared(repository: Repository) -> str:
    """Return `core.sharedRepository`; nothing where it is not set."""
    try:
        text = (repository.common_dir / "config").read_bytes()
    except OSError:
        return ""
    if b"sharedrepository" not in text.lower():  # no need to start git
        return ""
    finished = repository.git.run("config", "core.sharedRepository")
    return finished.stdout.decode("utf-8", "replace").strip().lower()
