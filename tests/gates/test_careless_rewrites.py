# ruff: noqa: E501 - each case is one line
"""What no request to remove or to rewrite explains: stubs, doubled code, stripped or orphaned comments, lost indentation.

The kinds come from real commits, replayed with such a fault added to the whole file that a model might send.
"""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, Spec

RUBY = """\
require 'sinatra/base'

module Sinatra
  # Looks for templates.
  class Finder
    def initialize(app)
      @app = app
      @names = []
    end

    # Returns the template of a name.
    def template_for(name)
      possible = @names.select { |known| known == name }
      possible.first
    end
  end
end
"""
GO = """\
package gin

// Engine holds the routes.
type Engine struct {
	routes []string
}

// Add appends a route.
func (e *Engine) Add(route string) {
	e.routes = append(e.routes, route)
}

// Last returns the route that was added last.
func (e *Engine) Last() string {
	if len(e.routes) == 0 {
		return ""
	}
	return e.routes[len(e.routes)-1]
}
"""
EXPRESS = """\
/**
 * Return the type.
 *
 * @api private
 */

exports.type = function (req) {
  var value = req.header('type');
  return value;
};

/**
 * Return the length.
 *
 * @api private
 */

exports.length = function (req) {
  var value = req.header('length');
  return value;
};
"""
PYTHON = """\
import os

# The folder of the caches.
CACHE = os.path.expanduser("~/.cache")


class Store:
    # Opened on first use.
    handle = None

    @property
    def size(self):
        # An empty store has no file.
        return os.path.getsize(CACHE) if self.handle else 0

    def clear(self):
        # Nothing is lost: it is written again.
        self.handle = None
        os.remove(CACHE)
"""
LAST = GO[GO.index("func (e *Engine) Last") :]
ADD = GO[GO.index("func (e *Engine) Add") : GO.index("\n// Last")]


def ruling(path: str, base: str, content: str, task: str) -> str:
    files = (FileRef(path, FileAction.EDIT),)
    spec = Spec("mini-projects/p/01.md", "1", "Change it", files=files, task=f"1. {task}")
    return check_lint([Change(path, content)], read={path: base}.get, spec=spec).reason


def bare(text: str) -> str:
    return "".join(f"{line.lstrip()}\n" for line in text.splitlines())


def uncommented(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith(("#", "//")))


