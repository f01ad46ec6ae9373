"""`minitask mcp`: the command line as tools of a coding agent, over the Model Context Protocol."""

from __future__ import annotations

from importlib.util import find_spec

import click

from minitask.cli.session import environment, start_folder
from minitask.errors import UsageError
from minitask.git.repository import discover


@click.command("mcp")
def command() -> int:
    """Serve this repository to a coding agent, which starts the command: stdin and stdout carry the protocol alone.

    Its tools validate, write and run specs, and read results. None trusts settings, approves a task or merges one
    that a person has to approve; what may be spent is what the settings say.

    \b
    Example:
      claude mcp add minitask -- minitask mcp
    """
    if find_spec("mcp") is None:
        from minitask.installed import install_command

        raise UsageError("the MCP SDK is not installed", hint=install_command("mcp"))
    folder, environ = start_folder(), environment()
    discover(folder, environ)
    from minitask.cli.mcp_server import serve

    try:
        serve(folder, environ)
    except* BrokenPipeError:
        pass  # the client has disconnected
    return 0
