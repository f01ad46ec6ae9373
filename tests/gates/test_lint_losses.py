"""Definitions, sections, rules and keys that a change takes away: only what the spec asks to lose may go."""

from __future__ import annotations

# ruff: noqa: E501
import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import Criterion, FileAction, FileRef, LineRange, Spec

PYTHON = "".join(f"def step_{n}(x):\n    return x + {n}\n\n\n" for n in range(15))
CLASS = "class Shop:\n" + "".join(f"    def m_{n}(self):\n        return {n}\n\n" for n in range(6))
CSS = "".join(f".box-{n} {{\n  color: red;\n}}\n\n" for n in range(12))
MEDIA = f"{CSS}@media (max-width: 9px) {{\n  .wide {{\n    top: 0;\n  }}\n}}\n"
MARKDOWN = "".join(f"## Part number {n}\n\nText of {n}.\n\n" for n in range(6))
TOML = '[project]\nname = "a"\nversion = "1"\nlicense = "MIT"\n\n[tool.x]\nline_length = 9\n'
YAML = "image: a\nports:\n  - 80\n  - 81\n  - 82\nlimits:\n  cpu_count: 1\n  memory_mb: 2\n"
JSON = '{"name": "a", "scripts": {"lint_all": "l", "test_all": "t"}, "files": ["a", "b", "c"]}\n'
INI = "[first]\nkey_one = 1\nkey_two = 2\n[second]\nkey_three = 3\n"
TEXT = "".join(f"line {n} of the text\n" for n in range(12))
GO = "package a\n\n" + "".join(f"func Step{n}() int {{\n\treturn {n}\n}}\n\n" for n in range(5))
RUST = "".join(f"fn step_{n}() -> i32 {{\n    {n}\n}}\n\n" for n in range(5))
JAVA = "class A {\n" + "".join(f"  int step{n}() {{ return {n}; }}\n" for n in range(5)) + "}\n"
TS = "".join(f"export interface Row{n} {{\n  id: number;\n}}\n" for n in range(5))
JS = "".join(f"export const step{n} = (x) => {{\n  return x + {n};\n}};\n\n" for n in range(5))
EXPORTS = "".join(
    f"exports.step{n} = function (x) {{\n  return x + {n};\n}};\n\n" for n in range(5)
)
SHELL = "".join(f"step_{n}() {{\n  echo {n}\n}}\n\n" for n in range(5))
C = "".join(f"int step_{n}(int x) {{\n  return x + {n};\n}}\n\n" for n in range(5))
RUBY = "".join(f"def step_{n}\n  {n}\nend\n\n" for n in range(5))
KOTLIN = "".join(f"fun step{n}(): Int {{\n  return {n}\n}}\n\n" for n in range(5))
SQL = "".join(f"CREATE TABLE rows_{n} (\n  id int\n);\n\n" for n in range(5))
HTML = "<body>\n" + "".join(f'<div id="box-{n}">{n}</div>\n' for n in range(6)) + "</body>\n"
MAKE = "".join(f"target-{n}:\n\techo {n}\n\n" for n in range(5))
RST = "".join(f"Part number {n}\n=============\n\nText {n}.\n\n" for n in range(5))


def ruling(path: str, base: str, content: str, *others: Change, **parts: object) -> str:
    """The reason against a change of one file; empty where it passes."""
    files = (FileRef(path, FileAction.EDIT),)
    told = {"title": "Adjust the greeting", "files": files, "task": "1. Say hello.", **parts}
    spec = Spec(path="mini-projects/p/01.md", number="1", **told)  # type: ignore[arg-type]
    return check_lint([Change(path, content), *others], read={path: base}.get, spec=spec).reason


def cut(text: str, times: int, mark: str = "\n\n") -> str:
    """The first blocks of a text."""
    return mark.join(text.split(mark)[:times]) + "\n"


