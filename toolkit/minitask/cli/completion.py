"""`minitask completion`: shell completion of commands, options, tasks and projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minitask.cli.session import folder_at, open_session
from minitask.errors import MinitaskError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from minitask.cli.session import Session

VARIABLE = "_MINITASK_COMPLETE"
SHELLS = {
    "bash": "echo 'eval \"$(minitask completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(minitask completion zsh)\"' >> ~/.zshrc",
    "fish": "minitask completion fish > ~/.config/fish/completions/minitask.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the script that makes SHELL complete commands, options, tasks, projects and executors.

    \b
    Example:
      eval "$(minitask completion bash)"
    """
    from click.shell_completion import get_completion_class

    make = get_completion_class(shell)
    assert make is not None  # noqa: S101 - click has all three
    script = make(ctx.find_root().command, {}, "minitask", VARIABLE)
    click.echo(script.source_template % script.source_vars())
    return 0


def complete_tasks(ctx: click.Context, _param: click.Parameter, word: str) -> list[CompletionItem]:
    """Return the tasks and projects that start with a word; after `PROJECT/`, only tasks."""
    session = _session(ctx)
    if session is None:
        return []
    from click.shell_completion import CompletionItem

    from minitask.engine.find_tasks import all_tasks

    try:
        with session.engine("completion", quiet=True, looks_only=True) as engine:
            tasks = all_tasks(engine, session.base(engine))
    except (MinitaskError, OSError):
        return []
    titles = {task.name: task.spec.title for task in tasks}
    projects = dict.fromkeys(name.partition("/")[0] for name in titles)
    items = [CompletionItem(name, help="a project") for name in projects if "/" not in word]
    items += [CompletionItem(name, help=title) for name, title in titles.items()]
    return [item for item in items if str(item.value).startswith(word)]


def complete_executors(
    ctx: click.Context, _param: click.Parameter, word: str
) -> list[CompletionItem]:
    """Return the executors in the settings that start with a word."""
    from click.shell_completion import CompletionItem

    session = _session(ctx)
    names = session.settings.executors if session else ()
    return [CompletionItem(name) for name in names if name.startswith(word)]


def complete_templates(
    ctx: click.Context, _param: click.Parameter, word: str
) -> list[CompletionItem]:
    """Return the templates that start with a word."""
    from click.shell_completion import CompletionItem

    from minitask.planning.scaffold import template_files

    session = _session(ctx)
    names = template_files(session.repository.top if session else None)
    return [CompletionItem(name) for name in names if name.startswith(word)]


def _session(ctx: click.Context) -> Session | None:
    """Return the session of `-C`, or None, without a message, if there is none."""
    folder = ctx.find_root().params.get("folder") or "."
    try:
        return open_session(folder_at(str(folder)))
    except (MinitaskError, OSError):
        return None
