# ruff: noqa: E501 - the cases are whole files
"""New files of many kinds, as repositories have them: none looks like a part of an answer, or like damage."""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import Spec

FILES = {
    "drop.sql": "DROP TABLE users;\n",
    "up.sql": "ALTER TABLE users ADD COLUMN external_id TEXT;\n",
    "roles.sql": "GRANT USAGE ON SCHEMA v1 TO anonymous;\n",
    "Dockerfile": "FROM eclipse-temurin:21\nCOPY app.jar /app.jar\nCMD java -jar /app.jar\n",
    "note.yaml": "kind: feature\nnotes:\n- |\n  Added a field for the claims.\n  This addresses older clients.\n",
    "api.yaml": "openapi: 3.1.0\ninfo:\n  title: A\n  version: '1'\nsummary: It lists what there is.\n",
    "mail.hbs": "Your Email Change\n<!---------------->\nHello {{name}}.\n",
    "page.erb": "<%= title %>\nThis page has no text in it!\n",
    "a.feature": "Feature: Login\n  Scenario: Right password\n    Then the page shows the title.\n",
    "messages_bg.properties": "a=\\\n  \u041d\u044f\u043c\u0430 \u0442\u0430\u043a\u0438\u0432\u0430 \u0437\u0430\u043f\u0438\u0441\u0438.\n",
    "README.SETUP": "Ubuntu 16.04 HVM AMI\nThe script installs what is needed.\n",
    "Setting.hs": "module Setting where\n\nuse =\n  Setting . Config.setUse\n",
    "empty.sh": "",
    "menu.blade.php": "@props(['a'])\n\n@php\n$a = 1;\n@endphp\n<p>{{ $a }}</p>\n",
    "use.ts": "export function use<K extends string>(\n  prop: K,\n): A[K]\nexport function use(\n  props: string[],\n): A\n"
    "export function use(\n  prop: unknown,\n): unknown {\n  return prop\n}\n",
    "watch.ts": "export function watch<\n  A extends string,\n>(a: A): void\nexport function watch<\n  B extends number,\n"
    ">(b: B): void\nexport function watch(a: unknown): void {\n  run(a)\n}\n",
    "Pin.kt": "class Pin {\n  fun check(\n    host: String,\n  ) {\n    run(host)\n  }\n\n  fun check(\n    port: Int,\n  ) {\n"
    "    run(port)\n  }\n}\n",
    "log.c": "static struct log *\nparse(char *a)\n{\n\treturn 0;\n}\n\nstatic struct log *\ncopy(struct log *r)\n{\n\treturn r;\n}\n",
    "a.tex": "\\newcommand{\\open}{\\begin{array}}\n\\begin{equation*} a = b \\end{equation*}\n",
    "a.html": '<script>\n  write("<script>var a = 1;<\\x2Fscript>" +\n    "b");\n</script>\n',
    "a.ex": 'defmodule A do\n  @doc """\n  Asks for all:\n\n      from(a in B,\n        # other filters here\n      )\n  """\n  def a, do: 1\nend\n',
    "a.clj": "(ns a)\n\n(def b\n  (list (f 'a) 'b\n    (g `(c))))\n",
    "theme.rs": '#[test]\nfn theme() {\n    run().stderr(str![[r#"\nERROR\n"#]]);\n}\n',
    "zip.h": "class EARLY EXPORTED\n    Input : public Stream {\n  int a;\n};\n\nclass EARLY EXPORTED\n    Output : public Stream {\n  int b;\n};\n",
    "list.html": "<html>\n<td><a th:text='${name}'/></a></td>\n<a href='#'>x</a>\n</html>\n",
    "HISTORY.md": "# Changes\n\n## 1.2.0 (TBD)\n\n* Read it at once\n",
    "AGENTS.md": "# Rules\n\nWrite it down first (TODO comment, plan, commit), then go on.\n",
    "view.py": "def process_view(self, request):\n    request.seen = True\n",
}  # fmt: skip
WRONG = {
    "drop.sql": "DROP TABLE users;\nThis removes the table of users.\n",
    "Dockerfile": "FROM a\nRUN make\nThis builds the image as you asked.\n",
    "a.ts": "export function use(\n  a: string,\n) {\n  return a\n}\nexport function use(\n  a: string,\n) {\n  return a\n}\n",
    "a.tex": "\\begin{equation*}\na = b\n",
    "a.sh": "$ make\n$ make install\n",
}  # fmt: skip