LOSSES = {
    "python": ("a.py", PYTHON, cut(PYTHON, 1, "\n\n\n"), "step_1, step_2"),
    "one of fifteen": ("a.py", PYTHON, PYTHON.replace("step_7", "stop"), ""),
    "methods": ("a.py", CLASS, cut(CLASS, 4), "Shop.m_4, Shop.m_5"),
    "constants": (
        "a.py",
        "LIMIT = 1\nDEPTH = 2\n\n\ndef f():\n    return 1\n",
        "LIMIT = 1\n\n\ndef f():\n    return 2\n",
        "DEPTH",
    ),
    "css": ("a.css", CSS, cut(CSS, 2), ""),
    "css, a few": ("a.css", CSS, cut(CSS, 10), ".box-10, .box-11"),
    "css within a query": ("a.css", MEDIA, CSS + ".wide {\n  top: 1;\n}\n", "@media"),
    "scss": ("a.scss", CSS, cut(CSS, 10), ".box-10"),
    "markdown": ("a.md", MARKDOWN, cut(MARKDOWN, 2), ""),
    "markdown, one": ("a.md", MARKDOWN, cut(MARKDOWN, 10), '"Part number 5"'),
    "rst": ("a.rst", RST, cut(RST, 8), '"Part number 4"'),
    "toml": ("a.toml", TOML, TOML.replace('license = "MIT"\n', ""), "project.license"),
    "toml section": ("a.toml", TOML, TOML.partition("\n[tool")[0], "tool"),
    "yaml": ("a.yaml", YAML, YAML.replace("  memory_mb: 2\n", ""), "limits.memory_mb"),
    "yaml list": ("a.yaml", YAML, YAML.replace("  - 81\n  - 82\n", ""), "items of ports"),
    "json": ("a.json", JSON, JSON.replace(', "test_all": "t"', ""), "scripts.test_all"),
    "json list": ("a.json", JSON, JSON.replace(', "b", "c"', ""), "items of files"),
    "jsonc": ("tsconfig.json", '// c\n{\n  "aa": 1,\n  "bb": 2\n}\n', '// c\n{\n  "aa": 2\n}\n', "bb"),
    "ini": ("a.ini", INI, INI.replace("key_two = 2\n", ""), "first.key_two"),
    "env": (".env.example", "FIRST=1\nSECOND=2\nTHIRD=3\n", "FIRST=2\nSECOND=2\n", "THIRD"),
    "text": ("a.txt", TEXT, cut(TEXT, 4, "\n"), "8 of its 12"),
    "text, a few lines": ("a.txt", TEXT, cut(TEXT, 7, "\n"), "line 7 of the text"),
    "csv": ("a.csv", TEXT, cut(TEXT, 4, "\n"), "8 of its 12"),
    "no ending": ("LICENSE", TEXT, cut(TEXT, 4, "\n"), "8 of its 12"),
    "go": ("a.go", GO, cut(GO, 3), "Step2, Step3, Step4"),
    "rust": ("a.rs", RUST, cut(RUST, 3), "step_3, step_4"),
    "java": ("A.java", JAVA, JAVA.replace("  int step4() { return 4; }\n", ""), "A.step4"),
    "typescript": ("a.ts", TS, TS.replace("Row4 {\n  id: number;\n}\n", "Row3a {}\n"), "Row4"),
    "javascript": ("a.js", JS, cut(JS, 3), "step3, step4"),
    "assigned functions": ("a.js", EXPORTS, cut(EXPORTS, 3), "exports.step3, exports.step4"),
    "shell": ("a.sh", SHELL, cut(SHELL, 3), "step_3, step_4"),
    "c": ("a.c", C, cut(C, 3), "step_3, step_4"),
    "ruby": ("a.rb", RUBY, cut(RUBY, 3), "step_3, step_4"),
    "kotlin": ("a.kt", KOTLIN, cut(KOTLIN, 3), "step3, step4"),
    "sql": ("a.sql", SQL, cut(SQL, 3), "rows_3, rows_4"),
    "html": ("a.html", HTML, HTML.replace('<div id="box-5">5</div>\n', ""), "box-5"),
    "make": ("Makefile", MAKE, cut(MAKE, 3), "target-3, target-4"),
    "emptied": ("a.txt", "one\ntwo\n", "", "2 of its 2"),
    "variables": ("a.py", "".join(f"row_{n} = {n}\n" for n in range(9)), "row_0 = 1\nrow_1 = 1\nrow_2 = 2\n", "row_3"),
}  # fmt: skip


