"""Every block of the README and of docs/ is true: settings are read, command lines parse (those of `--help` too), and
what they print is what the page shows.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import click
import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from minitask.cli import group
from minitask.project.demo import demo_files
from world import World

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs/howto").glob("*.md"))
SCHEMA = ROOT / "schemas" / "config.schema.json"
PROMPT = "$ minitask "
TABLE = "source: our nightly benchmark\n"
NOT_RUN = {
    "$ minitask record-usage api --claude-code": "needs a Claude Code transcript: tests/ledger has some",
    "$ minitask scan": "needs a repository with findings: tests/contract/test_contract_scan.py has one",
}
"""The first words of sessions that are not run, and why."""


def blocks(page: Path) -> Iterator[tuple[int, str]]:
    """The line and text of each code block of a page."""

    def walk(tokens: list[Token]) -> Iterator[tuple[int, str]]:
        for token in tokens:
            if token.type in ("code_block", "fence"):
                yield (token.map or [0])[0] + 1, token.content

    return walk(MarkdownIt("commonmark").parse(page.read_text("utf-8")))


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """Each command line behind a `$`, and what is printed below it."""
    for part in f"\n{text}".split(f"\n{PROMPT}")[1:]:
        line, _, printed = part.partition("\n")
        yield line, printed.strip()


def command_lines(text: str) -> Iterator[list[str]]:
    """The arguments of every command line of minitask's in a block."""
    for line in text.splitlines():
        for part in line.removeprefix("$ ").split("&&"):
            is_command = part.strip().startswith("minitask ") and "report: " not in part
            words = shlex.split(part, comments=True) if is_command else []
            if words[1:] and not words[1].startswith(("[", "|")):
                yield words[1 : words.index("|") if "|" in words else None]


def helps(command: click.Command, name: str = "minitask") -> Iterator[tuple[str, str]]:
    """The name and help of a command, and of those below it."""
    yield name, command.help or ""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from helps(found, f"{name} {below}")


BLOCKS = [
    pytest.param(page, text, id=f"{page.name}:{line}")
    for page in PAGES
    for line, text in blocks(page)
]
COMMAND_LINES = [
    pytest.param(words, id=f"{page.name}: {' '.join(words)[:50]}")
    for page in PAGES
    for _, text in blocks(page)
    for words in command_lines(text)
]


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """The files of this repository that a page links to, each with its `#`."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        for part in token.children or ():
            target = str(part.attrs.get("href") or part.attrs.get("src") or "")
            if target and not target.startswith(("http", "<")):
                path, _, anchor = target.partition("#")
                yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """The names of a page's headings in links."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))
    heads = [text.content for head, text in pairwise(tokens) if head.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads}


COMMAND_LINES += [
    pytest.param(words, id=f"{name} --help: {' '.join(words)[:50]}")
    for name, text in helps(group)
    for words in command_lines(text)
]
SESSIONS = [
    pytest.param(line, printed, id=f"{page.name}: {line[:40]}")
    for page in PAGES
    if page.name != "tutorial.md"  # tests/test_tutorial.py runs that as a whole
    for _, text in blocks(page)
    for line, printed in sessions(text)
]