def lint(path: str, content: str, base: str | None = None, *, task: str = "Add it.") -> str:
    title = task if base else "Add a file"
    spec = Spec(path="mini-projects/p/01.md", number="1", title=title, task=f"1. {task}")
    return check_lint([Change(path, content)], read={path: base}.get, spec=spec).reason


@pytest.mark.parametrize("path", FILES)
def test_a_file_as_repositories_have_it_lands(path: str) -> None:
    assert lint(path, FILES[path]) == ""


@pytest.mark.parametrize("added", [FILES["up.sql"], FILES["drop.sql"]])
def test_a_statement_below_others_is_no_sentence(added: str) -> None:
    base = "CREATE TABLE users (id INT);\n"
    assert lint("schema.sql", base + added, base, task="Add a statement.") == ""


@pytest.mark.parametrize("path", WRONG)
def test_a_new_file_with_a_fault_fails(path: str) -> None:
    assert lint(path, WRONG[path])


COMPOSE = "services:\n  db:\n    networks:\n      - a\nnetworks:\n  spring-postges: {}\n"
CHANGED = {
    "a key spelt right": (
        "compose.yml",
        COMPOSE,
        COMPOSE.replace("postges", "postgres"),
        "Fix typo in network name.",
    ),
    "a last paragraph made shorter": (
        "a.md",
        "# A\n\nThe bundler takes modules and infers their type from the ending of a name. Note that it did not.\n",
        "# A\n\nThe bundler takes modules and infers their type from the ending of a name.\n",
        "Reflect the latest changes.",
    ),
    "a sentence that begins where it went on": (
        "a.ts",
        "/**\n * The path to the module,\n * by default it is imported\n * from disk\n */\nlet a = 1\n",
        "/**\n * The path to the module.\n * By default it is imported\n * from the disk.\n */\nlet a = 1\n",
        "Make the documentation clear.",
    ),
    "a section at the end": (
        "a.md",
        "# Plugins\n\nThey are many.\n",
        "# Plugins\n\nThey are many.\n\n### Removing plugins\n\nTo remove those not on the list:\n\n    clean\n",
        "Enable removing plugins by a command.",
    ),
    "one of several clauses": (
        "a.ex",
        "def dump({:embed, a}, b) do\n  c = load(a)\n  put(c, b)\nend\n\ndef dump(a, b) do\n  b\nend\n\n@limit 1\n",
        "def dump({:embed, a}, b) do\n  c = load(a)\n  add(c, b)\nend\n\ndef dump(a, b) do\n  b\nend\n\n@limit 1\n",
        "Add it.",
    ),
    "a body behind the head": (
        "a.scala",
        "object A {\n  def add(x: B, y: B): B = x match {\n    case C(a) => y + a\n    case D(a) => y - a\n  }\n\n  val c = 1\n}\n",
        "object A {\n  def add(x: B, y: B) = x.append(y)\n\n  val c = 1\n}\n",
        "Append did already exist.",
    ),
    "a function inside of one": (
        "a.scala",
        "object A {\n  def turn: B =\n    of(all.toVector)\n\n  val c = 1\n}\n",
        "object A {\n  def turn: B = {\n    def loop(a: B): B =\n      next(a)\n\n    loop(all)\n  }\n\n  val c = 1\n}\n",
        "Optimize turning.",
    ),
    "a call": (
        "a.swift",
        "class A: B {\n    func end() {\n        clear(all)\n        super.end()\n    }\n}\n",
        "class A: B {\n    func end() {\n        clear(all)\n        finish(now: true)\n    }\n}\n",
        "Finish now.",
    ),
    "a bracket as a name": (
        "a.R",
        "f <- function(a) {\n  a\n}\n",
        "f <- function(a) {\n  map(a, `[[`, 'b')\n}\n",
        "Map it.",
    ),
    "another word for nothing": (
        "a.yml",
        "a: 1\nnav: ~\nb:\n- c\n",
        "a: 2\nnav:\nb:\n- c\n",
        "Set a to 2.",
    ),
    "a property called path": (
        "a.ts",
        "const a = {\n  code: 'x',\n}\n",
        "path: [],\nconst a = {\n  code: 'x',\n}\n",
        "Improve types.",
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_as_people_make_it_lands(name: str) -> None:
    path, base, content, task = CHANGED[name]
    assert lint(path, content, base, task=task) == ""


def test_another_key_in_place_of_one_is_no_spelling() -> None:
    content = COMPOSE.replace("spring-postges", "front")
    assert "it loses" in lint("compose.yml", content, COMPOSE, task="Fix typo in network name.")
