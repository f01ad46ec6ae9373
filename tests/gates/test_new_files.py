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
    "ci.yml": "jobs:\n  a:\n    steps:\n      - uses: b\n        with:\n          path: _wiki_dir\n",
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
    "a.hrl": '-record(a, {b = $%}).\n-define(C, "50 %"). % a share\n%% EOF\n',
    "a.pl": "print <DATA>;\n__DATA__\nAnd this one. So it ends!\n",
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
    "a.kt": "fun a(): Int {\n    return 1\n}\n\nAnd here is the rest of the file:\n\nfun b(): Int {\n    return 2\n}\n",
    "a.swift": "```swift\nfunc a() -> Int {\n    return 1\n}\n",
    "a.ex": "defmodule A do\n  def a, do: 1\nend\n```\n",
    "a.dart": "int a() => 1;\n```\n\n```dart\nint b() => 2;\n",
    "a.lua": "local function add(a, b)\n  local sum = a + b\n  return sum\nend\n\nlocal function add(a, b)\n  local sum = a + b\n  return sum\nend\n",
    "A.java": "class A {\n  int a;\n}\n\nThis adds the class and leaves everything else unchanged.\n",
    "a.scala": "// Of one\\nobject A {\\n  val a = 1\\n}\\n\n",
    "b.erl": "-module(b).\n\nf(A) ->\n    case A of\n        1 -> ok; % so far\n",
    "A.cs": "class A\n{\n    public int Add(int a)\n    {\n        return a;\n    }\n\n    public int Add(int a)\n    {\n        return a;\n    }\n}\n",
    "b.kt": 'fun a(): String {\n    return b(\\"one\\", 2)\n}\n',
    "a.csproj": "<Project>\n  <ItemGroup>\n</Project>\n",
    "app_de.arb": '{\n  "title": "Titel",\n  "title": "Name"\n}\n',
    "a.erl": "-module(a).\n\nf(A, B) when A &lt; B -> A.\n",
    "A.sol": "contract A {\n    function a() public {\n        b();\n",
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
    "a private helper": (
        "a.clj",
        "(ns a)\n\n(defn- size [f]\n  (.length f))\n\n(defn all [f]\n  {:size (size f)\n   :name f})\n",
        "(ns a)\n\n(defmulti data type)\n\n(defmethod data :file [f]\n  (measure (io/of f)))\n\n(defn all [f]\n  {:size (data f)\n   :name f})\n",
        "Expose it as a multimethod.",
    ),
    "words of a doc string": (
        "a.jl",
        '"""\n    f(a)\n\nUsage example:\n\n    f(1)\n\ntype parameters are many\n"""\nfunction f(a)\n    a\nend\n',
        '"""\n    f(a)\n\n    f(1)\n\nThe parameters are many\n"""\nfunction f(a)\n    a\nend\n',
        "Make the doc string of f a doctest, without a usage example.",
    ),
    "parameters and dots": (
        "a.nix",
        "{ config, lib, ... }:\n{\n  a = lib.b;\n  c = config.d;\n}\n",
        "{\n  config,\n  lib,\n  ...\n}:\n{\n  a = lib.b;\n  c = config.d;\n}\n",
        "Format the file.",
    ),
    "a body that fails at its end": (
        "a.nim",
        "proc help*() =\n  echo(text)\n  quit(0)\n\nlet a = 1\n",
        "proc help*(quit = true) =\n  echo(text)\n  if quit:\n    raise Quit(msg: a)\n\nlet a = 1\n",
        "Use more of the module.",
    ),
    "a target without a recipe": (
        "Makefile",
        "all: a.c\n\tgcc a.c -o a\n",
        "all: lib bin\n\nlib: a.c\n\tgcc a.c -shared -o lib\n\nbin: b.c\n\tgcc b.c -o bin\n",
        "Compile a library, too.",
    ),
    "an opening sentence": (
        "a.md",
        "# A\n\nRead on.\n",
        "This is the root document of the files below, which say more of each.\n\n# A\n\nRead on.\n",
        "Describe the document.",
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
        "path: [];\nconst a = {\n  code: 'x',\n}\n",
        "Improve types.",
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_as_people_make_it_lands(name: str) -> None:
    path, base, content, task = CHANGED[name]
    assert lint(path, content, base, task=task) == ""


LOST = {
    "a mark of a diff": (
        "a.kt",
        "fun a() {\n    b(1)\n}\n",
        "fun a() {\n-    b(1)\n+    b(2)\n}\n",
        "no text",
    ),
    "a function of R": (
        "a.R",
        "f <- function(a) {\n  a + 1\n}\n\ng <- function(a) {\n  f(a)\n  a\n}\n",
        "g <- function(a) {\n  f(a)\n  a\n}\n\nb <- 2\n",
        "loses f",
    ),
    "a function of OCaml": (
        "a.ml",
        "let rec f a =\n  let b = a in\n  f b\n\nlet g a =\n  f (a + 1)\n",
        "let g a =\n  f (a + 2)\n\nlet b = 2\n",
        "loses f",
    ),
    "a subroutine": (
        "a.f90",
        "pure subroutine f(a)\n  integer :: a\nend subroutine\n\nsubroutine g(a)\n  call f(a)\nend subroutine\n",
        "subroutine g(a)\n  call f(a)\nend subroutine\n\n! so\n! far\n",
        "loses f",
    ),
}


@pytest.mark.parametrize("name", LOST)
def test_a_change_that_loses_a_part_or_keeps_a_mark_fails(name: str) -> None:
    path, base, content, reason = LOST[name]
    assert reason in lint(path, content, base, task="Raise it to 2.")


def test_another_key_in_place_of_one_is_no_spelling() -> None:
    content = COMPOSE.replace("spring-postges", "front")
    assert "it loses" in lint("compose.yml", content, COMPOSE, task="Fix typo in network name.")
