"""The prompt of a plan: the goal, the repository's paths, and the files that the goal names."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.tasks import PROJECTS, Base
from minitask.errors import UsageError
from minitask.executors.prompt import numbered_lines
from minitask.git.repository import Repository
from minitask.policy.tokens import estimate_tokens
from minitask.routing.requests import shared_context
from minitask.words import fence_of

MOST_PATHS = 600
"""Paths of the tree that a planner is told; of the rest it is told how many there are."""


READ_TOKENS = 40_000


class Goal(Struct, frozen=True):
    """A goal to plan: the user's words, the project's name, the files to show, and how many tokens of them."""

    text: str
    project: str
    reads: tuple[str, ...] = ()
    read_tokens: int = READ_TOKENS


def plan_prompt(engine: Context, base: Base, goal: Goal) -> str:
    """Return the prompt, with as much of the repository as a planner needs."""
    place = f"The specs are for {PROJECTS}/{goal.project}/.{_taken(engine, goal.project)}"
    return repository_prompt(engine, base, goal, place)


def repository_prompt(engine: Context, base: Base, goal: Goal, more: str) -> str:
    """Return the goal, `more` on it, and as much of the repository as a planner needs."""
    shared = shared_context(engine, base.base)
    parts = [
        f"# The goal\n{goal.text.strip()}",
        more,
        f"# The repository's rules\n{shared}" if shared else "",
        f"# The repository's files\n{_tree(engine, base)}",
        _files(engine, base, goal),
    ]
    return "\n\n".join(part for part in parts if part)


def _taken(engine: Context, project: str) -> str:
    """Return the specs that the project holds already, so that numbers go on."""
    folder = checkout_folder(engine.repository) / PROJECTS / project
    names = sorted(path.name for path in folder.glob("*.md")) if folder.is_dir() else []
    return f" It holds {', '.join(names)}; go on with the next number." if names else ""


def _tree(engine: Context, base: Base) -> str:
    paths = engine.repository.git.fields("ls-tree", "-r", "-z", "--name-only", base.base)
    shown = [path for path in paths if path and not path.startswith(f"{PROJECTS}/")]
    listed = "\n".join(shown[:MOST_PATHS])
    omitted = len(shown) - MOST_PATHS
    return f"{listed}\n… and {omitted} more" if omitted > 0 else listed


def _files(engine: Context, base: Base, goal: Goal) -> str:
    """Return the files that the user named, and those that the goal names, every line with its number."""
    texts = {path: _content(engine, base, path) for path in goal.reads}
    for path in _mentioned(engine, base, goal.text):
        if path not in texts:
            texts[path] = engine.objects.file(base.base, path) or ""
    sizes = {path: estimate_tokens(text) for path, text in texts.items()}
    if sum(sizes.values()) > goal.read_tokens:
        largest = ", ".join(
            f"{path} {sizes[path]:,}" for path in sorted(sizes, key=lambda p: -sizes[p])[:4]
        )
        raise UsageError(
            f"the files to show take about {sum(sizes.values()):,} tokens, and {goal.read_tokens:,} are allowed"
            f" ({largest})",
            hint="show fewer files, or raise --read-tokens",
        )
    return "\n\n".join(_shown(path, text) for path, text in texts.items())


def _content(engine: Context, base: Base, path: str) -> str:
    text = engine.objects.file(base.base, path)
    if text is None:
        raise UsageError(f"{path} is no file of {base.base[:12]}", hint="name committed files")
    return text


def _mentioned(engine: Context, base: Base, text: str) -> list[str]:
    """Return the files that a goal names by their path."""
    tokens = (word.rstrip(".,:;") for word in re.findall(r"[\w./-]+", text))
    likely = dict.fromkeys(word for word in tokens if "." in word and not word.startswith("/"))
    return [word for word in likely if ".." not in word and engine.objects.file(base.base, word)]


def _shown(path: str, text: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    ticks = fence_of(text)
    body = "\n".join(numbered_lines(lines, 1))
    return f"{path} ({len(lines)} lines)\n{ticks}\n{body}\n{ticks}"


def checkout_folder(repository: Repository) -> Path:
    """Return the top of the checkout; a bare repository is a `UsageError`."""
    if repository.top is None:
        raise UsageError("a bare repository has no files to write to", hint="run it in a checkout")
    return repository.top
