"""A name that a file still uses keeps its import or definition."""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.imports.exports import exported_names
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, Spec

EXPRESS = """\
var debug = require('debug')('view');
var fs = require('fs');

exports.lookup = function lookup(name) {
  debug('lookup "%s"', name);
  return tryStat(name);
};

function tryStat(path) {
  return fs.statSync(path);
}
"""
FD = """\
use std::ffi::OsStr;
use std::sync::{Arc, Mutex};

use crate::walk::scan;

fn main() {
    let out = Arc::new(Mutex::new(0));
    let name: &OsStr = OsStr::new("a");
    scan(name, out);
    usage();
}

fn usage() {
    println!("fd");
}
"""
GIN = """\
package gin

import (
	"fmt"
	"time"
)

func stamp(t time.Time) string {
	return fmt.Sprint(pad(t))
}

func pad(t time.Time) string {
	return t.String()
}
"""
INNER = "package com.b;\n\nimport com.b.Base.Part;\n\nclass B extends Base {\n    Part part;\n}\n"
JAVA = """\
package com.a;

import com.b.Text;
import java.util.List;

class Names {
    List<String> all;

    String first() {
        return Text.trim(all.get(0));
    }
}
"""
TYPESCRIPT = """\
import { join } from "node:path";
import type { Plugin } from "./plugin";

export const root = (plugin: Plugin) => join("a", plugin.name);
"""


FLASK = """\
import os
import typing as t

from .compat import text, Style


class Config:
    def load(self, name: str, style: Style = "a") -> t.Any:
        exec(compile(name, "a", "exec"), self.__dict__)
        return unicode(text(os.environ[name]))
"""
BAT = """use std::fmt;
use std::path::Path;

use crate::error::*;
use crate::style::Style;

impl fmt::Display for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", find(Path::new("a")))
    }
}

fn is_on(style: &Style) -> bool {
    use self::Style::*;
    matches(style, On)
}

mod tests {
    use std::path::Path;
}
"""
NESTED = """\
exports.send = function send(path, done) {
  const limit = 3;
  function fail(err) {
    done(err);
  }
  stream(path, fail);
  stop(limit);
};
"""
GUARDED = """\
def make(app):
    def fail():
        return unicode(app)

    exec("a")
    return fail
"""
VUE = """import type { Directive, Emit } from "./types";

export const show: Directive<Element> = { a: 1 };

export function on(emit: Emit<string>, at: Emit.Place) {
  emit("a");
}
"""


def ruling(path: str, base: str, content: str) -> str:
    spec = a_spec("1. Simplify the file; it gets a new helper.", FileRef(path, FileAction.EDIT))
    return check_lint([Change(path, content)], read={path: base}.get, spec=spec).reason


def a_spec(task: str, *files: FileRef) -> Spec:
    return Spec("mini-projects/p/01.md", "1", "Change it", files=files, task=task)


@pytest.mark.parametrize(
    ("path", "base", "gone", "name", "line"),
    [
        ("a.js", EXPRESS, "var debug = require('debug')('view');\n", "debug", 4),
        ("a.js", EXPRESS, "var fs = require('fs');\n", "fs", 9),
        (
            "a.js",
            EXPRESS,
            "function tryStat(path) {\n  return fs.statSync(path);\n}\n",
            "tryStat",
            6,
        ),
        ("a.rs", FD, "use std::ffi::OsStr;\n", "OsStr", 7),
        ("a.rs", FD, ", Mutex", "Mutex", 7),
        ("a.rs", FD, "use crate::walk::scan;\n", "scan", 8),
        ("a.rs", FD, 'fn usage() {\n    println!("fd");\n}\n', "usage", 10),
        ("a.go", GIN, '\t"fmt"\n', "fmt", 8),
        ("a.go", GIN, "func pad(t time.Time) string {\n\treturn t.String()\n}\n", "pad", 9),
        ("A.java", JAVA, "import com.b.Text;\n", "Text", 9),
        ("A.java", JAVA, "import java.util.List;\n", "List", 6),
        ("A.java", JAVA.replace("List", "Map"), "import java.util.Map;\n", "Map", 6),
        ("a.js", "const max = 2;\nf(max);\n", "const max = 2;\n", "max", 1),
        ("a.rs", "use web::fetch;\nfn f() { fetch(); }\n", "use web::fetch;\n", "fetch", 1),
        ("B.java", INNER.replace(" extends Base", ""), "import com.b.Base.Part;\n", "Part", 5),
        ("a.ts", TYPESCRIPT, 'import { join } from "node:path";\n', "join", 3),
        ("a.ts", TYPESCRIPT, 'import type { Plugin } from "./plugin";\n', "Plugin", 3),
        ("a.ts", VUE, "Directive, ", "Directive", 3),
        ("a.ts", VUE, ", Emit", "Emit", 5),
        ("a.js", NESTED, "  function fail(err) {\n    done(err);\n  }\n", "fail", 3),
        ("a.js", NESTED, "  const limit = 3;\n", "limit", 6),
        ("a.py", GUARDED, "    def fail():\n        return unicode(app)\n\n", "fail", 3),
        ("a.py", FLASK, "import os\n", "os", 9),
        ("a.py", FLASK, "import typing as t\n", "t", 7),
        ("a.py", FLASK, ", Style", "Style", 8),
        ("a.py", FLASK, "text, ", "text", 10),
        ("a.rs", BAT, "use std::fmt;\n", "fmt", 6),
        ("a.rs", BAT, "use crate::style::Style;\n", "Style", 12),
    ],
)
def test_a_name_in_use_cannot_go(path: str, base: str, gone: str, name: str, line: int) -> None:
    assert gone in base
    reason = ruling(path, base, base.replace(gone, "", 1))
    assert (
        f"{path}:{line}: {name} is used here, and the file no longer imports or defines it"
        in reason
    )