@pytest.mark.parametrize("case", LOSSES)
def test_a_change_may_not_lose_what_nobody_asked_to_lose(case: str) -> None:
    path, base, content, told = LOSSES[case]
    if case == "one of fifteen":
        content = PYTHON.replace("def step_7(x):\n    return x + 7\n\n\n", "")
        told = "step_7"
    reason = ruling(path, base, content)
    assert "which the spec does not ask for" in reason
    assert told in reason


REMARKS = [
    *("// 其余代码保持不变", "// ...（其余代码不变）...", "// Rest des Codes unverändert"),
    *("/* остальной код без изменений */", "// le reste ne change pas", "// 나머지는 그대로"),
    *("# reszta bez zmian", "// see above"),
]


@pytest.mark.parametrize("remark", REMARKS)
def test_a_comment_may_not_stand_where_lines_were_lost(remark: str) -> None:
    body = "".join(f"  total += rows[{n}] * rates[{n}];\n" for n in range(6))
    base = f"function sum(rows) {{\n  let total = 0;\n{body}  return total;\n}}\n"
    content = f"function sum(rows) {{\n  let total = 1;\n  {remark}\n  return total;\n}}\n"
    path = "a.php" if remark.startswith("#") else "a.js"
    assert "stands where" in ruling(path, base, content)


@pytest.mark.parametrize(
    ("path", "base", "content"),
    [
        ("a.jsx", "<div>\n  <b>a</b>\n  <i>b</i>\n  <u>c</u>\n</div>\n", "<div>\n  <b>z</b>\n  {/* le reste */}\n</div>\n"),
        ("a.cs", "class A {\n  int a() => 1;\n  int b() => 2;\n  int c() => 3;\n}\n", "class A {\n  int a() => 9;\n  #region rest\n  #endregion\n}\n"),
    ],
)  # fmt: skip
def test_a_comment_at_the_end_of_a_block_may_not_stand_for_two_lines(
    path: str, base: str, content: str
) -> None:
    assert "stands where" in ruling(path, base, content)


REMOVALS = [
    {"title": "Remove `step_3`"},
    {"task": "1. Delete step_3 and its helpers."},
    {"task": "1. `step_3` is obsolete."},
    {"task": "1. Entferne `step_3`."},
    {"task": "1. 删除 `step_3`。"},
    {"task": "1. Rename step_3 to other."},
    {"task": "1. Fold `step_3` into `step_4`."},
    {"task": "1. Rewrite the file."},
    {"task": "1. Replace the file with a table."},
    {"task": "1. Refactor the steps into one table."},
    {"task": "1. Remove dead code."},
    {"task": "1. Simplify a.py."},
    {"task": "1. Convert it to a table."},
    {"task": "1. Split up into smaller functions."},
    {"title": "Clean up"},
    {"task": "1. Inline the steps."},
    {"task": "1. Restructure the calculation."},
    {"task": "1. Add a table, and remove the steps."},
    {"task": "1. Add a table instead of the steps."},
    {"task": "1. Write a table; the old steps are no longer needed."},
    {"task": "1. This task removes all steps."},
    {"title": "Removes the steps"},
    {"task": "1. If a step is not called, delete it."},
    {"criteria": (Criterion("`step_3` is gone"),)},
    {"files": (FileRef("a.py", FileAction.EDIT, note="remove step_3"),)},
    {"files": (FileRef("a.py", FileAction.EDIT, ranges=(LineRange(10, 16),)),)},
    {"context": "We no longer need `step_3`."},
    *(
        {"task": f"1. {request}"}
        for request in (
            *("Räume auf", "Toten Code entfernen, aber nichts anderes ändern.", "Entferne nicht mehr benötigte Funktionen."),
            *("Supprime le code mort et ses tests.", "Elimina el código no utilizado.", "Remova as funções não utilizadas."),
            *("Rimuovi le funzioni non utilizzate.", "Verwijder ongebruikte functies.", "Usuń nieużywane funkcje."),
            *("Удали неиспользуемые функции.", "Видали невикористані функції.", "Ta bort oanvända funktioner."),
            *("Odstraň nepoužívané funkce.", "Kullanılmayan fonksiyonları kaldır.", "사용하지 않는 함수를 삭제한다."),
            *("删除未使用的函数。", "清理死代码", "请删除不再使用的函数。", "使われていない関数を削除する。"),
        )
    ),
]  # fmt: skip
"""Ways to ask for the loss of a function of fifteen."""