INNER = """\
exports.send = function send(path, done, next) {
  let run;
  function fail(err) {
    done(err);
    next();
  }
  run = function (req) {
    handle(req);
    next();
  };
  return stream(path, fail, run);
};
"""
TESTED = """\
pub struct Shop;

#[must_use]
pub fn price(of: &Shop) -> u32 {
    let base = 3;
    base * 2
}
"""
LICENSED = """\
/*
 * Shop
 * Copyright 2026 The Shop Authors
 */

exports.price = function (shop) {
  return shop.base * 2;
};
"""
PROPERTY = """\
class Page:
    @property
    def width(self):
        size = self.paper.size
        return size.width
"""
HANDLER = """\
def logger(app):
    class Handler(Base):
        def emit(self, record):
            text = format(record)
            self.write(text)

    return Handler(app)
"""
WRONG = {
    "a stub in Ruby": ("a.rb", RUBY, RUBY.replace("      possible = @names.select { |known| known == name }\n      possible.first\n", "      nil\n"), "it empties"),
    "a function inside of another one twice": ("a.js", INNER.replace("fail", "finish_with"), INNER.replace("fail", "finish_with").replace("  run =", "  function finish_with(err) {\n    done(err);\n    next();\n  }\n  run ="), "stand twice in a row"),
    "a property twice": ("a.py", PROPERTY, PROPERTY + PROPERTY[PROPERTY.index("    def"):], "stand twice in a row"),
    "a stub inside of a function": ("a.js", INNER, INNER.replace("    done(err);\n    next();\n", "    return null;\n"), "it empties exports.send.fail"),
    "a stub that is assigned": ("a.js", INNER, INNER.replace("    handle(req);\n    next();\n", "    return null;\n"), "it empties exports.send.run"),
    "a stub of a class in a function": ("a.py", HANDLER, HANDLER.replace("            text = format(record)\n            self.write(text)\n", "            pass\n"), "it empties logger.Handler.emit"),
    "a docstring alone": ("a.py", HANDLER, HANDLER.replace("            text = format(record)\n            self.write(text)\n", "            '''unchanged'''\n"), "it empties logger.Handler.emit"),
    "a docstring and a stub": ("a.py", HANDLER, HANDLER.replace("            text = format(record)\n            self.write(text)\n", '            """As before."""\n            pass\n'), "it empties logger.Handler.emit"),
    "a stub in Go": ("a.go", GO, GO[: GO.index("\tif len")] + '\tpanic("not implemented")\n}\n', "it empties Engine.Last"),
    "a method twice": ("a.go", GO, f"{GO}\n{LAST}", "twice"),
    "a function twice in a row": ("a.js", EXPRESS, EXPRESS + EXPRESS[EXPRESS.rindex("\n\nexports") + 1 :], "lines from"),
    "a decorated method twice": ("a.py", PYTHON, PYTHON.replace("    def clear", "    @property\n    def size(self):\n        # An empty store has no file.\n        return os.path.getsize(CACHE) if self.handle else 0\n\n    def clear"), "stand twice in a row"),
    "a block of eight lines twice": ("a.rb", RUBY, RUBY.replace("    # Returns", RUBY[RUBY.index("  # Looks") : RUBY.index("    # Returns")] + "    # Returns"), "stand twice in a row"),
    "a Go comment alone": ("a.go", GO, GO.replace(ADD, ""), "is the comment of Engine.Add, which is gone"),
    "a doc comment alone": ("a.js", EXPRESS, EXPRESS[: EXPRESS.index("exports.type")] + EXPRESS[EXPRESS.index("/**\n * Return the length") :], "is the comment of exports.type, which is gone"),
    "the last doc comment alone": ("a.js", EXPRESS, EXPRESS[: EXPRESS.index("exports.length")], "is the comment of exports.length, which is gone"),
    "a decorator": ("a.py", PROPERTY, PROPERTY.replace("    @property\n", ""), 'it loses "@property"'),
    "an attribute": ("a.rs", TESTED, TESTED.replace("#[must_use]\n", ""), 'it loses "#[must_use]"'),
    "the licence": ("a.js", LICENSED, LICENSED[LICENSED.index("exports"):], "* Shop"),
    "one new comment for all": ("a.py", PYTHON, uncommented(PYTHON).replace("class", "# Files.\nclass"), "and other comments"),
    "no comments in Python": ("a.py", PYTHON, uncommented(PYTHON), "and other comments"),
    "no indentation in Go": ("a.go", GO + LAST.replace("Last", "First") + LAST.replace("Last", "Third"), bare(GO + LAST.replace("Last", "First") + LAST.replace("Last", "Third")), "indented in another way"),
    "spaces for tabs in Go": ("a.go", GO + LAST.replace("Last", "First") + LAST.replace("Last", "Third"), (GO + LAST.replace("Last", "First") + LAST.replace("Last", "Third")).replace("\t", "    "), "indented in another way"),
    "curly quotes in Ruby": ("a.rb", RUBY, RUBY.replace("'sinatra/base'", "’sinatra/base’"), "other characters"),
    "the fence's language": ("a.rb", RUBY, f"ruby\n{RUBY}", "part of the answer"),
    "a sentence in Rust": ("a.rs", "fn main() {\n    macro_rules! a { () => {} }\n}\n", "fn main() {\n    macro_rules! a { () => {} }\n}\n\nLet me know if you need anything else!\n", "Let me know"),
}  # fmt: skip


@pytest.mark.parametrize(
    "task",
    ["Refactor the file.", "Remove what is obsolete.", "Simplify it.", "Document the header of each note."],
)  # fmt: skip
@pytest.mark.parametrize("case", WRONG)
def test_no_request_explains_a_careless_rewrite(case: str, task: str) -> None:
    path, base, content, words = WRONG[case]
    assert words in ruling(path, base, content, task)


