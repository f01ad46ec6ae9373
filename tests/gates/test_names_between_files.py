# ruff: noqa: E501 - the cases are whole files
"""Names that a file takes from another one of the repository are there."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from memory_files import Files
from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, Spec


def ruling(base: Mapping[str, str], now: Mapping[str, str], task: str = "1. Do it.") -> str:
    """What the lint gate says of a change."""
    files = [FileRef(p, FileAction.EDIT if p in base else FileAction.CREATE) for p in now]
    spec = Spec("mini-projects/p/01.md", "1", "Do it", files=tuple(files), task=task)
    changes = [Change(path, text) for path, text in now.items()]
    after = Files({**base, **now})
    return check_lint(changes, read=base.get, spec=spec, candidate=after).reason


ADD = "export function add(a, b) {\n  return a + b;\n}\n"
USES_ADD = 'import { add } from "./add";\n\nexport const two = add(1, 1);\n'
COMMON = "function add(a, b) {\n  return a + b;\n}\n\nmodule.exports = { add };\n"
TAKES = "const { add } = require('./add');\n\nmodule.exports = () => add(1, 1);\n"
HOLDS = "const all = require('./add');\n\nmodule.exports = () => all.add(1, 1);\n"
UTIL = "def fetch(url):\n    return url\n"
BY_MODULE = "from app import util\n\n\ndef b():\n    return util.fetch('b')\n"
BY_NAME = "from app.util import fetch\n\n\ndef a():\n    return fetch('a')\n"
APP = {"app/__init__.py": "", "app/util.py": UTIL, "app/b.py": BY_MODULE, "app/a.py": BY_NAME}
NEW_UTIL = UTIL.replace("fetch", "download")
RENAME = "1. In `app/util.py` rename `fetch` to `download`.\n2. Update `app/a.py`."
MOD = "module example.com/app\n\ngo 1.21\n"
GO = "package util\n\nfunc Fetch(u string) string {\n\treturn u\n}\n"
IN_PACKAGE = 'package util\n\nfunc All() string {\n\treturn Fetch("v")\n}\n'
MAIN = 'package main\n\nimport "example.com/app/util"\n\nfunc main() {\n\tprintln(util.Fetch("a"))\n}\n'
GO_APP = {"go.mod": MOD, "util/u.go": GO, "util/v.go": IN_PACKAGE, "main.go": MAIN}
NEW_GO = GO.replace("Fetch", "Download")
CARGO = '[package]\nname = "app"\n'
RUST = "pub fn fetch(u: &str) -> &str {\n    u\n}\n"
RUST_MAIN = 'mod util;\n\nfn main() {\n    println!("{}", util::fetch("a"));\n}\n'
CRATE = {"Cargo.toml": CARGO, "src/util.rs": RUST, "src/main.rs": RUST_MAIN}
USES_CRATE = 'use crate::util::fetch;\n\npub fn a() {\n    fetch("a");\n}\n'
JAVA = "package app;\n\npublic class Util {\n    public static String fetch(String u) {\n        return u;\n    }\n}\n"
JAVA_MAIN = 'package app;\n\nclass Main {\n    public static void main(String[] a) {\n        Util.fetch("a");\n    }\n}\n'
JAVA_APP = {"app/Util.java": JAVA, "app/Main.java": JAVA_MAIN}
WRONG = {
    "Go, a function under another name": ({"go.mod": MOD}, {"util/u.go": NEW_GO, "main.go": MAIN}, "main.go:6: package util has no Fetch"),
    "Go, a function that is private": ({"go.mod": MOD}, {"util/u.go": GO.replace("Fetch", "fetch"), "main.go": MAIN}, "has no Fetch"),
    "Go, no package": ({"go.mod": MOD}, {"main.go": MAIN}, "main.go:3: import"),
    "Go, a caller of the package that stays": (GO_APP, {"util/u.go": NEW_GO}, "util/v.go:4: Fetch is used here"),
    "Go, a caller elsewhere that stays": (GO_APP, {"util/u.go": NEW_GO}, "main.go:6: Fetch is used here"),
    "Go, declared twice": (GO_APP, {"util/w.go": GO}, "util/w.go:3: Fetch is declared in util/u.go, too"),
    "Go, a call of nothing": (GO_APP, {"util/w.go": IN_PACKAGE.replace("All", "Some").replace("Fetch", "Load")}, "util/w.go:4: nothing in package util declares Load"),
    "Go, two packages in a folder": (GO_APP, {"util/w.go": "package tools\n"}, "package tools is beside package util"),
    "Rust, a function under another name": ({"Cargo.toml": CARGO}, {"src/util.rs": RUST.replace("fetch", "load"), "src/main.rs": RUST_MAIN}, "src/main.rs:4: src/util.rs has no fetch"),
    "Rust, a private function": ({"Cargo.toml": CARGO}, {"src/util.rs": RUST.removeprefix("pub "), "src/main.rs": RUST_MAIN}, "has no public fetch"),
    "Rust, a caller that stays": (CRATE, {"src/util.rs": RUST.replace("fetch", "load")}, "src/main.rs:4: "),
    "Rust, by the crate": (CRATE, {"src/a.rs": USES_CRATE.replace("fetch", "load")}, "src/a.rs:1: "),
    "Rust, in a list": (CRATE, {"src/a.rs": USES_CRATE.replace("fetch;", "{fetch, load};")}, "src/a.rs:1: "),
    "Java, a method under another name": (JAVA_APP, {"app/Util.java": JAVA.replace("fetch", "load")}, "app/Main.java:5: app/Util.java has no fetch"),
    "Java, a method of a new object": (JAVA_APP, {"app/B.java": "package app;\n\nclass B {\n    String b = new Util().load(1);\n}\n"}, "app/B.java:4: "),
    "Java, a type of another file": ({}, {"app/Other.java": JAVA}, "app/Other.java:3: the public type Util"),
    "Java, another package": (JAVA_APP, {"app/B.java": "package web;\n\nclass B {\n}\n"}, "package web is beside package app"),
    "an export under another name": ({}, {"add.ts": ADD.replace("add", "sum"), "b.ts": USES_ADD}, "add.ts has no add"),
    "a default export": ({}, {"add.ts": ADD.replace("function", "default function"), "b.ts": USES_ADD}, "has no add"),
    "no default export": ({}, {"add.ts": ADD, "b.ts": USES_ADD.replace("{ add }", "add")}, "has no default"),
    "a type": ({"add.ts": ADD}, {"b.ts": 'import type { Op } from "./add";\nlet a: Op;\n'}, "has no Op"),
    "passed on": ({"add.ts": ADD}, {"b.ts": 'export { mul } from "./add";\n'}, "b.ts:1: "),
    "a member": ({"add.ts": ADD}, {"b.ts": 'import * as m from "./add";\nm.mul(1);\n'}, "b.ts:2: "),
    "an index": ({"m/index.ts": ADD}, {"b.ts": 'import { mul } from "./m";\nmul(1);\n'}, "m/index.ts has no mul"),
    "CommonJS": ({}, {"add.js": COMMON.replace("add", "sum"), "b.js": TAKES}, "add.js has no add"),
    "CommonJS, one function": ({}, {"add.js": COMMON.replace("{ add }", "add"), "b.js": TAKES}, "has no add"),
    "CommonJS, no exports": ({}, {"add.js": "const add = 1;\n", "b.js": TAKES}, "has no add"),
    "CommonJS, by name": ({"add.js": "exports.sum = exports.plus = 1;\n"}, {"b.js": HOLDS}, "b.js:3: "),
    "CommonJS, a caller that stays": ({"add.js": COMMON, "b.js": HOLDS}, {"add.js": COMMON.replace("add", "sum")}, "b.js:3: "),
    "an attribute": (APP, {"app/c.py": BY_MODULE.replace("fetch", "load")}, "app/c.py:5: "),
    "an attribute by an alias": (APP, {"app/c.py": "import app.util as u\n\nprint(u.load())\n"}, "app/util.py has no load"),
    "an attribute by dots": (APP, {"app/c.py": "from . import util\n\nprint(util.load())\n"}, "app/util.py has no load"),
    "a caller by attribute that stays": (APP, {"app/util.py": NEW_UTIL, "app/a.py": BY_NAME.replace("fetch", "download")}, "app/b.py:5: "),
    "a folder without __init__.py": ({}, {"text/slug.py": "def make():\n    return 1\n", "tests/test_slug.py": "from text.slug import slugify\n\n\ndef test_a():\n    assert slugify()\n"}, "text/slug.py has no slugify"),
    "an import renamed, its use not": (APP, {"app/util.py": NEW_UTIL, "app/a.py": BY_NAME.replace("import fetch", "import download"), "app/b.py": BY_MODULE.replace("fetch", "download")}, "app/a.py:5: fetch is used here"),
    "a definition renamed, its use not": ({"a.py": f"{UTIL}\n\nprint(fetch(1))\n"}, {"a.py": f"{NEW_UTIL}\n\nprint(fetch(1))\n"}, "fetch is used here"),
    "a test without its import": ({}, {"util.py": UTIL, "test_util.py": "def test_fetch():\n    assert fetch(1) == 1\n"}, "nothing defines or imports fetch"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_name_that_the_other_file_lacks_is_a_fault(case: str) -> None:
    base, now, words = WRONG[case]
    assert words in ruling(base, now, RENAME)


def of_add(text: str) -> Mapping[str, str]:
    """A module of JavaScript whose exports the text decides."""
    return {"add.js": text}


RIGHT: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "an export": ({}, {"add.ts": ADD, "b.ts": USES_ADD}),
    "a default of CommonJS": (of_add(COMMON), {"b.js": USES_ADD.replace("{ add }", "add")}),
    "all passed on": (of_add('export * from "./c";\n'), {"b.js": USES_ADD}),
    "declarations beside": ({"add.js": "", "add.d.ts": ""}, {"b.js": USES_ADD}),
    "a mock": (of_add("export {};\n"), {"b.test.js": f'vi.mock("./add");\n{USES_ADD}'}),
    "a copy of exports": (of_add("const e = module.exports;\ne.add = 1;\n"), {"b.js": TAKES}),
    "exports made elsewhere": (of_add("module.exports = make();\n"), {"b.js": TAKES}),
    "a spread": (of_add("module.exports = { ...c };\n"), {"b.js": TAKES}),
    "a function with properties": (of_add(COMMON.replace("{ add }", "add") + "add.add = 1;\n"), {"b.js": TAKES}),
    "exports by name": (of_add("exports.add = 1;\nmodule.exports.b = 2;\n"), {"b.js": TAKES}),
    "a default value": (of_add("exports.b = 1;\n"), {"b.js": TAKES.replace("{ add }", "{ add = 1 }")}),
    "a member that may be missing": (of_add("exports.b = 1;\n"), {"b.js": HOLDS.replace("all.add(", "all.add?.(")}),
    "a member that is asked for": (of_add("exports.b = 1;\n"), {"b.js": f"{HOLDS}if (all.add) f();\n"}),
    "a name bound again": (of_add("exports.b = 1;\n"), {"b.js": f"{HOLDS}function f(all) {{}}\n"}),
    "AMD": (of_add("define([], () => ({ add: 1 }));\n"), {"b.js": TAKES}),
    "an attribute": (APP, {"app/c.py": BY_MODULE}),
    "an attribute that is set": (APP, {"app/c.py": "from app import util\n\nutil.more = 1\nprint(util.more)\n"}),
    "an attribute that is set elsewhere": ({**APP, "x.py": "import app.util\napp.util.more = 1\n"}, {"app/c.py": "from app import util\n\nprint(util.more)\n"}),
    "an attribute that may be missing": (APP, {"app/c.py": "from app import util\n\nprint(hasattr(util, 'x') and util.x)\n"}),
    "a module of the standard library": ({"src/flask/typing.py": ""}, {"src/flask/typing.py": "import typing as t\n\nName = t.TypeVar('Name')\n"}),
    "a module that may be installed": ({"tools/yaml.py": "A = 1\n", "requirements.txt": "pyyaml\n"}, {"tools/b.py": "import yaml\n\nprint(yaml.safe_load('a'))\n"}),
    "what the package binds": ({**APP, "app/__init__.py": "from .x import util\n"}, {"app/c.py": "from app import util\n\nprint(util.more)\n"}),
    "a name bound again in Python": (APP, {"app/c.py": "from app import util\n\n\ndef f(util):\n    return util.more\n"}),
    "Go": ({}, GO_APP),
    "Go, a name that is bound here": (GO_APP, {"b.go": MAIN.replace("main()", "f(util T)").replace("Fetch", "Load")}),
    "Go, calls of what is bound here": (GO_APP, {"util/w.go": "package util\n\nfunc Two(f func() int) int {\n\tg := f\n\tvar h = g\n\treturn len(string(rune(f() + g() + h())))\n}\n"}),
    "Go, a call beside what is generated": ({**GO_APP, "util/g.go": "package util\n\n//go:generate stringer\n"}, {"util/w.go": IN_PACKAGE.replace("All", "Some").replace("Fetch", "Load")}),
    "Go, for a system": (GO_APP, {"util/u_windows.go": GO, "util/w.go": f"//go:build unix\n\n{GO}"}),
    "Go, a test of its own package": (GO_APP, {"util/u_test.go": "package util_test\n"}),
    "Go, what is generated": ({**GO_APP, "util/g.go": "package util\n\n//go:generate stringer\n"}, {"b.go": MAIN.replace("Fetch", "Load").replace("main()", "f()")}),
    "Go, moved within the package": (GO_APP, {"util/u.go": "package util\n", "util/w.go": GO}),
    "Go, a module of its own": ({**GO_APP, "util/go.mod": "module x\n"}, {"b.go": MAIN.replace("Fetch", "Load").replace("main()", "f()")}),
    "Rust": ({}, CRATE),
    "Rust, passed on": (CRATE, {"src/util.rs": "mod a;\npub use a::fetch;\n", "src/util/a.rs": RUST}),
    "Rust, passed on by a glob": (CRATE, {"src/util.rs": "mod a;\npub use a::*;\n", "src/util/a.rs": RUST}),
    "Rust, made by a macro": (CRATE, {"src/util.rs": "make!(fetch);\n"}),
    "Rust, private above": ({**CRATE, "src/util.rs": RUST.removeprefix("pub ")}, {"src/main.rs": RUST_MAIN.replace("util::fetch", "util::a::go"), "src/util.rs": f"pub mod a;\n{RUST.removeprefix('pub ')}", "src/util/a.rs": "pub fn go(u: &str) {\n    crate::util::fetch(u);\n}\n"}),
    "Rust, another crate": (CRATE, {"src/a.rs": "use util::load;\n"}),
    "Java": ({}, JAVA_APP),
    "Java, inherited": ({**JAVA_APP, "app/Util.java": JAVA.replace("Util {", "Util extends Base {")}, {"app/Main.java": JAVA_MAIN.replace("fetch", "load")}),
    "Java, made by an annotation": ({**JAVA_APP, "app/Util.java": JAVA.replace("public class", "@Data\npublic class")}, {"app/Main.java": JAVA_MAIN.replace("fetch", "load")}),
    "Java, of every enum": ({"app/Util.java": "package app;\n\npublic enum Util {\n    A, B;\n}\n"}, {"app/Main.java": JAVA_MAIN.replace("fetch", "valueOf").replace('"a");', '"A"); f(Util.A);')}),
    "Java, of the platform": (JAVA_APP, {"app/B.java": "package app;\n\nclass B {\n    Object b = Objects.hash(Math.PI);\n}\n"}),
    "all renamed": (APP, {p: text.replace("fetch", "download") for p, text in APP.items() if text}),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_a_name_that_may_be_there_passes(case: str) -> None:
    base, now = RIGHT[case]
    assert not ruling(base, now, RENAME)
