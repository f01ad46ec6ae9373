"""Warn if a key travels where others can read it: over plain http, to another machine."""

from __future__ import annotations

from urllib.parse import urlsplit

from minitask.engine.context import Context, Progress
from minitask.executors.hosts import is_loopback

_SAID: set[tuple[str, str]] = set()
"""The variables and hosts that this process has warned of."""


def find_exposure(engine: Context, executor: str) -> str:
    """Return the warning for an executor whose key goes over plain http; empty if none does."""
    setting = engine.settings.executors.get(executor)
    if setting is None or not engine.environ.get(setting.api_key_env):
        return ""
    if urlsplit(setting.base_url).scheme != "http" or is_loopback(setting.base_url):
        return ""
    host = urlsplit(setting.base_url).hostname
    return (
        f"{setting.api_key_env} goes to {host} over plain http, where others can read it: use https"
    )


def warn_exposure(engine: Context, task: str, executor: str) -> None:
    """Say once that an executor's key goes over plain http."""
    warning = find_exposure(engine, executor)
    if warning and (executor, warning) not in _SAID:
        _SAID.add((executor, warning))
        engine.emit(Progress(task, "key", warning))
