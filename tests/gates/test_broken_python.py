"""Code that certainly fails, never runs or stops in a debugger, and names and keys that come twice."""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, Spec

OLD = "import os\n\n\ndef area(w, h):\n    return w * h\n"
CART = "class Cart:\n    @property\n    def size(self):\n        return len(self.items)\n"
METHODS = "class Cart:\n    def add(self, a):\n        self.items.append(a)\n"
CLEAR = "    def clear(self):\n        self.items = []\n\n"
C = "int f(int a)\n{\n    return a;\n}\n"
JAVA = "class A {\n  int f(int a) {\n    return a;\n  }\n}\n"
BEHIND = "function f() {\n  a();\n  return 1;\n  b();\n}\n"
RUBY = "class A\n  def f(a)\n  puts a\n  end\nend\n"
LUA = "function f()\n  if a then\n    b()\n  end\nend\n"
SQL = "CREATE TABLE a (\n  id INT\n);\nSELECT f(1);\n"
RUST = "/// A note.\n#[derive(Debug)]\npub struct Note {\n    text: String,\n}\n"
ITEM = "pub struct Item {\n    price: i32,\n}\n\n"
GRAPHQL = """
"A note: type A { b: C b: C }"
type A { b(c: Int, d: [Int] = 1): C }
extend type A { d: C }
input E { b: F = {g: 1, g: 2} }
query { b b { c } }
"""
PROTOBUF = """
message A {
  // int32 b = 1;
  int32 b = 1;
  message C { int32 b = 1; }
  extend D { int32 b = 1; }
}
enum E { option allow_alias = true; F = 0; G = 0; }
"""
TERRAFORM = """
a {
  b = c == d ? 1 : 2
  e {
    b = 1
  }
  e {
    b = 1
  }
  f = <<-X
    g = 1
    g = 2
  X
}
provider "a" {
}
provider "a" {
}
b = { for k, v in c : k => v if k == v }
"""


def ruling(path: str, base: str | None, content: str, *, task: str = "1. Do it.") -> str:
    """Return the reason against a file; empty where it passes."""
    action = FileAction.EDIT if base is not None else FileAction.CREATE
    spec = Spec(
        "mini-projects/p/01.md", "1", "Change it", task=task, files=(FileRef(path, action),)
    )
    change = Change(path, content, explicit=True)
    return check_lint([change], read={path: base}.get, spec=spec).reason


def body(text: str) -> str:
    """Return the module with another body of its function."""
    return OLD.replace("return w * h", text)


