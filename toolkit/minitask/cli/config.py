"""`minitask config show`: the effective settings."""

from __future__ import annotations

import json

import click

from minitask.cli.session import json_option, print_json, start


@click.group("config")
def command() -> None:
    """Look at the settings.

    \b
    Example:
      minitask config show --sources
    """


@command.command("show")
@click.option("--sources", is_flag=True, help="Show where each value was set.")
@json_option
def show(*, sources: bool, as_json: bool) -> int:
    """Print the settings in force, one a line.

    \b
    Example:
      minitask config show --sources
    """
    settings = start().settings
    if as_json:
        print_json({"values": settings.values, "sources": settings.sources})
        return 0
    for key, source in sorted(settings.sources.items()):
        value = _value(settings.values, key)
        click.echo(f"{key}: {json.dumps(value)}" + (f"  # {source}" if sources else ""))
    return 0


def _value(values: object, dotted: str) -> object:
    """Return the value under a dotted key; names with dots in them are matched greedily."""
    if not isinstance(values, dict) or not dotted:
        return values
    for key in sorted(values, key=len, reverse=True):
        if dotted == key or dotted.startswith(f"{key}."):
            return _value(values[key], dotted[len(key) + 1 :])
    return None