@pytest.mark.parametrize("parts", REMOVALS, ids=str)
def test_what_the_spec_asks_to_lose_may_go(parts: dict[str, object]) -> None:
    content = PYTHON.replace("def step_3(x):\n    return x + 3\n\n\n", "")
    assert not ruling("a.py", PYTHON, content, **parts)


ORDINARY = [
    {"title": "Replace `return x` in `step_0`"},
    {"task": "1. Change `step_0` to return 10.\n2. Call `step_3` there."},
    {"context": "The file has `step_0`, `step_1`, `step_2`, `step_3`."},
    {"task": "1. Add a `move` command."},
    {"task": "1. Strip white space from `x`."},
    {"task": "1. Remove `step_9`."},
    {"task": "1. Add a docstring to `step_3`."},
    {"task": "1. Reduce the timeout to 5."},
    {"task": "1. Add a filter that removes all spaces."},
    {"task": "1. Add `squeeze`, which drops every blank."},
    {"task": "1. Create a command to delete all users."},
    {"task": "1. `clean` removes everything below the folder."},
    {"task": "1. Write tests for removing every user."},
    {"task": "1. Implement merge, split and rewrite methods."},
    {"task": "1. Remove an unused import."},
    {"task": "1. Use a dict instead of if and else."},
    {"task": "1. Remove the limit of the timeout."},
    {"task": "1. Preserve the flag when deleting cookies."},
    {"task": "1. Optimize the queries of the migration."},
    {"task": "1. Drop the support of Python 2."},
    {"task": "1. Stop the timer when the queue is empty."},
    {"task": "1. Return early if the functions were merged."},
    {"task": "1. Change `step_0`. Do not remove `step_3`."},
    {"task": "1. Change `step_0` without moving any function."},
    {"task": "1. The functions must not be renamed or changed."},
    {"task": "1. Change the class of the header."},
    {"task": "1. Show at most 10 lines."},
    {"task": "1. Move the cursor to the end of the input."},
    {"task": "1. Convert the values to floats."},
    {"task": "1. Simplify the error message."},
    {"task": "1. Clean up the output."},
    {"task": "1. Merge both dictionaries."},
    {"task": "1. Extract the year of the date."},
    {"task": "1. Refactor the loop, which copies too often."},
    {"task": "1. Remove the timeout from the attributes."},
    {"task": "1. Use inline styles in the table, and skip empty lines."},
    *(
        {"task": f"1. {task}"}
        for task in (
            *("Füge einen Filter hinzu, der alte Funktionen entfernt.", "Ändere x; bestehende Tests nicht entfernen."),
            *("Entferne den ungenutzten Import.", "Entferne die Funktion y.", "Die Funktion soll alle Klassen entfernen.", "Lösche keine Funktion."),
            *("Supprime un import inutilisé.", "La fonction supprime les tests.", "Ne supprime pas les fonctions."),
            *("No elimines las funciones.", "La función elimina el código.", "Не удаляй функции.", "Nie usuwaj funkcji."),
            *("添加一个删除函数的命令。", "不要删除任何函数。", "删除未使用的导入。", "该命令删除函数。"),
            *("既存の関数は削除しないでください。", "`clean` は関数を削除する。", "이 명령은 함수를 삭제한다."),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("parts", ORDINARY, ids=str)
def test_a_spec_that_names_other_things_asks_for_no_loss(parts: dict[str, object]) -> None:
    content = PYTHON.replace("def step_3(x):\n    return x + 3\n\n\n", "")
    assert "it loses step_3" in ruling("a.py", PYTHON, content, **parts)


OTHER_LANGUAGES = {
    "1. Entferne alt aus der Datei.": "a.py",
    "1. Elimina la funci\u00f3n alt.": "a.py",
    "1. \u5220\u9664\u65e7\u51fd\u6570 alt\u3002": "a.py",
    "1. Entferne den Abschnitt alt.": "a.md",
}


@pytest.mark.parametrize(("task", "path"), OTHER_LANGUAGES.items())
def test_a_task_in_another_language_may_name_what_goes(task: str, path: str) -> None:
    gone, kept = "def alt():\n    return 1\n\n\n", "def b():\n    return 2\n"
    if path == "a.md":
        gone, kept = "## Alt\n\nMit pip.\n\n", "## Lizenz\n\nMIT.\n"
    assert not ruling(path, f"{gone}{kept}", kept, task=task)
    assert ruling(path, f"{gone}{kept}", kept, task=task.replace("alt", "neu"))


MOVED = "def step_3(x):\n    return x + 3\n"
HELPED = "def _half(x):\n    return x / 2\n\n\ndef show(x):\n    return _half(x)\n\n\ndef tell(x):\n    return 1\n"
RIGHT = {
    "another value": ("a.py", PYTHON, PYTHON.replace("+ 3", "+ 4")),
    "one more": ("a.py", PYTHON, PYTHON + "def more():\n    return 1\n"),
    "another order": ("a.py", PYTHON, "\n\n\n".join(reversed(PYTHON.split("\n\n\n"))) + "\n"),
    "a function as a lambda": ("a.js", JS, JS.replace("(x) => {\n  return x + 1;\n}", "(x) => x + 1")),
    "a helper with no more use": ("a.py", HELPED, HELPED[HELPED.index("def show") :].replace("_half(x)", "x / 2")),
    "a variable": ("a.py", "msg = 'a'\nprint(msg)\n", "print('A')\n"),
    "a retitled section": ("a.md", MARKDOWN, MARKDOWN.replace("Part number 3", "Third part")),
    "a retitled document": ("a.md", "# Old\n\n## One\n\nText\n", "# New\n\n## One\n\nText\n"),
    "rules of one selector joined": (
        "a.css",
        ".a {\n top: 0;\n}\n.a {\n left: 0;\n}\n",
        ".a {\n top: 0;\n left: 0;\n}\n",
    ),
    "rules of two selectors joined": ("a.css", ".a {\n top: 0;\n}\n.b {\n top: 0;\n}\n", ".a,\n.b {\n top: 0;\n}\n"),
    "a key's value": ("a.toml", TOML, TOML.replace('"1"', '"2"')),
    "a key more": ("a.yaml", YAML, YAML + "more: 1\n"),
    "other values of a list": ("a.json", JSON, JSON.replace('"b"', '"d"')),
    "another form": ("a.yaml", "a: {b: 1, c: 2}\n", "a:\n  b: 1\n  c: 2\n"),
    "a short text": ("VERSION", "1.0\n", "2.0\n"),
    "a shorter body": (
        "a.py",
        "def f(x):\n    if x:\n        return True\n    else:\n        return False\n",
        "def f(x):\n    return bool(x)\n",
    ),
    "a method renamed with its text": (
        "a.py",
        "class A:\n    def old(self):\n        a = 1\n        b = 2\n        return a + b\n",
        "class A:\n    def new(self):\n        a = 1\n        b = 2\n        return a + b\n",
    ),
    "a comment beside new code": (
        "a.js",
        "f();\ng();\nh();\nk();\n",
        "// all of them\n[f, g, h, k].forEach((x) => x());\n",
    ),
    "a comment at a changed line": ("a.py", PYTHON, PYTHON.replace("    return x + 3", "    # more\n    return x + 4")),
    "a selector on one line": (
        "a.css",
        "a {\n top: 0;\n}\n#main {\n color: red;\n top: 0;\n left: 0;\n}\n",
        "a {\n top: 0;\n}\n#main { color: red; top: 0; left: 0; }\n",
    ),
    "a list made shorter": (
        "a.adoc",
        "= Title\n\n* one thing\n* two things\n* three things\n* four things\n\nEnd of it.\nAnd more.\nAnd more yet.\n",
        "= Title\n\n* one to four things\n\nEnd of it.\nAnd more.\nAnd more yet.\n",
    ),
    "a component": ("A.vue", "<template>\n<p>a</p>\n</template>\n", "<template>\n<p>b</p>\n</template>\n"),
    "dockerfile": ("Dockerfile", "FROM a AS build\nRUN b\nFROM c\n", "FROM a:2 AS build\nRUN b\nFROM c\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_a_change_that_loses_nothing_passes(case: str) -> None:
    assert not ruling(*RIGHT[case])


def test_what_moved_to_another_file_of_the_change_is_not_lost() -> None:
    content = PYTHON.replace("def step_3(x):\n    return x + 3\n\n\n", "")
    assert not ruling("a.py", PYTHON, content, Change("b.py", MOVED))
    assert ruling("a.py", PYTHON, content, Change("b.py", "def other():\n    return 1\n"))


def test_the_specs_own_edit_script_takes_away_what_its_author_wrote() -> None:
    spec = Spec(path="p.md", number="1", title="x", files=(FileRef("a.py", FileAction.EDIT),))
    change = [Change("a.py", "x = 1\n")]
    assert check_lint(change, read={"a.py": PYTHON}.get, spec=spec, scripted=True).passed
    assert not check_lint(change, read={"a.py": PYTHON}.get, spec=spec).passed


def test_a_small_yaml_of_many_aliases_is_read_in_no_time() -> None:
    rows = ["a0: &a0 {x: 1, y: 2}"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    base = "\n".join(rows) + "\n"
    assert not ruling("a.yaml", base, base + "b: 1\n")


SHORT_TEST = "from cart import total\n\n\ndef test_total(items):\n    assert total(items) == 3\n"
RENAMES = [
    "1. Rename total to subtotal in the cart and its test.",
    "1. Rename the function `total()` to `subtotal`.",
]


@pytest.mark.parametrize("task", RENAMES)
def test_a_test_that_bears_a_renamed_name_may_be_renamed_along(task: str) -> None:
    content = SHORT_TEST.replace("total", "subtotal")
    assert ruling("test_cart.py", SHORT_TEST, content, task=task) == ""
    base = SHORT_TEST.replace("def test_total(items)", "class TestTotal")
    content = base.replace("total", "subtotal").replace("Total", "Subtotal")
    assert ruling("test_cart.py", base, content, task=task, title=task) == ""


@pytest.mark.parametrize("task", RENAMES)
@pytest.mark.parametrize(
    "content",
    [
        "from cart import subtotal\n\n\ndef test_other(items):\n    assert subtotal(items) == 3\n",
        "from cart import subtotal\n\n\ndef test_subtotal(items):\n    pass\n",
        "from cart import subtotal\n",
    ],
)
def test_a_rename_asks_for_no_other_loss(task: str, content: str) -> None:
    assert "it loses test_total" in ruling("test_cart.py", SHORT_TEST, content, task=task)


def test_a_renamed_test_needs_a_rename_that_the_spec_asks_for() -> None:
    content = SHORT_TEST.replace("total", "subtotal")
    assert "it loses test_total" in ruling("test_cart.py", SHORT_TEST, content)


@pytest.mark.parametrize(
    "task",
    [
        "1. Find the limit and change it to 20.",
        "1. Find `limit = 1` and change it to `limit = 20`.",
        "1. Take the limit and replace it with 20.",
        "1. Return 20 instead of 10.",
    ],
)
def test_a_sentence_about_one_value_allows_no_loss(task: str) -> None:
    assert "it loses" in ruling("a.py", PYTHON, cut(PYTHON, 1, "\n\n\n"), task=task)


@pytest.mark.parametrize(
    "task",
    [
        "1. Change it to a dataclass.",
        "1. Replace it with the table below.",
        "1. Turn it into a table.",
    ],
)
def test_a_sentence_about_all_of_a_file_allows_losses(task: str) -> None:
    assert not ruling("a.py", PYTHON, cut(PYTHON, 1, "\n\n\n"), task=task)
