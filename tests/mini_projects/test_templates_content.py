"""The templates: each renders to a spec, shows what was not filled in, lists its variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from jinja2 import Environment, StrictUndefined, meta
from worked_example import ROOT, apply_spec

from minitask.edits.check_script import check_script
from minitask.edits.grammar import covers, parse_script
from minitask.spec.parse import parse_file
from minitask.spec.quality import check_quality

if TYPE_CHECKING:
    from pathlib import Path

    from minitask.spec.model import Spec

FOLDER = ROOT / "templates"
TEMPLATES = sorted(FOLDER.glob("*.md.j2"))
GIVEN = {"number": 3, "title": "Move the parser", "id": "03-move-the-parser", "project": "demo"}
VARIABLE = re.compile(
    r"(?P<name>\w+)(?: \(\w+\))?: .+ \((?:default: (?P<default>.+)|always given)\)"
)

by_name = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name.split(".")[0])


def declared(path: Path) -> dict[str, str | None]:
    """The variables that a template's first comment lists, with their defaults."""
    comment = path.read_text("utf-8").partition("{#-")[2].partition("-#}")[0]
    matches = (VARIABLE.fullmatch(line) for line in comment.split("\n\n", 1)[1].splitlines())
    return {match["name"]: match["default"] for match in matches if match}


def render(path: Path, /, **values: object) -> Spec:
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    text = environment.from_string(path.read_text("utf-8")).render({**GIVEN, **values})
    parsed = parse_file(text, path="mini-projects/demo/03-move-the-parser.md")
    assert parsed.diagnostics == ()
    (spec,) = parsed.specs
    return spec


@by_name
def test_a_template_renders_to_a_spec_without_any_variable_set(path: Path):
    spec = render(path)
    assert (spec.number, spec.title) == ("3", "Move the parser")
    assert spec.options.id == "03-move-the-parser"
    assert spec.commands
    assert spec.criteria
    assert spec.writes()


@by_name
def test_a_template_lists_the_variables_that_it_uses(path: Path):
    tree = Environment(autoescape=False).parse(path.read_text("utf-8"))
    used = meta.find_undeclared_variables(tree)
    assert used | {"project"} == set(declared(path))


@by_name
def test_a_variable_that_is_not_set_shows_as_its_default(path: Path):
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    text = environment.from_string(path.read_text("utf-8")).render(GIVEN)
    shown = {name: value for name, value in declared(path).items() if value is not None}
    shown |= {"add-tests": {"check": 'python3 -m pytest -q "[tests]"'}}.get(
        path.name.split(".")[0], {}
    )
    shown |= {"translate-strings": {"check": 'python3 -m json.tool "[target]"'}}.get(
        path.name.split(".")[0], {}
    )
    assert {name for name, value in shown.items() if value not in text} == set()


@by_name
def test_the_page_lists_every_variable_of_a_template(path: Path):
    page = (FOLDER / "README.md").read_text("utf-8")
    section = page.partition(f"## {path.name.removesuffix('.md.j2')}\n")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \| .+ \| `(.+)` \|$", section, re.MULTILINE))
    variables = {name: value for name, value in declared(path).items() if value}
    assert f"`{variables.pop('next')}`" in page.partition("\n## ")[0]
    assert listed == variables


@by_name
def test_what_is_not_filled_in_is_one_error(path: Path):
    spec = render(path)
    codes = [each.code for each in (*check_script(spec), *check_quality(spec))]
    assert [code for code in codes if code in ("E407", "E301")] in (["E407"], []), path


def test_the_bare_form_is_told_to_be_filled_in():
    assert "E407" in {found.code for found in check_quality(render(FOLDER / "mini-task.md.j2"))}


def test_an_extraction_moves_lines_and_imports_them():
    spec = render(
        FOLDER / "extract-module.md.j2",
        source="app.py",
        target="my parser.py",
        ranges="3-4,7",
        head='"""The parser."""',
        symbol="def parse",
        anchor="import sys",
        **{"import": "from parser import parse"},
        check="python3 -m py_compile app.py",
    )
    present = {"app.py": "import sys\n\ndef parse():\n    pass\n\nlast = 1\nX = 2\n"}
    result = apply_spec(spec, original=present, present=present)
    assert result["app.py"] == "import sys\nfrom parser import parse\n\n\nlast = 1\n"
    assert result["my parser.py"] == '"""The parser."""\n\n\ndef parse():\n    pass\nX = 2\n'


def test_a_rename_takes_the_file_and_the_line_that_names_it_along():
    spec = render(
        FOLDER / "rename.md.j2",
        source="a.py",
        target="b.py",
        user="main.py",
        old="import a",
        new="import b",
        check="python3 main.py",
    )
    present = {"a.py": "A = 1\n", "main.py": "import a\n"}
    result = apply_spec(spec, original=present, present=present)
    assert result == {"b.py": "A = 1\n", "main.py": "import b\n"}


def test_an_edit_replaces_to_the_letter():
    values = {"path": "a.py", "search": "A = 1\nB = 2", "replace": "A = 3", "check": "python3 a.py"}
    spec = render(FOLDER / "edit-file.md.j2", **values)
    present = {"a.py": "A = 1\nB = 2\nC = 3\n"}
    result = apply_spec(spec, original=present, present=present)
    assert result == {"a.py": "A = 3\nC = 3\n"}


@pytest.mark.parametrize("name", ["create-file", "add-tests"])
def test_what_has_to_be_thought_out_is_left_to_a_model(name: str):
    spec = render(FOLDER / f"{name}.md.j2")
    script = parse_script(spec.snippets, source=spec.path)
    assert not covers(script, {ref.path for ref in spec.writes()})
