"""Whether a sandbox can have private layers over shared folders here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from minitask.errors import MachineError
from minitask.sandbox.shared_layers import Layer
from minitask.system import process
from minitask.system.files import force_remove

PROBE_SECONDS = 20


class Ready(Protocol):
    """A command that can be started."""

    @property
    def argv(self) -> tuple[str, ...]:
        """Its words."""
        ...

    @property
    def env(self) -> dict[str, str]:
        """Its whole environment."""
        ...


Wrap = Callable[[Sequence[str], Layer], AbstractContextManager[Ready]]
"""A command in the sandbox, with a layer, standing in the folder that the layer's target is in."""


def can_overlay(folder: Path, wrap: Wrap) -> bool:
    """Return True if the sandbox can have layers whose files lie in a folder."""
    target = folder / f"probe-{os.urandom(8).hex()}"
    names = ("source", "target", "upper", "work")
    layer = Layer(*(target / name for name in names))
    try:
        for name in names:
            (target / name).mkdir(parents=True)
        (layer.source / "told").touch()
        command = ("bash", "-c", "test -e target/told && echo n > target/new")
        with wrap(command, layer) as wrapped:
            finished = process.run(
                wrapped.argv, cwd=target, env=wrapped.env, timeout_seconds=PROBE_SECONDS
            )
        return finished.ok and (layer.upper / "new").exists()
    except (OSError, MachineError):
        return False
    finally:
        with contextlib.suppress(OSError):
            force_remove(target)