RIGHT = {
    "a body that is one value now": ("a.go", GO, GO.replace(LAST, "func (e *Engine) Last() string {\n\treturn e.routes[0]\n}\n"), "Simplify it."),
    "an inner function that is another one": ("a.js", INNER, INNER.replace("    done(err);\n    next();\n", "    next(err);\n"), "Tell `next` of the error."),
    "a stub with its reason": ("a.rb", RUBY, RUBY.replace("      possible = @names.select { |known| known == name }\n      possible.first\n", "      # Templates are gone.\n      nil\n"), "Remove templates."),
    "a definition goes with its comment": ("a.go", GO, GO.replace(f"// Add appends a route.\n{ADD}\n", ""), "Remove what is obsolete."),
    "a comment of the next one": ("a.js", EXPRESS.replace("Return the type", "Private"), EXPRESS.replace("exports.type = function", "exports.kind = function").replace("Return the type", "Private"), "Rename `exports.type` to `exports.kind`; `type` goes."),
    "a decorator that the task names": ("a.py", PROPERTY, PROPERTY.replace("    @property\n", ""), "Turn the property `width` into a method."),
    "a decorator of another body": ("a.py", PROPERTY, PROPERTY.replace("    @property\n", "").replace("size.width", "size.x"), "Fix it."),
    "another licence": ("a.js", LICENSED, LICENSED.replace("Shop", "Store"), "Rename Shop to Store."),
    "the licence that the task names": ("a.js", LICENSED, LICENSED[LICENSED.index("exports"):], "Remove the licence."),
    "comments in other words": ("a.py", PYTHON, uncommented(PYTHON).replace("class", "# Files.\nclass").replace("        self", "        # Made anew.\n        self"), "Fix it."),
    "comments are to go": ("a.py", PYTHON, uncommented(PYTHON), "Remove all comments."),
    "two comments go": ("a.py", PYTHON, PYTHON.replace("    # Opened on first use.\n", "").replace("        # An empty store has no file.\n", ""), "Simplify it."),
    "tabs are to be spaces": ("a.go", GO, GO.replace("\t", "    "), "Reformat the file with spaces."),
    "rows of a table repeat": ("a.py", "ROWS = [\n    (1, 0),\n    (2, 0),\n]\n", "ROWS = [\n" + "    (1, 0),\n    (2, 0),\n" * 6 + "]\n", "Simplify it."),
    "a method of another type": ("a.go", GO, GO + "\n// Ring is a ring.\ntype Ring struct{ e *Engine }\n\n// Last is that of its engine.\nfunc (r Ring) Last() string {\n\treturn r.e.Last()\n}\n", "Refactor it."),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_what_a_careful_rewrite_does_is_fine(case: str) -> None:
    path, base, content, task = RIGHT[case]
    assert ruling(path, base, content, task) == ""


EDITS = {
    "a stub": (*WRONG["a stub in Ruby"][:3], "it empties template_for"),
    "a sentence of the answer": ("a.rb", RUBY, f"{RUBY}\nLet me know if you need anything else!\n", "part of the answer"),
    "the fence's language": ("a.go", "package a\n", "go\npackage a\n", "part of the answer"),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITS)
def test_edits_of_named_lines_are_careful_too(case: str) -> None:
    path, base, content, words = EDITS[case]
    spec = Spec("mini-projects/p/01.md", "1", "Change it", task="1. Return the first name.")
    change = Change(path, content, explicit=True)
    assert words in check_lint([change], read={path: base}.get, spec=spec).reason


def test_a_path_of_rust_is_no_field_of_an_answer() -> None:
    base = "use std::{env, fs};\n\nfn main() {\n    println!();\n}\n"
    content = base.replace("use std::{env, fs};", "use std::{\n    env,\n    path::Path,\n};")
    assert "part of the answer" not in ruling("build.rs", base, content, "Use the path.")
