"""The generated pages of the docs site: start and changes from the files at the top, commands from the help, schemas
from `schemas/`, and the list of decisions.

    pip install -e '.[docs]' && mkdocs build --strict -f .ci/mkdocs.yml

mkdocs calls `on_files` as a hook. What is generated cannot differ from the code, so none of it is committed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minitask.cli import COMMANDS, group

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

TOP = Path(__file__).resolve().parents[1]
SCHEMAS = {
    "spec": "What `minitask validate --json` prints of a spec, and what specs are judged by.",
    "config": "`minitask.yaml`.",
    "record": "A record of the ledger, one file an attempt on `refs/minitask/ledger`.",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> dict[str, str]:
    """Return the text of each generated page, by its path."""
    return {
        "index.md": _from_top("README.md"),
        "CHANGELOG.md": _from_top("CHANGELOG.md"),
        "reference/commands.md": "\n".join(_commands()),
        "reference/schemas.md": "\n".join(_schemas()),
        "decisions/README.md": "\n".join(_decisions()),
    }


def on_page_markdown(markdown: str, page: Any, **_more: Any) -> str:
    """Lead links to what stands outside of `docs/` to its page here, or show them as text."""
    depth = page.file.src_uri.count("/")
    markdown = markdown.replace("](../README.md", "](index.md" if depth == 0 else "](../index.md")
    return re.sub(
        r"\[([^\]]+)\]\((?:\.\./)+(?:templates|tests|benchmarks)/[^)]*\)", r"\1", markdown
    )


def _from_top(name: str) -> str:
    """Return a page of the top folder with its links as they lead from `docs/`."""
    text = (TOP / name).read_text("utf-8")
    text = text.replace("](docs/decisions/)", "](decisions/README.md)")
    return re.sub(r"\]\(docs/", "](", text)


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    for name, summary in COMMANDS.items():
        with group.make_context("minitask", [name], resilient_parsing=True) as context:
            command = group.get_command(context, name)
            yield f"## {name}\n\n{summary[0].upper()}{summary[1:]}.\n"
            if command is not None:
                yield from _help(command, name, context)


def _help(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    with click.Context(command, info_name=name, parent=parent, max_content_width=100) as context:
        yield f"```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for below, inner in command.commands.items():
            yield f"### {name} {below}\n"
            yield from _help(inner, f"{name} {below}", parent)


def _schemas() -> Iterator[str]:
    yield "# Schemas\n"
    for name, summary in SCHEMAS.items():
        schema = json.loads((TOP / "schemas" / f"{name}.schema.json").read_text("utf-8"))
        yield f"## {name}\n\n{summary} The file: `schemas/{name}.schema.json`.\n"
        yield "| key | type | meaning |\n| --- | --- | --- |"
        for key, value in schema["properties"].items():
            meaning = value.get("description", "").replace("|", "\\|").replace("\n", " ")
            yield f"| `{key}` | {_type(value)} | {meaning} |"
        yield ""


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _decisions() -> Iterator[str]:
    yield "# Decisions\n\nWhy minitask is built as it is, about ten lines each.\n"
    for path in sorted((TOP / "docs/decisions").glob("0*.md")):
        title = path.read_text("utf-8").partition("\n")[0].lstrip("# ")
        yield f"- [{title}]({path.name})"