WRONG = {
    "a branch that is off": (
        "a.py",
        OLD,
        body("if False:\n        return w\n    return w * h"),
        "a.py:5: it is never reached",
    ),
    "dots among statements": (
        "a.py",
        OLD,
        body("...\n    return w * h * 2"),
        "a.py:5: `...` stands for code that is left out",
    ),
    "a name": ("a.py", OLD, body("return w * h * SCALE"), "a.py:5: nothing defines or imports SCALE"),
    "a word of another language": ("a.py", OLD, body("return w or null"), "nothing defines or imports null"),
    "self outside of a method": ("a.py", OLD, body("return self.w"), "nothing defines or imports self"),
    "an argument of another function": (
        "a.py",
        OLD,
        OLD + "\n\ndef edge(w):\n    return w + h\n",
        "nothing defines or imports h",
    ),
    "a module": ("a.py", None, "def f():\n    return json.dumps(1)\n", "nothing defines or imports json"),
    "a name of a class": (
        "a.py",
        None,
        "class A:\n    LIMIT = 1\n\n    def f(self):\n        return LIMIT\n",
        "nothing defines or imports LIMIT",
    ),
    "behind a return": ("a.py", OLD, body("return w * h\n    return w"), "a.py:6: it is never reached"),
    "behind a raise": ("a.py", OLD, body("raise KeyError\n    print(w)"), "it is never reached"),
    "a breakpoint": ("a.py", OLD, body("breakpoint()\n    return w"), "it stops in a debugger: breakpoint()"),
    "pdb": ("a.py", OLD, "import pdb\n" + body("pdb.set_trace()\n    return w"), "it stops in a debugger"),
    "a name bound anew": ("a.py", OLD, OLD + "\n\narea = os.getcwd\n", "it defines area twice"),
    "json": ("a.json", '{"a": 1,\n"b": 2}', '{"a": 1,\n"b": 2,\n"a": 3}', "a.json:3: it has a twice"),
    "yaml": ("a.yml", "a: 1\nb: 2\n", "a: 1\nb: 2\na: 3\n", "a.yml:3: it has a twice"),
    "yaml, further in": ("a.yaml", "x:\n- a: 1\n", "x:\n- a: 1\n  b: 2\n  a: 3\n", "it has a twice"),
    "js, let": ("a.js", None, "let a = 1;\nconst a = 2;\n", "a.js:2: it has a twice"),
    "js, in a function": ("a.js", None, "function f() {\n  let a = 1;\n  let a = 2;\n}\n", "it has a twice"),
    "js, a module's functions": ("a.js", None, "export function f() {}\nfunction f() {}\n", "it has f twice"),
    "ts, classes": ("a.ts", None, "export class A {}\nclass A {}\n", "it has A twice"),
    "comments alone": ("a.py", None, "# area\n", "it holds no code"),
    "a file as a string": ("a.py", None, '"def f():\\n    return 1\\n"\n', "it holds no code"),
    "its own name": ("a.py", None, "a.py\nx = 1\n", "nothing defines or imports a"),
    "go without a package": ("a.go", None, "func F() {}\n", "it does not say its package"),
    "typographic quotes": ("a.js", None, "const a = \u201cx\u201d;\n", "a typographic quote"),
    "xml that is cut": ("a.xml", None, "<a>\n  <b>1</b>\n", "not valid XML"),
    "svg that is cut": ("a.svg", None, '<svg>\n<path d="M0', "not valid XML"),
    "css that is cut": ("a.css", None, ".a {\n  top: 0;\n", "its braces do not close"),
    "go": ("a.go", None, "package a\n\nfunc F() {}\n\nfunc F() {}\n", "it has F twice"),
    "rust": ("a.rs", None, "fn f() {}\n\nfn f() {}\n", "it has f twice"),
    "c, a function twice": ("a.c", C, f"{C}\nint f(int a)\n{{\n    return 2;\n}}\n", "a.c:6: it has "),
    "java, a method twice": ("A.java", JAVA, JAVA.replace("}\n}", f"}}\n{JAVA[10:]}"), "twice"),
    "lua, a function twice": ("a.lua", LUA, LUA + LUA, '"function f()" twice'),
    "js, a function in another": (
        "a.js",
        "function f() {\n  a();\n}\n",
        "function f() {\n  a();\n  function add() {}\n}\n",
        "a.js:3: add is inside f, which does not use it",
    ),
    "js, behind a return": ("a.js", None, BEHIND, '"b();" is never reached'),
    "php, behind a return": ("a.php", None, f"<?php\n{BEHIND}", "is never reached"),
    "js, behind a long return": ("a.js", None, "function f() {\n  return {\n    a,\n  };\n  b();\n}\n", '"b();" is'),
    "ts, behind a throw": ("a.ts", None, "function f() {\n  throw a\n  if (b) {\n  }\n}\n", '"if (b) {" is'),
    "js, behind a break": ("a.js", None, "for (;;) {\n  break; a();\n}\n", '"a();" is never reached'),
    "java, behind a continue": ("A.java", None, JAVA.replace("return a;", "for (;;) { continue; b(); }"), '"b();" is'),
    "rust, behind a return": ("a.rs", None, "fn f() -> i32 {\n    return 1;\n    2\n}\n", '"2" is never reached'),
    "c#, behind a throw": ("a.cs", None, "{\n    a();\n    throw b;\n    c();\n}\n", '"c();" is never reached'),
    "kotlin, behind a return": ("a.kt", None, "fun f() {\n    a()\n    return b\n    c()\n}\n", '"c()" is never'),
    "go, behind a return": (
        "a.go",
        None,
        "package a\n\nfunc f() int {\n\treturn 1\n\treturn 2\n}\n",
        '"return 2" is never reached',
    ),
    "csv": ("a.csv", "a,b\n1,2\n", "a,b\n1,2\n3\n", "a.csv:3: the row has 1 fields"),
    "csv, a quote": ("a.csv", "a,b\n1,2\n", 'a,b\n1,"2\n3,4\n', "a.csv:2: a quote of the row is never closed"),
    "csv, semicolons": ("a.csv", "a;b\n1;2\n", "a;b\n1;2\n3\n", "a.csv:3: the row has 1 fields"),
    "an interpreter": ("a.py", "#!/bin/x\na = 1\n", "# A.\n#!/bin/x\na = 1\n", 'a.py:2: "#!/bin/x" counts'),
    "a package twice": ("requirements.txt", None, "a-b==1\na_b==2\n", "a-b is required twice"),
    "a method below its class": (
        "a.py",
        CART,
        f"{CART}\ndef clear(self):\n    self.items = []\n",
        "a.py:6: clear takes `self`, and is no method",
    ),
    "methods below a function": (
        "a.py",
        METHODS,
        METHODS.replace("    def", "    size = 0\n\ndef reset(a):\n    a.clear()\n\n    def", 1),
        "a.py:7: add is inside reset, which does not use it",
    ),
    "a function among methods": (
        "a.py",
        METHODS,
        f"{METHODS}\n    def half(value):\n        return value / 2\n",
        "half is a method of Cart without `self`",
    ),
    "a decorator of another": (
        "a.py",
        CART,
        CART.replace("    def", CLEAR + "    def"),
        '"@property" belongs to "def size(self):", and stands above "def clear(self):" now',
    ),
    "an attribute of another": (
        "a.rs",
        RUST,
        RUST.replace("pub", ITEM + "pub"),
        '"#[derive(Debug)]" belongs to "pub struct Note {"',
    ),
    "a doc comment of another": (
        "a.go",
        "package a\n\n// Tax is due.\nfunc Tax() {}\n",
        "package a\n\n// Tax is due.\nfunc Half() {}\n\nfunc Tax() {}\n",
        '"// Tax is due." belongs to "func Tax() {}"',
    ),
    "ruby, an edit": ("a.rb", RUBY, RUBY.replace("  puts", "  if a\n    puts"), "its blocks do not"),
    "ruby that is cut": ("a.rb", None, RUBY[: RUBY.index("  end")], "its blocks do not close"),
    "lua, an edit": ("a.lua", LUA, LUA.replace("end", "", 1), "its blocks do not close"),
    "elixir that is cut": ("a.ex", None, "defmodule A do\n  def f do\n    1\n", "its blocks do not"),
    "sql, an edit": ("a.sql", SQL, SQL.replace(");", "", 1), "its parentheses do not close"),
    "c, an edit": ("a.c", "f(a);\n", "f((a);\n", "its parentheses do not close"),
    "html, an edit": ("a.html", "<ul>\n</ul>\n", "<ul>\n</ul>\n</ul>\n", "its <ul> tags do not close"),
    "html that is cut": ("a.html", None, "<!DOCTYPE html>\n<ul>\n<li>1\n", "its <ul> tags do not"),
    "markdown that is cut": ("a.md", None, "# A\n\n```sh\nls\n", "its fences do not close"),
    "jinja that is cut": ("a.j2", None, "{% for a in b %}\n  {{ a }}\n", "its `for` blocks do not close"),
    "svelte, an edit": ("a.svelte", "{#if a}\n{/if}\n", "{#if a}\n", "its `if` blocks do not close"),
    "latex that is cut": ("a.tex", None, "\\begin{document}\nText.\n", "`document` environments"),
    "perl that is cut": ("a.pl", None, "sub f {\n    return 1;\n", "ends before its `{` is closed"),
    "cmake that is cut": ("CMakeLists.txt", None, "add_executable(a\n", "ends before its `(` is closed"),
    "operators of HTML": ("a.c", None, "int f(int a) { return a &lt; 1; }\n", "a.c:1: it holds `&lt;`"),
    "operators of HTML in yaml": ("a.yml", None, "run: a &amp;&amp; b\n", "it holds `&amp;&amp;`"),
    "a remark for more": ("a.html", None, "<ul>\n<!-- more items here -->\n</ul>\n", "left out"),
    "an invitation": ("a.md", None, "# A\n\n[Insert the steps here]\n", "work that is left out"),
    "a variable": (".env.example", "A=1\nB=2\n", "A=1\nB=2\nexport A=3\n", ".env.example:3: it has A twice"),
    "a property": ("a.properties", "a.b=1\n", "a.b=1\na.c: 2\\\n  x=y\na.b = 3\n", "it has a.b twice"),
    "an option of Python's": ("setup.cfg", None, "[metadata]\nname = a\nname = b\n", "it has name twice"),
    "a switch": ("a.ini", "[a]\nx = on\n", "[a]\nx = on\nx = off\n", "a.ini:3: it has x twice"),
    "a target": ("Makefile", "a: b\n\tx\n", "a: b\n\tx\n\na c:\n\ty\n", "Makefile:4: it has a twice"),
    "a field of a type": (
        "a.graphql",
        "type A {\n  b(c: Int): Int\n}\n",
        "type A {\n  b(c: Int): Int\n  b: [Int!]! @d(e: 1)\n}\n",
        "a.graphql:3: it has b twice",
    ),
    "a value of an enum": ("a.graphqls", None, "enum A { B C @d B }\n", "has B twice"),
    "a field of a message": ("a.proto", None, "message A { A b = 1; oneof c { A b = 2; } }\n", "it has b twice"),
    "a number of a message": (
        "a.proto",
        "message A {\n  string b = 1;\n}\n",
        "message A {\n  string b = 1;\n  map<string, int32> c = 1 [deprecated = true];\n}\n",
        "a.proto:3: it has field number 1 twice",
    ),
    "a method": ("a.proto", None, "service A {\n  rpc B(C) returns (C) {}\nrpc B(D) returns (D);\n}\n", "has B twice"),
    "an argument": ("a.tf", None, 'resource "a" "b" {\n  d = { e = 1, f = 2, e = 3 }\n}\n', "it has e twice"),
    "a column": ("a.sql", None, 'CREATE TABLE a (\n  b INT, -- b\n  "B" TEXT\n);\n', "a.sql:3: it has b twice"),
    "a field of a model": ("a.prisma", None, "model A {\n  b Int @id\n  b String\n}\n", "a.prisma:3: it has b twice"),
    "a message": ("a.po", None, 'msgid ""\n"a"\nmsgstr "b"\n\nmsgid ""\n"a"\nmsgstr "c"\n', "a.po:5: it has a twice"),
    "an output": ("a.tf", None, 'output "a" {\n}\noutput "a" {\n}\n', 'it has output "a" twice'),
    "rust, methods": ("a.rs", None, "impl A {\n    fn f() {}\n    fn f() {}\n}\n", "it has f twice"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_run_as_it_stands_is_a_fault(case: str) -> None:
    path, base, content, words = WRONG[case]
    assert words in ruling(path, base, content)


RIGHT = {
    "a method above a decorator": ("a.py", CART, CART.replace("    @property\n", f"{CLEAR}    @property\n")),
    "a property above another": (
        "a.py",
        CART,
        CART.replace("    @property\n", f"    @property\n{CLEAR}    @property\n"),
    ),
    "a second decorator": (
        "a.py",
        CART,
        CART.replace("    def", "    # Once.\n    @cache(\n        1\n    )\n    def"),
        "1. Use `cache`.",
    ),
    "a decorator that the task moves": (
        "a.py",
        CART,
        CART.replace("    def", f"{CLEAR}    def"),
        "1. Let `clear` be the property, not `size`.",
    ),
    "ruby": ("a.rb", None, "x = begin\n  1\nend if a\nreturn unless x\ndef f = 1\n[].each do |a| a end\n"),
    "ruby, an edit with a modifier": ("a.rb", RUBY, RUBY.replace("puts a", "puts a if a")),
    "lua": ("a.lua", None, "while a do\n  b()\nend\nrepeat\n  c()\nuntil d\n"),
    "elixir": ("a.ex", None, "def f, do: 1\nEnum.map(a, fn b -> b end)\n"),
    "c, branches of the preprocessor": (
        "a.c",
        "void f() {\n}\n",
        "#if A\nvoid f() {\n#else\nvoid f(int a) {\n#endif\n}\n",
    ),
    "an unfinished base": ("a.css", ".a {\n", ".a {\n  top: 0;\n"),
    "a part of a page": ("a.html", None, "<div>\n<p>1\n"),
    "html in a script": ("a.html", "<ul></ul>\n", "<ul></ul>\n<script>\nf('<ul>');\n</script>\n"),
    "html in strings": ("a.py", None, "A = '&lt;b&gt;'\n"),
    "c#, a region": ("a.cs", "class A\n{\n}\n", "#region A (all\nclass A\n{\n}\n#endregion\n"),
    "c, two branches": ("a.c", None, f"#if A\n{C}#else\n{C}#endif\n"),
    "java, in two classes": ("A.java", JAVA, JAVA + JAVA.replace("class A", "class B")),
    "java, by arguments": ("A.java", JAVA, JAVA.replace("}\n}", "}\n  int f(long a) {\n    return 1;\n  }\n}")),
    "ruby, in two classes": ("a.rb", RUBY, RUBY + RUBY.replace("class A", "class B")),
    "c, an if without braces": ("a.c", None, "void f() {\n  if (a)\n  return;\n  b();\n}\n"),
    "js, cases": (
        "a.js",
        None,
        "function f(a) {\n  switch (a) {\n    case 1:\n      return 1;\n    case 2:\n      return 2;\n  }\n}\n",
    ),
    "js, a function below": ("a.js", None, "function f() {\n  a();\n  return g();\n  function g() {}\n}\n"),
    "js, a function for another": ("a.js", "function f() {\n}\n", "function f() {\n  g();\n  function g() {}\n}\n"),
    "js, a function that the task nests": (
        "a.js",
        "function f() {\n}\n",
        "function f() {\n  function g() {}\n}\n",
        "1. Add `g` inside `f`.",
    ),
    "js, an else": ("a.js", None, "function f() {\n  if (a) return 1;\n  else b();\n}\n"),
    "js, a break of a case": ("a.js", None, "switch (a) {\n  case 1: throw b; break;\n}\n"),
    "js, names that are hoisted": ("a.js", None, "function f() {\n  return a;\n  var a;\n}\n"),
    "go, a label": ("a.go", None, "package a\n\nfunc f() {\n\treturn\nL:\n\tg()\n}\n"),
    "rust, one of two": ("a.rs", None, "fn f() -> i32 {\n    #[cfg(unix)]\n    return 1;\n    return 2;\n}\n"),
    "rust, a word of its own": ("a.rs", None, "fn f() {\n    return 1;\n    unreachable!()\n}\n"),
    "c#, a function below": ("a.cs", None, "{\n    a();\n    return b();\n    int b() => 1;\n}\n"),
    "c#, one of two": ("a.cs", None, "{\n#if A\n    return 1;\n#endif\n    return 2;\n}\n"),
    "kotlin, a value": ("a.kt", None, "fun f() {\n    val a = b ?:\n    return c\n    d(a)\n}\n"),
    "csv, quoted": ("a.csv", "a,b\n1,2\n", 'a,b\n1,2\n3,"4,\n5"\n'),
    "csv, a column more": ("a.csv", "a,b\n1,2\n", "a,b,c\n1,2,3\n"),
    "a package by version": ("requirements.txt", None, "a==1 ; x < 1\na==2 ; x > 1\n"),
    "a function that its function uses": ("a.py", None, "def f():\n    def g():\n        return 1\n\n    return [g]\n"),
    "a function for a class": ("a.py", None, "def f(self):\n    return self\n\n\nclass A:\n    g = f\n"),
    "a function of a class": (
        "a.py",
        METHODS,
        f"{METHODS}\n    def half(value):\n        return value / 2\n\n    third = half(3)\n",
    ),
    "a decorated function": ("a.py", None, "def f(app):\n    @app.get\n    def g():\n        return 1\n"),
    "a struct above attributes": ("a.rs", RUST, ITEM + RUST),
    "a comment of a group": (
        "a.go",
        "package a\n\n// Helpers.\nfunc Tax() {}\n",
        "package a\n\n// Helpers.\nfunc Half() {}\n\nfunc Tax() {}\n",
    ),
    "what runs the file binds names": ("conf.py", "tags.has('a')\n", "tags.has('a')\nother.b()\n"),
    "a script of a workflow": ("a.py", None, "print(snakemake.input[0])\n"),
    "rust, one of two by the system": (
        "a.rs",
        None,
        "#[cfg(unix)]\n/// Here.\nfn f() {}\n\n#[cfg(windows)]\n// There.\nfn f() {}\n",
    ),
    "rust, a type and a function": ("a.rs", None, "trait f {}\n\nfn f() {}\n"),
    "a stub": ("a.py", None, 'def f(a):\n    """A."""\n    ...\n\nclass A:\n    x: int\n    ...\n', "1. Add a stub."),
    "what tools are to see": ("a.py", None, "if False:\n    import a\nwhile True:\n    break\n"),
    "built-ins": ("a.py", None, "print(len(__file__), __name__, Exception, _('a'))\n"),
    "bound later": ("a.py", None, "def f():\n    return g()\n\n\ndef g():\n    return 1\n"),
    "bound by a loop, a with, a walrus": (
        "a.py",
        None,
        "for a in []:\n    print(a)\nwith open('x') as b:\n    print(b)\nif (c := 1):\n    print(c)\n",
    ),
    "bound in a function": ("a.py", None, "def f():\n    global a\n    a = 1\n\n\ndef g():\n    return a\n"),
    "imported in a function": ("a.py", None, "def f():\n    global a\n    import a\n\n\ndef g():\n    return a\n"),
    "of an outer function": ("a.py", None, "def f(x):\n    def g():\n        return x\n\n    return g\n"),
    "a comprehension": ("a.py", None, "A = [x for y in [[1]] for x in y]\n"),
    "an annotation": ("a.py", None, "def f(a: Later) -> Other:\n    return a\n"),
    "a function called top": ("a.py", None, "class A:\n    def top(self, n):\n        return self, n\n"),
    "a star import": ("a.py", None, "from os.path import *\n\nprint(join('a'))\n"),
    "made at run time": ("a.py", None, "globals().update(a=1)\nprint(a)\n"),
    "guarded": ("a.py", None, "try:\n    unicode\nexcept NameError:\n    unicode = str\n"),
    "old names": ("a.py", None, "import sys\n\nif sys.version_info[0] < 3:\n    print(unicode)\n"),
    "known to a linter": ("a.py", None, "print(injected)  # noqa: F821\n"),
    "the base has it": ("a.py", "print(injected)\n", "print(injected, 1)\n"),
    "a generator": ("a.py", None, "def f():\n    return\n    yield\n"),
    "branches": ("a.py", None, "def f(a):\n    if a:\n        return 1\n    return 2\n"),
    "wrapped": ("a.py", None, "def f():\n    return 1\n\n\nf = staticmethod(f)\n"),
    "another's set_trace": ("a.py", None, "import a\n\na.set_trace()\n"),
    "json, comments": ("a.json", None, '{"//": "a", "//": "b"}'),
    "json, two objects": ("a.json", None, '{"a": {"x": 1}, "b": {"x": 1}}'),
    "json, the base has it": ("a.json", '{"a": 1, "a": 2}', '{"a": 1, "a": 3}'),
    "yaml, merges": ("a.yml", None, "a: &a {x: 1}\nb: {<<: *a, y: 1}\nc: {<<: *a, x: 2}\n"),
    "yaml, documents": ("a.yml", None, "a: 1\n---\na: 1\n"),
    "js, scopes": ("a.js", None, "let a = 1;\nfunction f() {\n  let a = 2;\n}\nfor (let a of []) {}\n"),
    "js, a script's functions": ("a.js", None, "function f() {}\nfunction f() {}\n"),
    "js, var": ("a.js", None, "export var a = 1;\nvar a = 2;\n"),
    "ts, overloads": ("a.ts", None, "export function f(a: string): void;\nexport function f(a: any) {}\n"),
    "ts, merged": ("a.ts", None, "export interface A {}\nexport class A {}\n"),
    "a docstring alone": ("a.py", None, '"""What it is for."""\n'),
    "a package's remark": ("a/__init__.py", None, "# nothing here\n"),
    "xml with a document type": ("a.xml", None, "<!DOCTYPE a SYSTEM 'a.dtd'>\n<a>&b;</a>\n"),
    "svg with a prefix": ("a.svg", None, '<?xml version="1.0"?>\n<svg xlink:href="#a"><g/></svg>\n'),
    "quotes in strings": ("a.js", None, "const a = '\u201cx\u201d'; // \u2018y\u2019\n"),
    "css, closed": ("a.css", None, "@media print {\n  .a { top: 0; }\n}\n"),
    "go, a comment alone": ("a.go", None, "// nothing yet\n"),
    "go, init": ("a.go", None, "package a\n\nfunc init() {}\n\nfunc init() {}\n"),
    "go, methods": ("a.go", None, "package a\n\nfunc (a A) F() {}\n\nfunc (b B) F() {}\n"),
    "variables": (".env", None, 'A="x\nB=1\n"\nB=2\nC=3\nC=${C}:4\n'),
    "variables of a script": ("a.env", None, "if x; then\n  A=1\nelse\n  A=2\nfi\n"),
    "variables of a template": (".env.j2", None, "{% if x %}\nA=1\n{% else %}\nA=2\n{% endif %}\n"),
    "properties": ("a.properties", None, "# a=1\na=1\nb=2\\\n  a=3\n#---\na=4\n"),
    "a list in an INI file": ("php.ini", "extension=a\n", "extension=a\nextension=b\n"),
    "ports in an INI file": ("a.ini", None, "[a]\nport = 1\nport = 2\n[b]\nx = 1\n[c]\nx = 1\n"),
    "an option of two sections": ("tox.ini", None, "[tox]\na = 1\n[testenv]\na = 2\nb =\n  c = 1\n  c = 2\n"),
    "targets": (
        "Makefile",
        None,
        "a: b\n\tx\na: c\na: A = 1\n%.o: %.c\n\tx\n%.o: %.c\n\ty\nd::\n\tx\nd::\n\ty\n",
    ),
    "targets by system": ("a.mk", None, "ifdef A\na:\n\tx\nelse\na:\n\ty\nendif\n"),
    "fields": ("a.graphql", None, GRAPHQL),
    "messages of protobuf": ("a.proto", None, PROTOBUF),
    "blocks": ("a.tf", None, TERRAFORM),
    "columns": (
        "a.sql",
        None,
        "CREATE TABLE a (b INT, c DECIMAL(1, 2), PRIMARY KEY (b), KEY d (b), KEY e (c));\nCREATE TABLE f (b INT);\n",
    ),
    "messages": ("a.po", None, 'msgid "a"\nmsgstr "b"\n\nmsgctxt "c"\nmsgid "a"\nmsgstr "b"\n#~ msgid "a"\n'),
    "models": ("a.prisma", None, "model A {\n  b Int\n  c A[]\n  @@id([b])\n  @@id([c])\n}\nmodel C {\n  b A\n}\n"),
    "rust, by system": ("a.rs", None, "#[cfg(unix)]\nfn f() {}\n#[cfg(windows)]\nfn f() {}\n"),
    "rust, two types": ("a.rs", None, "impl A {\n    fn f() {}\n}\nimpl B {\n    fn f() {}\n}\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_what_may_run_passes(case: str) -> None:
    path, base, content, *task = RIGHT[case]
    assert not ruling(path, base, content, task="".join(task) or "1. Do it.")


def test_a_name_that_the_function_had_is_lost_whatever_the_task_says_of_it() -> None:
    base = body("total = w * h\n    return total")
    told = ruling("a.py", base, body("return round(total, 2)"), task="1. Return `round(total, 2)`.")
    assert "total is used here" in told


def test_names_and_stops_that_the_task_has_are_meant() -> None:
    assert not ruling(
        "a.py", OLD, body("return w * SCALE"), task="1. Multiply by `SCALE`, which the host sets."
    )
    assert not ruling(
        "a.py", OLD, body("breakpoint()\n    return w"), task="1. Stop in a breakpoint."
    )


@pytest.mark.parametrize("value", ["['a.py']", "{'a': 1}", "(1, 2)", "42"])
def test_the_output_of_a_run_is_no_part_of_a_program(value: str) -> None:
    code = "import sys\n\nprint(sys.argv)\n"
    assert "a value that nothing uses" in ruling("a.py", None, f"{code}\n{value}\n")
    assert not ruling("a.py", f"{code}\n{value}\n", f"{code}\n{value}\nprint(1)\n")
    assert not ruling("__manifest__.py", None, f'"""It."""\n\n{value}\n')