@pytest.mark.parametrize(
    ("path", "base", "old", "new"),
    [
        ("a.js", EXPRESS, "var fs = require('fs');", "import fs from 'fs';"),
        ("a.js", EXPRESS, "var fs = require('fs');", "const { fs } = require('./all');"),
        ("a.js", "const fetch = require('f');\nfetch('/');\n", "const fetch = require('f');\n", ""),
        ("a.js", "const a = 1;\nf({ a: 2 }, b.a);\ng(a);\n", "g(a);\n", ""),
        ("a.js", "const a = 1;\nf(a);\n", "const a = 1;\nf(a);\n", "f((a) => a);\n"),
        ("a.js", "const a = 1;\nf(a);\n", "const a = 1;\nf(a);\n", "for (const a of b) f(a);\n"),
        ("a.js", "var a = 1;\nf(a);\n", "var a = 1;\nf(a);\n", "typeof a === 'x';\n"),
        ("a.rs", FD, "use std::ffi::OsStr;\n", "use std::ffi::*;\n"),
        ("a.rs", FD, "use std::ffi::OsStr;\n", "use std::ffi::OsString as OsStr;\n"),
        ("a.rs", FD, "use std::ffi::OsStr;", "type OsStr = std::ffi::OsStr;"),
        (
            "a.rs",
            "use a::b;\nfn f() { b(); }\n",
            "use a::b;\nfn f() { b(); }\n",
            "fn f(b: fn()) { b(); }\n",
        ),
        ("a.go", GIN, '\t"fmt"\n', '\tfmt "log"\n'),
        ("a.rs", "use a::Some;\nfn f() { Some(1); }\n", "use a::Some;\n", ""),
        ("A.java", JAVA, "import com.b.Text;\n", "import com.b.*;\n"),
        ("A.java", JAVA.replace("com.b", "com.a"), "import com.a.Text;\n", ""),
        ("B.java", INNER, "import com.b.Base.Part;\n", ""),
        ("a.ts", TYPESCRIPT, "import type { Plugin }", "import type { Other as Plugin }"),
        ("a.js", NESTED, "  const limit = 3;\n", "  let [limit] = sizes;\n"),
        ("a.py", GUARDED, "    def fail():\n", "    for fail in app:\n"),
        ("a.py", FLASK, "import os\n", "from .compat import *\n"),
        ("a.py", FLASK, "import os\n", "try:\n    import os\nexcept ImportError:\n    os = None\n"),
        (
            "a.py",
            FLASK.replace("text, Style", "text, str, Style"),
            "text, str, Style",
            "text, Style",
        ),
        ("a.py", FLASK, "return unicode(", "import os\n        return unicode("),
        ("a.rs", BAT, "use std::fmt;\n", "use std::fmt::{self, Debug};\n"),
        ("a.rs", "use atty;\nfn f() { atty::is(); }\n", "use atty;\n", ""),
        (
            "a.rs",
            "fn on() {}\nfn f() { on(); }\n",
            "fn on() {}\nfn f() { on(); }\n",
            "trait A {\n    fn on(&self);\n}\n",
        ),
    ],
)
def test_a_name_may_come_from_elsewhere(path: str, base: str, old: str, new: str) -> None:
    assert old in base
    assert "is used here" not in ruling(path, base, base.replace(old, new, 1))


def test_a_definition_may_move_to_another_file_of_the_change() -> None:
    moved = GIN.index("func pad")
    changes = [Change("a.go", GIN[:moved]), Change("b.go", "package gin\n\n" + GIN[moved:])]
    files = (FileRef("a.go", FileAction.EDIT), FileRef("b.go", FileAction.CREATE))
    spec = a_spec("1. Move `pad` to `b.go`.", *files)
    reason = check_lint(changes, read={"a.go": GIN}.get, spec=spec).reason
    assert "is used here" not in reason


def test_a_module_does_not_see_the_names_of_another_file_of_the_change() -> None:
    changes = [Change("a.ts", TYPESCRIPT.partition("\n")[2]), Change("b.ts", TYPESCRIPT)]
    files = (FileRef("a.ts", FileAction.EDIT), FileRef("b.ts", FileAction.CREATE))
    spec = a_spec("1. Copy `a.ts` to `b.ts`.", *files)
    reason = check_lint(changes, read={"a.ts": TYPESCRIPT}.get, spec=spec).reason
    assert "a.ts:3: join is used here" in reason


def test_comments_among_exports_are_no_names() -> None:
    text = "const a = 1, b = 2\nexport {\n  // the first\n  a,\n  b as c, // the second\n}\n"
    assert exported_names("a.ts", text) == {"a", "c"}
