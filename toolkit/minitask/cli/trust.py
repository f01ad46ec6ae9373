"""`minitask trust`: pin this repository's configuration."""

from __future__ import annotations

import click

from minitask import config, settings
from minitask.cli.session import open_session, start_folder
from minitask.engine.repository_settings import config_text
from minitask.errors import UsageError


@click.command("trust")
def command() -> int:
    """Let this repository's minitask.yaml, exactly as it is now, name executors and loosen the sandbox.

    \b
    Example:
      git diff minitask.yaml && minitask trust
    """
    session = open_session(start_folder())
    text = config_text(session.repository)
    if text is None:
        raise UsageError(f"there is no {settings.FILE} here", hint="`minitask init` writes one")
    config.parse_layer(text, name=settings.FILE)
    where = config.trust(session.environ, repository=session.repository.common_dir, text=text)
    click.echo(
        f"trusted: {settings.FILE} as it is now (sha256 {config.fingerprint(text)[:12]}, kept in {where})"
    )
    return 0