def settings_of(text: str) -> dict[str, object] | None:
    """The settings that a block holds; None where it is something else."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    keys = set(json.loads(SCHEMA.read_text("utf-8"))["properties"])
    return document if isinstance(document, dict) and keys.issuperset(document) else None


@pytest.mark.variant
@pytest.mark.parametrize(
    ("page", "text"), [block for block in BLOCKS if settings_of(block.values[1])]
)
def test_settings_are_read(world: World, page: Path, text: str) -> None:
    world.write({"minitask.yaml": text, "docs/CONVENTIONS.md": "Write tests.\n"})
    assert world.minitask("trust").code == 0
    outcome = world.minitask("config", "show")
    assert outcome.code == 0, f"{page}: {outcome.text}"


@pytest.mark.parametrize("page", [*PAGES, *sorted((ROOT / "docs").glob("*/*.md"))], ids=str)
def test_a_link_leads_to_what_is_there(page: Path) -> None:
    for path, anchor in links(page):
        assert path.exists(), path
        assert not anchor or anchor in anchors(path), f"{path}#{anchor}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, new = set[Path](), {ROOT / "README.md"}
    while new:
        reached |= new
        linked = {path for page in new for path, _ in links(page) if path.suffix == ".md"}
        new = linked - reached
    assert [page for page in PAGES if page not in reached] == []


@pytest.mark.parametrize("words", COMMAND_LINES)
def test_a_command_line_parses(words: list[str]) -> None:
    with group.make_context("minitask", list(words), resilient_parsing=True) as context:
        name, command, rest = group.resolve_command(context, words[:])
    assert command is not None
    with suppress(click.exceptions.Exit):  # --help and --version end here
        command.make_context(str(name), rest)


def anywhere(_world: World) -> None:
    """A repository with nothing in it."""


def with_table(world: World) -> None:
    """The table of the page's block before."""
    text = next(text for _, text in blocks(ROOT / "docs/policies.md") if text.startswith(TABLE))
    world.write({"team.yaml": text.partition("\n\n$")[0] + "\n"})


def with_demo(world: World) -> None:
    """The plan of the demo."""
    world.commit(demo_files())


def with_task(world: World) -> None:
    """A task of the project `api`."""
    world.task("api/01-routes", writes=["x.py"], validation="test -f x.py")


def with_models(world: World) -> None:
    """A task, and models for three tiers."""
    names = {"free": "gpt-6-luna", "cheap": "gpt-6-luna", "frontier": "gpt-6.1-sol"}
    tiers = {tier: {"executor": "hosted", "model": model} for tier, model in names.items()}
    hosted = {"type": "openai", "base_url": "http://127.0.0.1:9/v1"}
    world.configure(
        executors={"hosted": hosted}, tiers=tiers, gates=["scope", "lint", "validate", "review"]
    )
    world.task("app/01-add-x", writes=["x.py"], validation="test -f x.py")


SETUPS: dict[str, Callable[[World], None]] = {
    "decide mini-projects/split-todoist": with_demo,
    "simulate --table aider-polyglot": anywhere,
    "simulate --table team.yaml": with_table,
    "record-usage api --model": with_task,
    "route app --explain": with_models,
}


@pytest.mark.parametrize(("line", "printed"), SESSIONS)
def test_a_session_prints_what_the_page_shows(world: World, line: str, printed: str) -> None:
    reason = next(
        (why for start, why in NOT_RUN.items() if f"$ minitask {line}".startswith(start)), ""
    )
    if reason:
        pytest.skip(reason)
    prepare = next(setup for start, setup in SETUPS.items() if line.startswith(start))
    prepare(world)
    outcome = world.minitask(*shlex.split(line))
    shown = [row.rstrip() for row in outcome.text.strip().splitlines()]
    assert shown == [row.rstrip() for row in printed.splitlines()], outcome.text


def test_the_operations_of_an_edit_script_apply_as_the_page_shows_them(world: World) -> None:
    [operations] = [text for _, text in blocks(ROOT / "docs/specs.md") if text.startswith("copy ")]
    lines = "".join(f"    x{number} = {number}\n" for number in range(1, 400))
    world.commit({f"src/{name}.py": lines for name in ("a", "b", "c", "old")})
    writes = ["src/a.py", "src/b.py", "src/new.py", "src/d.py", "src/c.py (delete)"]
    script = f"```edits\n{operations}```\n"
    world.task(
        "p/01-a",
        writes=[*writes, "src/old.py (delete)"],
        snippets=script,
        validation="test -f src/d.py",
    )
    outcome = world.minitask("validate", "p")
    assert outcome.stdout == "no errors in 1 spec\n", outcome.text
