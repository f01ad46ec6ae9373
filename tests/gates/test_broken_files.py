# ruff: noqa: E501 - the cases are whole files
"""Code that the grammar takes, or that has none, and that a compiler, a loader or a shell rejects."""

from __future__ import annotations

import pytest

from minitask.gates.broken.by_language import find_rejected
from minitask.gates.result import FileChange

GO = 'package a\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc F(xs []int) {\n\tfor i := range xs {\n\t\tfmt.Println(i, os.Args)\n\t}\n}\n'
CI = ".github/workflows/a.yml"
WORKFLOW = "on: push\njobs:\n  a:\n    runs-on: b\n    steps:\n      - run: c\n"
MORE = """\
      - parallel:
          - run: b
      - run: |
          ${{ c ||
          d }}
  e:
    needs: ['a']
    uses: f
"""
DOCKERFILE = r"""# syntax=docker/dockerfile:1
FROM a as b
RUN c \
    # d

    && e
CMD f
FROM g
COPY --from=b /h /i
COPY --from=nginx /h /i
RUN <<EOF
j
EOF
CMD k
"""
COMPOSE = "services:\n  a:\n    depends_on: [c]\n    volumes:\n      - bb:/b\n  c:\n    image: d\nvolumes:\n  bb:\n"
NOTEBOOK = """{"cells": [{"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": ["a\\n", "b"]}],
 "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
"""
PYTHON = NOTEBOOK.replace(
    '"metadata": {}, "nbformat"', '"metadata": {"kernelspec": {"language": "python"}}, "nbformat"'
)
WRONG = {
    "docker, a shell script": ("Dockerfile", "#!/bin/sh\nset -e\nexec a\n", "is no instruction of a Dockerfile"),
    "css, a page": ("a.css", "\n<!doctype html>\n<p>{a}</p>\n", "a.css:2: it is no style sheet"),
    "css, a comment in a script": ("a.css", "\ndocument /* a\n*/ .title;\n", "a.css:2: it is no style sheet"),
    "css, a script": ("a.css", "/* a */\ndocument.title = 'y';\n", "a.css:2: it is no style sheet"),
    "html, a script": ("a.html", "document.title = 'y';\n", "a.html:1: it is no page of HTML"),
    "shell, unclosed": ("a.sh", "if [ -f x ]; then\n  echo x\n", "not valid shell"),
    "shell, a here-document": ("a.sh", "cat <<EOF\nx\n  EOF\nls\n", "here-document at line 1"),
    "vue, two setups": ("A.vue", "<script setup>\n</script>\n<script setup lang='ts'>\n</script>\n", "A.vue:3: it has two"),
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
    "docker, a lost backslash": ("Dockerfile", "FROM a\nRUN b &&\n    apt-get c\n", 'Dockerfile:3: "apt-get" is no instruction'),
    "docker, above FROM": ("Dockerfile", "RUN b\nFROM a\n", "RUN stands above the first FROM"),
    "docker, two commands": ("Dockerfile", "FROM a\nCMD b\nRUN c\nCMD d\n", "Dockerfile:4: a stage has CMD twice"),
    "docker, a stage": ("Dockerfile", "FROM a AS builder\nFROM b\nCOPY --from=build /c /d\n", "no stage is called build"),
    "docker, a copy": ("Dockerfile", "FROM a\nCOPY --chown=b c\n", '"c" is copied to nowhere'),
    "workflow, a need": (CI, f"{WORKFLOW}  b:\n    needs: [c]\n    uses: d\n", "job b needs c, and there is no such job"),
    "workflow, a runner": (CI, f"{WORKFLOW}  b:\n    steps:\n      - run: c\n", "job b has no `runs-on`"),
    "workflow, an empty step": (CI, f"{WORKFLOW}      - name: b\n", "a.yml:7: a step of job a has neither `run` nor `uses`"),
    "workflow, a double step": (CI, f"{WORKFLOW}        uses: b\n", "both `run` and `uses`"),
    "workflow, an expression": (CI, f"{WORKFLOW}      - run: b ${{{{ c }}\n", "an expression has no `}}`"),
    "workflow, no event": (CI, WORKFLOW.replace("on: push\n", ""), "a workflow has no `on`"),
    "compose, a volume": ("compose.yml", COMPOSE.replace("volumes:\n  bb:\n", ""), "volume bb is not declared"),
    "compose, a service": ("compose.yml", COMPOSE.replace("[c]", "[d]"), "it depends on d, and there is no such service"),
    "compose, at the end": ("compose.yml", f"{COMPOSE}  d:\n    image: e\n", "compose.yml:11: d is a service among the volumes"),
    "notebook, lines": ("a.ipynb", NOTEBOOK.replace("a\\n", "a"), "a line of cell 1 has no `\\n` at its end"),
    "notebook, a cell": ("a.ipynb", NOTEBOOK.replace('"outputs": [], ', ""), "cell 1 has no `outputs`"),
    "notebook, no cells": ("a.ipynb", NOTEBOOK.replace('"cells"', '"cell"'), "a notebook has no `cells`"),
    "notebook, code": ("a.ipynb", PYTHON.replace('"b"', '"b("'), "a.ipynb:1: cell 1 is not valid Python: '(' was never closed"),
    "css, no rule": ("a.css", "a {\n}\n  top: 0;\n", 'a.css:3: "top: 0;" is in no rule'),
    "terraform, a text": ("a.tf", "a = <<-EOF\n  x\n", "no line is `EOF`, which ends the text"),
    "latex": ("a.tex", "A \\textbf{b \\} c.\n", "its braces do not close"),
    "sql, a quote": ("a.sql", "INSERT INTO a (b) VALUES ('b);\n", "a.sql:1: a quote is never closed"),
    "css, a semicolon": ("a.css", "a {\n  top: 0\n  left: 0;\n}\n", 'a.css:2: "top: 0" has no `;`'),
    "scss, the last one": ("a.scss", "a {\n  $b: 1\n  left: 0\n}\n", '"$b: 1" has no `;`'),
    "sql, a row": ("a.sql", "INSERT INTO a (b, c) VALUES\n  (1, 'x,'),\n  (2);\n", "a.sql:3: a row has 1 values for 2 columns"),
    "requirements": ("requirements.txt", "pip install requests\n", "and no requirement"),
}  # fmt: skip
RIGHT = {
    "css, imports": ("a.css", "/* <a> */\n@import 'b.css';\n"),
    "css, a comment": ("a.css", "/* later */\n"),
    "css, a template": ("a.css", "{{ rules }}\n"),
    "html, text": ("a.html", "Hello, you.\n"),
    "html, a template": ("a.html", "{% set a = b %}\n"),
    "shell": ("a.sh", "shopt -s extglob\ncase $1 in\n  !(a|b)) ls ;;\nesac\n"),
    "shell, here-documents": (
        "a.sh",
        "cat <<-EOF <<'B'\n\tx\n\tEOF\nx\nB\nx=$((1<<2))\ny='cat <<EOF'\nz=\"\ncat <<EOF\n\"\ncat <<<a\n",
    ),
    "vue, a setup and a script": ("A.vue", "<script>\n</script>\n<script setup>\n</script>\n"),
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
    "docker, continued": ("Dockerfile", DOCKERFILE),
    "workflow": (CI, WORKFLOW),
    "workflow, more": (CI, f"{WORKFLOW}{MORE}"),
    "settings among workflows": (CI, "comment: a\n"),
    "compose": ("compose.yml", COMPOSE),
    "compose, binds": ("docker-compose.yml", "services:\n  a:\n    volumes: ['./b:/b', '/c:/c', '${D}:/d', '~/e:/e']\n"),
    "notebook": ("a.ipynb", NOTEBOOK),
    "notebook, magic": ("a.ipynb", PYTHON.replace('"b"', '"%b c"')),
    "notebook, an error that is shown": (
        "a.ipynb",
        PYTHON.replace('"b"', '"b("').replace('"outputs": []', '"outputs": [{"output_type": "error"}]'),
    ),
    "latex, brackets that are text": ("a.tex", "\\verb|{| \\{ % {\n\\begin{verbatim}\n{\n\\end{verbatim}\n"),
    "sql, quotes": ("a.sql", "-- don't\nSELECT 'it''s', \"a'b\", $$it's$$;\n"),
    "terraform, texts": ("a.tf", "a = <<EOF\nx\nEOF\nb = 1 << 2\n"),
    "css": ("a.css", "a:hover,\nb:focus {\n  font: x,\n    y;\n  top: 0;\n  left: 0\n}\n"),
    "scss": ("a.scss", "$a: (\n  b: 1,\n  c: 2\n);\na {\n  b: {\n    c: 1;\n  }\n  &:hover { top: 0 }\n}\n"),
    "sql, rows": ("a.sql", "INSERT INTO a (b, c) VALUES (1, f(2, 3)), ('x', 'y,z') RETURNING (b);\nINSERT INTO a VALUES (1);\n"),
    "docker, a part": ("Dockerfile.part", "RUN make\n"),
    "requirements": ("requirements.txt", "pip==24.0\nrequests\n"),
    "an unknown language": ("a.xyz", "{ (\n"),
}  # fmt: skip


def faults(path: str, text: str, base: str | None = None) -> str:
    """What is wrong with a file, a fault a line."""
    return "\n".join(map(str, find_rejected(FileChange(path, text, base))))


@pytest.mark.parametrize("case", WRONG)
def test_code_that_is_rejected_is_a_fault_unless_the_base_has_it(case: str) -> None:
    path, text, words = WRONG[case]
    assert words in faults(path, text)
    assert not faults(path, f"{text}\n", text)


@pytest.mark.parametrize("case", RIGHT)
def test_code_that_may_run_is_none(case: str) -> None:
    assert not faults(*RIGHT[case])
