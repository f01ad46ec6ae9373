"""The settings in force for a repository: every source, in order, and whether its own file is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from minitask import config, settings
from minitask.errors import UsageError
from minitask.git.repository import Repository
from minitask.settings import Layer, Settings
from minitask.system.cache import Cache


def load_settings(repository: Repository | None, environ: Mapping[str, str]) -> Settings:
    """Settle the settings; raise `UsageError` if a source cannot be read or has an unknown key."""
    memo = Cache(repository.home / "cache").document if repository else None
    layers: list[Layer] = []
    own = config.user_file(environ)
    text = read_text(own)
    if text is not None:
        layers.append(config.parse_layer(text, name=str(own), memo=memo))
    trusted = False
    local = config_text(repository)
    if repository is not None and local is not None:
        layers.append(config.parse_layer(local, name=settings.FILE, memo=memo))
        trusted = config.is_trusted(environ, repository=repository.common_dir, text=local)
    layers.append(config.environment_layer(environ, memo=memo))
    return _placed(settings.resolve(layers, trusted=trusted), repository)


def _placed(found: Settings, repository: Repository | None) -> Settings:
    """Return the settings with the folders of executors as they are from the repository's root."""
    if repository is None or not any(entry.folder for entry in found.executors.values()):
        return found
    root = repository.top or repository.git_dir
    executors = {
        name: replace(entry, folder=str(root / entry.folder)) if entry.folder else entry
        for name, entry in found.executors.items()
    }
    return replace(found, executors=executors)


def config_text(repository: Repository | None) -> str | None:
    """Return the repository's `minitask.yaml` as it stands in the checkout; None if there is none.

    `UsageError` where there is one by a name that it is easily given: what it says would not hold.
    """
    if repository is None or repository.top is None:
        return None
    text = read_text(repository.top / settings.FILE)
    if text is None:
        for name in settings.MISNAMED:
            if (repository.top / name).exists():
                raise UsageError(
                    f"{name} is ignored: settings belong in {settings.FILE}",
                    hint=f"rename it: mv {name} {settings.FILE}",
                )
    return text


def read_text(path: Path) -> str | None:
    """Return a file's text, or None if there is no such file; raise `UsageError` if it cannot be read."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
