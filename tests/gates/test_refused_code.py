# ruff: noqa: E501 - the cases are whole files
"""Code that the grammar takes, or that has none, and that a compiler, a loader or a shell refuses."""

from __future__ import annotations

import pytest

from minitask.gates.refused_code import find_refused
from minitask.gates.result import FileChange

GO = 'package a\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc F(xs []int) {\n\tfor i := range xs {\n\t\tfmt.Println(i, os.Args)\n\t}\n}\n'
WRONG = {
    "shell, unclosed": ("a.sh", "if [ -f x ]; then\n  echo x\n", "not valid shell"),
    "shell, by its first line": ("run", "#!/usr/bin/env bash\nfor f in *; do\n", "not valid shell"),
    "go, an import": ("a.go", GO.replace(", os.Args", ""), "a.go:5: os is imported and not used"),
    "go, no import": ("a.go", GO.replace('\t"os"\n', ""), "os is not imported"),
    "go, a variable": ("a.go", GO.replace("\tfor", "\tx, err := 1, f()\n\tg(err)\n\tfor"), "x is declared and not used"),
    "go, a loop's variable": ("a.go", GO.replace("(i, ", "("), "i is declared and not used"),
    "js, await": ("a.js", "function f() {\n  await g();\n}\n", "a.js:2: `await` in a function"),
    "js, await in a callback": ("a.mjs", "async function f(xs) {\n  xs.map((x) => await g(x));\n}\n", "not `async`"),
    "ts, await in a method": ("a.ts", "class A {\n  f() {\n    await g();\n  }\n}\n", "not `async`"),
    "js, return": ("a.js", "import a from 'a';\nif (a) {\n  return;\n}\n", "outside of a function"),
    "js, require": ("a.mjs", "const a = require('a');\n", "`require` in an ES module"),
    "js, import": ("a.cjs", "import a from 'a';\n", "`import` in a CommonJS module"),
    "c, cut off": ("a.c", "int main(void) {\n    return 0;\n", "ends before its `{` is closed"),
    "sql, cut off": ("a.sql", "CREATE TABLE a (\n  id INT,\n", "ends before its `(` is closed"),
    "terraform, cut off": ("a.tf", 'resource "a" "b" {\n  c = 1\n', "ends before"),
    "php": ("a.php", "function a() { return 1; }\n", "without `<?php`"),
    "vue": ("A.vue", "<template>\n  <p>x</p>\n\n<script setup>\n</script>\n", "<template> is never closed"),
    "docker": ("Dockerfile", "WORKDIR /app\nCOPY . .\n", "it has no FROM"),
    "requirements": ("requirements.txt", "pip install requests\n", "and no requirement"),
}  # fmt: skip
RIGHT = {
    "shell": ("a.sh", "shopt -s extglob\ncase $1 in\n  !(a|b)) ls ;;\nesac\n"),
    "shell, another": ("a.sh", "#!/bin/zsh\nfor f (*.txt) print $f\n"),
    "shell, a template": ("a.sh", "if {% if x %} true; then\n"),
    "go": ("a.go", GO),
    "go, names of its own": ("a.go", "package a\n\nimport (\n\t_ `embed`\n\t`C`\n\t`x.org/go-y`\n)\n\nfunc F(os A) { os.Exit() }\n"),
    "go, set twice": ("a.go", "package a\n\nfunc F() error {\n\ta, err := f()\n\tb, err := g(a)\n\treturn h(b, err)\n}\n"),
    "js": ("a.mjs", "await f();\nexport const g = async () => {\n  return await f();\n};\n"),
    "js, a script": ("a.js", "if (x) {\n  return;\n}\nconst a = require('a');\n"),
    "js, made": ("a.mjs", "import { createRequire } from 'module';\nconst require = createRequire(import.meta.url);\nrequire('a');\n"),
    "c, branches": ("a.c", "#ifdef A\nint f(void) {\n#else\nint f(int a) {\n#endif\n    return 0;\n}\n"),
    "sql": ("a.sql", "INSERT INTO a VALUES\n  (1, ':('),  -- (\n  (2, 'b');\n"),
    "php": ("a.php", "<p>x</p>\n"),
    "vue": ("A.vue", "<template>\n  <template #a />\n  <p>x</p>\n</template>\n"),
    "docker": ("Dockerfile", "ARG V=1\nfrom python:$V\n"),
    "docker, a part": ("Dockerfile.part", "RUN make\n"),
    "requirements": ("requirements.txt", "pip==24.0\nrequests\n"),
    "an unknown language": ("a.xyz", "{ (\n"),
}  # fmt: skip


def faults(path: str, text: str, base: str | None = None) -> str:
    """What is wrong with a file, a fault a line."""
    return "\n".join(map(str, find_refused(FileChange(path, text, base))))


@pytest.mark.parametrize("case", WRONG)
def test_code_that_is_refused_is_a_fault_unless_the_base_has_it(case: str) -> None:
    path, text, words = WRONG[case]
    assert words in faults(path, text)
    assert not faults(path, f"{text}\n", text)


@pytest.mark.parametrize("case", RIGHT)
def test_code_that_may_run_is_none(case: str) -> None:
    assert not faults(*RIGHT[case])
