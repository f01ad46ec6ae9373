"""Files written anew for a small task: what they may not lose or gain, and right rewrites that all must pass."""

from __future__ import annotations

# ruff: noqa: E501
import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import Criterion, Fence, FileAction, FileRef, Spec

README = """\
# Shop

A small shop for the command line.

## Install

Run `pip install shop` in a fresh environment.

It needs Python 3.11 or newer.

## Usage

Call `shop list` to see what is there.

Call `shop buy ITEM` to buy something.

## TODO

- Write the docs
- Add a licence

## Contributing

Open an issue before you send a patch.

Run the tests with `pytest`.
"""
NOTES = """\
The meeting was on Monday.
Everybody was there but Kim.

We talked about the budget of next year.
It will be lower than this year's.

The next meeting is in June.
Bring your own lunch.
"""
LIST = "apples\nbread\ncheese\ndates\neggs\nflour\n"
JS = """\
export function total(rows) {
  let sum = 0;
  for (const row of rows) sum += row.price;
  return sum;
}

export function names(rows) {
  const found = rows.map((row) => row.name);
  return found.sort();
}
"""
TS = "export interface Row {\n  id: number;\n  name: string;\n}\n\n" + JS.replace(
    "(rows)", "(rows: Row[])"
)
CSS = """\
.header {
  color: red;
  margin: 0;
}

.card {
  padding: 4px;
  width: 90px;
}
"""
SHELL = """\
#!/usr/bin/env bash

build() {
  make clean
  make all
}

release() {
  git tag "$1"
  git push --tags
}
"""
PYTHON = '''\
"""Prices."""


def total(rows):
    """Return the sum of all prices of the rows that are given, whatever they are."""
    result = 0
    for row in rows:
        result += row.price
    return result


def names(rows):
    found = [row.name for row in rows]
    found.sort()
    return found
'''
YAML = "service:\n  image: shop\n  port: 80\nlimits:\n  memory: 512\n"
JSON = '{\n  "name": "shop",\n  "version": "1",\n  "license": "MIT"\n}\n'
GO = "package shop\n\nfunc Total(a int) int {\n\tb := a * 2\n\treturn b\n}\n"


def blocks(one: str) -> str:
    """Two definitions, of which one has a name that the other's begins with."""
    return "\n\n".join(one.format(name) for name in (1, 10)).replace("<", "{").replace(">", "}")


BLOCKS_JS = blocks("export function block{0}(x) <\n  const y = x + 1;\n  return x * 10{0:02};\n>\n")
BLOCKS_PYTHON = blocks("def block{0}(x):\n    y = x + 1\n    return x * 10{0:02}\n")
BLOCKS_CSS = blocks(".block{0} <\n  width: 3px;\n  height: 10{0:02}px;\n>\n")


def ruling(
    path: str, base: str | None, content: str, *, explicit: bool = False, **parts: object
) -> str:
    """Return the reason against a file; empty where it passes."""
    action = FileAction.EDIT if base is not None else FileAction.CREATE
    told = {"title": "Change one value", "task": "1. Set the price of tea to 9.", **parts}
    spec = Spec(path="mini-projects/p/01.md", number="1", files=(FileRef(path, action),), **told)  # type: ignore[arg-type]
    change = Change(path, content, explicit=explicit)
    return check_lint([change], read={path: base}.get, spec=spec).reason


def without(text: str, *parts: str) -> str:
    """Return a text without some of its parts."""
    for part in parts:
        assert part in text
        text = text.replace(part, "", 1)
    return text


CACHED = (
    "import functools\n\n\n@functools.cache\ndef g(x):\n    y = x + 1\n    return y * 2\n\n\n"
    'if __name__ == "__main__":\n    print(g(1))\n'
)
CONF = """\
name = Shop
tea = "3"
# keep this
port = 80
host = here
user = me
"""
INDENTED = "".join(f"  {row}\n" for row in CONF.splitlines())
DOCKER = "FROM a\nRUN make it\nCOPY . /app\nCMD run it\n"
TWO_TABS = "package a\n\nfunc A() int {\n\tx := 1\n\treturn x\n}\n"
NESTED = "one:\n  two: 3\n  four: 5\nsix:\n  seven: 8\n"
HTML = """\
<html>
<head>
<title>Shop</title>
<link href="a.css" rel="stylesheet">
</head>
<body>
<h1>Tea for 8</h1>
<ul>
<li>A &amp; B</li>
<li>C</li>
</ul>
<p>the end</p>
</body>
</html>
"""
SCRIPT = (
    "#!/bin/sh\nset -eu\nlimit=4\n\n"
    + SHELL[20:]
    + "\nclean() {\n  rm -f x\n}\n\ntrap clean EXIT\nbuild\n"
)
SQL = "CREATE TABLE a (\n  id INT,\n  name TEXT,\n  note TEXT\n);\n\nINSERT INTO a VALUES (1);\nSELECT 2;\n"
RUST = "fn total(a: i32) -> i32 {\n    let b = a * 2;\n    let c = b + 1;\n    b * c\n}\n"
WRONG = {
    "html, an element": ("a.html", HTML, without(HTML, "<p>the end</p>\n"), 'drops "<p>'),
    "html, an item": ("a.html", HTML, without(HTML, "<li>C</li>\n"), 'drops "<li>'),
    "html, a link": ("a.html", HTML, without(HTML, '<link href="a.css" rel="stylesheet">\n'), "drops"),
    "html, a comment in its place": ("a.html", HTML, HTML.replace("<p>the end</p>", "<!-- as before -->"), "drops"),
    "html, escaped": ("a.html", HTML, HTML.replace("<p>the end</p>", "&lt;p&gt;the end&lt;/p&gt;"), "other characters"),
    "a script's options": ("a.sh", SCRIPT, without(SCRIPT, "set -eu\n"), 'drops "set -eu"'),
    "a script's trap": ("a.sh", SCRIPT, without(SCRIPT, "trap clean EXIT\n"), 'drops "trap'),
    "a script's function before commands": (
        "a.sh",
        SCRIPT,
        without(SCRIPT, "clean() {\n  rm -f x\n}\n\n"),
        "loses clean",
    ),
    "a call in a program": ("a.js", JS + "\nregister(total);\nrun();\n", JS + "\nrun();\n", 'drops "register'),
    "sql, columns": ("a.sql", SQL, SQL.replace(",\n  name TEXT,\n  note TEXT", ""), "loses lines of a"),
    "sql, a statement": ("a.sql", SQL, without(SQL, "INSERT INTO a VALUES (1);\n"), 'drops "INSERT'),
    "rust, a value alone": (
        "a.rs",
        RUST,
        RUST.replace("let b = a * 2;\n    let c = b + 1;\n    b * c", "0"),
        "empties total",
    ),
    "go, a panic alone": ("a.go", GO, GO.replace("b := a * 2\n\treturn b", 'panic("unchanged")'), "empties Total"),
    "a paragraph": ("README.md", README, without(README, "It needs Python 3.11 or newer.\n\n"), "It needs"),
    "a section's text": ("a.md", README, without(README, "Run the tests with `pytest`.\n"), "Run the tests"),
    "an item": ("a.md", README, without(README, "- Add a licence\n"), "Add a licence"),
    "a paragraph of text": ("a.txt", NOTES, without(NOTES, "It will be lower than this year's.\n"), "lower"),
    "an entry of a list": ("a.txt", LIST, without(LIST, "cheese\n"), "cheese"),
    "an entry without ending": ("CODEOWNERS", LIST, without(LIST, "cheese\n"), "cheese"),
    "the end": ("a.txt", NOTES, without(NOTES, "Bring your own lunch.\n"), "Bring"),
    "cut in a word": ("a.txt", NOTES, without(NOTES, "unch.\n"), "breaks off"),
    "a remark": (
        "a.txt",
        NOTES,
        NOTES.replace(
            "We talked about the budget of next year.\nIt will be lower than this year's.",
            "budget: (kept)",
        ),
        "it loses",
    ),
    "tags around lines": ("a.txt", NOTES, "".join(f"<li>{row}</li>\n" for row in NOTES.splitlines()), "inside of"),
    "quoted lines": ("a.md", NOTES, "".join(f"> {row}\n" for row in NOTES.splitlines()), "inside of"),
    "js": (
        "a.js",
        JS,
        without(JS, "  const found = rows.map((row) => row.name);\n  return found.sort();\n"),
        "empties names",
    ),
    "js, a constant": (
        "a.js",
        JS,
        JS.replace(
            "  const found = rows.map((row) => row.name);\n  return found.sort();\n",
            "  return null;\n",
        ),
        "empties names",
    ),
    "js, a line": ("a.js", JS, without(JS, "  const found = rows.map((row) => row.name);\n"), "loses lines of names"),
    "ts": (
        "a.ts",
        TS,
        without(TS, "  const found = rows.map((row) => row.name);\n  return found.sort();\n"),
        "empties names",
    ),
    "go": ("a.go", GO, without(GO, "\tb := a * 2\n\treturn b\n"), "empties Total"),
    "css": ("a.css", CSS, without(CSS, "  padding: 4px;\n  width: 90px;\n"), "empties .card"),
    "css, a declaration": ("a.css", CSS, without(CSS, "  padding: 4px;\n"), "loses lines of .card"),
    "css, cut": ("a.css", CSS, without(CSS, "  width: 90px;\n}\n"), "braces"),
    "sh": ("a.sh", SHELL, SHELL.replace('  git tag "$1"\n  git push --tags\n', "  :\n"), "empties release"),
    "python, a line": ("a.py", PYTHON, without(PYTHON, "    found.sort()\n"), "loses lines of names"),
    "python, a decorator": ("a.py", CACHED, without(CACHED, "@functools.cache\n"), "@functools.cache"),
    "python, what it runs": ("a.py", CACHED, CACHED[: CACHED.index("if __name__")], "loses __main__"),
    "yaml": ("a.yaml", YAML, YAML.replace("image: shop", "image:"), "empties service.image"),
    "json": ("a.json", JSON, JSON.replace('"MIT"', '""'), "empties license"),
    "answer before css": ("a.css", CSS, "Here is the updated file:\n\n" + CSS, "part of the answer"),
    "answer before md": ("a.md", README, "Sure! I changed the price.\n\n" + README, "part of the answer"),
    "answer behind ts": ("a.ts", TS, TS + "\nI changed the value as you asked.\n", "part of the answer"),
    "answer behind sh": ("a.sh", SHELL, SHELL + "\nThe rest of the script stays as it is.\n", "part of the answer"),
    "answer behind txt": ("a.txt", NOTES, NOTES + "\nLet me know if you need more.\n", "part of the answer"),
    "answer in French": ("a.txt", NOTES, "Voici le fichier mis à jour :\n\n" + NOTES, "part of the answer"),
    "answer in Chinese": ("a.css", CSS, "以下是更新后的文件：\n\n" + CSS, "part of the answer"),
    "answer before a new file": ("a.ts", None, "Here is the new file:\n\n" + TS, "part of the answer"),
    "a sentence more": ("a.txt", NOTES, NOTES + "\nTea is now dearer than it was before.\n", "part of the answer"),
    "turned text": ("a.ts", TS, TS.replace("names", "na\u202emes"), "U+202E"),
    "zero width": ("a.sh", SHELL, SHELL.replace("release", "rel\u200bease"), "U+200B"),
    "lost character": ("a.sh", SHELL, SHELL.replace("release", "rel\ufffdase"), "U+FFFD"),
    "an envelope of tags": ("a.sh", SHELL, f"<file>\n<path>a.sh</path>\n{SHELL}</file>\n", "part of the answer"),
    "an envelope of keys": ("a.txt", NOTES, "path: a.txt\ncontent: |\n" + NOTES, "part of the answer"),
    "marks before lines": ("a.ts", TS, "".join(f"> {row}\n" for row in TS.splitlines()), "begin with a mark"),
    "a paragraph said twice": (
        "a.txt",
        NOTES,
        NOTES.replace(
            "The next meeting is in June.\nBring your own lunch.",
            "We talked about the budget of next year.\nIt will be lower than this year's.",
        ),
        "it loses",
    ),
    **{
        f"{name} token": ("a.conf", CONF, f"{CONF}{token}\n", "part of the answer")
        for name, token in (
            ("chat", "<|im_end|>"),
            ("sentence", "</s>"),
            ("heredoc", "EOF"),
            ("patch", "*** End of File"),
            ("frame", "=== end ==="),
        )
    },
    "the path first": ("a.sh", SHELL, f"# a.sh\n{SHELL}", "part of the answer"),
    "the language first": ("a.conf", CONF, f"ini\n{CONF}", "part of the answer"),
    "a heading first": ("a.conf", CONF, f"### a.conf\n\n{CONF}", "part of the answer"),
    "a code tag": ("a.conf", CONF, f"<code>\n{CONF}</code>\n", "part of the answer"),
    "curly quotes": ("a.sh", SHELL, SHELL.replace('tag "$1"', "tag “$1”"), "other characters"),
    "straight quotes": ("a.txt", "“A”, said she.\n", '"A", said she.\n', "other characters"),
    "curly where it changes": ("a.conf", CONF, CONF.replace('"3"', "”9”"), "other characters"),
    "entities": ("a.sh", SHELL, SHELL.replace('tag "$1"', "tag &quot;$1&quot;"), "characters"),
    "no-break space": ("a.conf", CONF, CONF.replace("# keep", "#\u00a0keep"), "characters"),
    "escapes": ("a.conf", CONF + "# ü\n", CONF + "# \\u00fc\n", "other characters"),
    "spaces to tabs": ("a.js", JS, JS.replace("  ", "\t"), "indented in another way"),
    "tabs to spaces in two lines": ("a.go", TWO_TABS, TWO_TABS.replace("\t", "    ").replace("return x", "return x + 1"), "indented in another way"),
    "dedented": ("a.yaml", NESTED, NESTED.replace("  ", " "), "indented in another way"),
    "all indented": ("a.conf", CONF, INDENTED, "indented in another way"),
    "lower case": ("a.conf", CONF, CONF.replace("Shop", "shop"), "another case"),
    "spaced": ("a.conf", CONF, CONF.replace("\n", "\n\n"), "blank lines"),
    "a shell's line above": ("a.conf", CONF, "$ cat a.conf\n" + CONF, "is part of the answer"),
    "a prompt below": ("a.conf", CONF, CONF + "$\n", "is part of the answer"),
    "its end": ("a.conf", CONF, CONF + "// end of a.conf\n", "is part of the answer"),
    "its end in brackets": ("a.conf", CONF, CONF + "[End of file]\n", "is part of the answer"),
    "a page's button": ("a.conf", CONF, "Copy code\n" + CONF, "is part of the answer"),
    "a section of XML": ("a.conf", CONF, f"<![CDATA[\n{CONF}]]>\n", "is part of the answer"),
    "reversed": ("a.conf", CONF, "".join(reversed(CONF.splitlines(True))), "another order"),
    "before and after": ("a.conf", CONF, CONF + CONF.replace("3", "9"), "lines twice"),
    "the end twice": ("a.conf", CONF, CONF + "host = here\nuser = me\n", "is there twice"),
    "a comment": ("a.conf", CONF, without(CONF, "# keep this\n"), "drops"),
    "the last command": ("a.sh", "set -e\nbuild all\n", "set -e\n", "build all"),
    "the last tag": ("a.html", "<p>\nx1\n</p>\n", "<p>\nx9\n", "ends before"),
    "half of the last line": ("Dockerfile", DOCKER, DOCKER[:-4] + "\n", "breaks off"),
    "dots": ("Dockerfile", DOCKER, "FROM a\n...\nCMD run it\n", "left out"),
    "left out in Chinese": ("a.sh", "set -e\nmake x\nmake y\n", "set -e\n（以下省略）\n", "it drops"),
    "todo in text": ("a.txt", NOTES, NOTES + "TODO your text goes here\n", "left out"),
    "todo in json": ("a.json", JSON, JSON.replace('"name"', '"TODO: implement": 1,\n  "name"'), "left out"),
}  # fmt: skip


TWICE = "def total(a):\n    return a\n\n\n"


@pytest.mark.parametrize("explicit", [False, True])
def test_a_definition_comes_once(explicit: bool) -> None:
    again = TWICE + TWICE.replace("return a", "return a + 9")
    assert "defines total twice" in ruling("a.py", TWICE, again, explicit=explicit)
    assert "defines total twice" in ruling("a.py", None, again, explicit=explicit)
    assert not ruling("a.py", again, again.replace("9", "8"), explicit=explicit)
    property_ = "class A:\n    @property\n    def a(self):\n        return 1\n\n    @a.setter\n    def a(self, b):\n        self.b = b\n"
    assert not ruling("a.py", None, property_, explicit=explicit)
    either = "try:\n    import json\nexcept ImportError:\n    def f():\n        return 1\nelse:\n    def f():\n        return 2\n"
    assert not ruling("a.py", None, either, explicit=explicit)


@pytest.mark.parametrize("case", WRONG)
def test_a_file_written_anew_keeps_what_the_task_does_not_speak_of(case: str) -> None:
    path, base, content, told = WRONG[case]
    assert told in ruling(path, base, content)


@pytest.mark.parametrize(
    ("path", "base", "line", "message"),
    [
        ("a.js", BLOCKS_JS, "  return x * 1001;\n", "loses lines of block1"),
        ("a.py", BLOCKS_PYTHON, "    return x * 1001\n", "loses lines of block1"),
        ("a.css", BLOCKS_CSS, "  height: 1001px;\n", "loses lines of .block1"),
    ],
)
def test_a_name_is_not_the_beginning_of_another(
    path: str, base: str, line: str, message: str
) -> None:
    """The task speaks of `block10` alone, and `block1` loses a line."""
    content = without(base, line).replace("1010", "9010")
    assert message in ruling(path, base, content, task="1. Change block10 from 1010 to 9010.")
    plural = "1. Simplify the block1s, and change block10 from 1010 to 9010."
    assert not ruling(path, base, content, task=plural)


def test_a_base_with_a_mark_at_its_start_may_hold_what_it_held() -> None:
    base = "\ufeffa\u200bb\n"
    assert not ruling("a.conf", base, base + "c\n", explicit=True)


def test_edits_that_name_the_lines_they_replace_may_take_them_away() -> None:
    for case in ("a paragraph", "an entry of a list", "css, a declaration"):
        path, base, content, _ = WRONG[case]
        assert not ruling(path, base, content, explicit=True)


INSTALL = "## Install\n\nRun `pip install shop` in a fresh environment.\n\nIt needs Python 3.11 or newer.\n\n"
TODO = "## TODO\n\n- Write the docs\n- Add a licence\n\n"
SHORT = "# Shop\n\nA shop for the command line: `pip install shop`, then `shop list` and `shop buy ITEM`.\n"
GERMAN = NOTES.replace("The meeting was on Monday.", "Das Treffen war am Montag.").replace(
    "Bring your own lunch.", "Bringt euer Essen mit."
)
RIGHT: dict[str, tuple[str, str | None, str, dict[str, object]]] = {
    "rewrite this section": ("a.md", README, README.replace(INSTALL, "## Install\n\nSee the website.\n\n"), {"task": "1. Rewrite the Install section: it only points to the website."}),
    "shorten the readme": ("README.md", README, SHORT, {"task": "1. Shorten the README to one paragraph."}),
    "remove the todo list": ("a.md", README, without(README, TODO), {"title": "Remove the TODO list"}),
    "remove a finished item": ("a.md", README, without(README, "- Add a licence\n"), {"task": "1. Remove the item on the licence from the TODO list, it is done."}),
    "drop a paragraph": ("a.md", README, without(README, "It needs Python 3.11 or newer.\n\n"), {"task": "1. Drop the sentence on the Python version."}),
    "delete a quoted line": ("a.txt", NOTES, without(NOTES, "Bring your own lunch.\n"), {"task": '1. Delete "Bring your own lunch." from the notes.'}),
    "in German": ("a.md", README, without(README, TODO), {"task": "1. Entferne den Abschnitt `TODO`."}),
    "in French": ("a.md", README, without(README, TODO), {"title": "Nettoyage", "task": "1. Supprime la liste `TODO`."}),
    "merge two sections": ("a.md", README, README.replace("## Usage\n\n", ""), {"task": "1. Merge the Usage section into Install."}),
    "consolidate": ("a.md", README, SHORT, {"title": "Consolidate the documents", "task": "1. Consolidate the README with the guide."}),
    "translate": ("a.txt", NOTES, GERMAN, {"title": "Translate the notes to German"}),
    "translate freely": ("a.txt", NOTES, "Treffen am Montag, ohne Kim.\n\nBudget sinkt.\n", {"task": "1. Translate the text into German."}),
    "summarise": ("a.txt", NOTES, "Budget goes down; next meeting in June.\n", {"task": "1. Summarise the notes in one sentence."}),
    "more concise": ("a.txt", NOTES, "Met on Monday without Kim.\n\nThe budget falls.\n\nNext: June, with lunch.\n", {"task": "1. Make the notes more concise."}),
    "a limit": ("a.md", README, SHORT, {"criteria": (Criterion("README has at most 10 lines"),)}),
    "reword": ("a.txt", NOTES, NOTES.replace("We talked about the budget of next year.", "Next year's budget was our topic."), {"task": "1. Make the second paragraph friendlier."}),
    "fix typos": ("a.txt", NOTES.replace("Everybody", "Evrybody"), NOTES, {"task": "1. Fix the typo in line 2."}),
    "sort": ("a.txt", LIST, "".join(sorted(LIST.splitlines(keepends=True), reverse=True)), {"task": "1. Sort the list from z to a."}),
    "deduplicate": ("a.txt", LIST + "bread\n", LIST, {"task": "1. Remove duplicate entries."}),
    "replace an entry": ("a.txt", LIST, LIST.replace("cheese", "tofu"), {"task": "1. Write tofu in place of the third entry."}),
    "add an entry": ("a.txt", LIST, LIST + "honey\n", {"task": "1. Add honey at the end."}),
    "add a section": ("a.md", README, README + "\n## License\n\nThis project is under the MIT license.\n", {"task": "1. Add a section License (MIT)."}),
    "add an introduction": ("a.txt", NOTES, "These are the notes of the last meeting.\n\n" + NOTES, {"task": "1. Add an introduction above the notes."}),
    "append a sentence": ("a.txt", NOTES, NOTES + "\nThe room has changed since then.\n", {"task": "1. Append a sentence about the room."}),
    "items become a table": ("a.txt", LIST, "".join(f"| {row} |\n" for row in LIST.splitlines()), {"task": "1. Turn the list into a table."}),
    "quote everything": ("a.txt", NOTES, "".join(f"> {row}\n" for row in NOTES.splitlines()), {"task": "1. Quote every line."}),
    "update to match": ("a.md", README, README.replace("Call `shop list` to see what is there.", "Call `shop ls` to see it."), {"task": "1. Update the usage to the new command `shop ls`."}),
    "the snippet says it": ("a.md", README, README.replace(INSTALL, "## Install\n\nUse the package of your system.\n\n"), {"task": "1. The section is to read as shown.", "snippets": (Fence("markdown", "## Install\n\nUse the package of your system.\n"),)}),
    "reflow": ("a.txt", NOTES, NOTES.replace("Monday.\nEverybody", "Monday. Everybody"), {"task": "1. Put each paragraph on one line."}),
    "compress docstrings": ("a.py", PYTHON, PYTHON.replace("Return the sum of all prices of the rows that are given, whatever they are.", "Sum of prices."), {"task": "1. Compress the docstrings."}),
    "smaller functions": ("a.py", PYTHON, PYTHON.replace("    result = 0\n    for row in rows:\n        result += row.price\n    return result\n", "    return sum(_prices(rows))\n\n\ndef _prices(rows):\n    return [row.price for row in rows]\n"), {"task": "1. Refactor `total` into smaller functions."}),
    "one expression": ("a.py", PYTHON, PYTHON.replace("    found = [row.name for row in rows]\n    found.sort()\n    return found\n", "    return sorted(row.name for row in rows)\n"), {"task": "1. Make `names` one expression."}),
    "a named bug": ("a.py", PYTHON, without(PYTHON, "    found.sort()\n"), {"task": "1. `names` must keep the order of the rows."}),
    "a bug without a name": ("a.js", JS, without(JS, "  const found = rows.map((row) => row.name);\n").replace("found.sort()", "rows"), {"task": "1. Fix the failing test."}),
    "debug prints": ("a.py", PYTHON.replace("    result = 0\n", "    print(rows)\n    result = 0\n"), PYTHON, {"task": "1. Remove the debug print."}),
    "a stub": ("a.js", JS, JS.replace("  const found = rows.map((row) => row.name);\n  return found.sort();\n", "  return null;\n"), {"task": "1. Replace `names` by a stub that returns null."}),
    "empty a function": ("a.js", JS, without(JS, "  const found = rows.map((row) => row.name);\n  return found.sort();\n"), {"task": "1. `names` becomes a no-op: empty its body."}),
    "a style named in words": ("a.css", CSS, without(CSS, "  margin: 0;\n"), {"task": "1. The header needs no margin."}),
    "a style removed": ("a.css", CSS, without(CSS, "  padding: 4px;\n"), {"task": "1. Remove the padding of `.card`."}),
    "another layout": ("a.css", CSS, CSS.replace("  padding: 4px;\n  width: 90px;\n", "  display: grid;\n"), {"task": "1. Lay the cards out in a grid."}),
    "split a class": ("a.py", PYTHON, PYTHON.replace("def names", "def all_names"), {"task": "1. Rename `names` to `all_names`."}),
    "clear a key": ("a.yaml", YAML, YAML.replace("image: shop", "image:"), {"task": "1. Leave the image empty."}),
    "a value changed": ("a.json", JSON, JSON.replace('"1"', '"2"'), {"task": "1. Bump the version to 2."}),
    "a comment above": ("a.css", CSS, "/* Styles of the shop. */\n" + CSS, {"task": "1. Say what the file is for."}),
    "a comment of lines": ("a.css", CSS, "/*\n  Styles of the shop.\n  They are small on purpose.\n*/\n" + CSS, {"task": "1. Say what the file is for."}),
    "a command more": ("a.sh", SHELL, SHELL + '\nbuild && release "$1"\n', {"task": "1. Call both at the end."}),
    "echo at the end": ("a.sh", SHELL, SHELL + '\necho "All is built now."\n', {"task": "1. Say so at the end."}),
    "a directive": ("a.ts", TS, '"use client";\n\n' + TS, {"task": "1. Make it a client component."}),
    "Hebrew": ("a.txt", NOTES, NOTES + "\u202bשלום\u202c\n", {"task": "1. Add a greeting in Hebrew."}),
    "an emoji": ("a.md", README, README.replace("A small shop", "A small shop \U0001f468\u200d\U0001f469\u200d\U0001f467"), {"task": "1. Add a family emoji."}),
    "a todo that is wanted": ("a.md", README, README.replace("- Add", "- TODO: test\n- Add"), {"task": "1. Add a TODO on tests to the list."}),
    "quotes are asked for": ("a.sh", SHELL, SHELL.replace('tag "$1"', "tag '$1'"), {"task": "1. Use single quotes."}),
    "curly quotes are asked for": ("a.txt", '"A" said she.\n', "“A” said she.\n", {"task": "1. Write typographic quotes."}),
    "tabs are asked for": ("a.js", JS, JS.replace("  ", "\t"), {"task": "1. Indent with tabs."}),
    "wrapped in a condition": ("a.sh", SHELL, "if true; then\n" + "".join(f"  {row}\n" for row in SHELL.splitlines()) + "fi\n", {"task": "1. Do it only if true."}),
    "unwrapped": ("a.py", "import os\nif os.name:\n    os.one()\n    os.two()\n", "import os\nos.one()\nos.two()\n", {"task": "1. Call both in any case."}),
    "a name in another case": ("a.conf", CONF, CONF.replace("Shop", "shop"), {"task": "1. Set the name to shop."}),
    "the main block goes": ("a.py", CACHED, CACHED[: CACHED.index("if __name__")], {"task": "1. Remove the main block."}),
    "a cache goes": ("a.py", CACHED, without(CACHED, "@functools.cache\n"), {"task": "1. Do not cache `g` any more."}),
    "a row more": ("a.csv", "a,1\nb,2\n", "a,1\nb,2\nb,2\n", {"task": "1. Add the last row once more."}),
    "a similar test more": ("test_a.py", "def test_a():\n    x = 1\n    assert x\n", "def test_a():\n    x = 1\n    assert x\n\n\ndef test_b():\n    x = 1\n    assert x\n", {"task": "1. Add a test b."}),
    "its name on top": ("a.sh", None, "# a.sh\necho hello\n", {"task": "1. Say hello."}),
    "the last command goes": ("a.sh", SHELL + "build all\n", SHELL, {"task": "1. Remove the last command."}),
    "a comment goes": ("a.conf", CONF, without(CONF, "# keep this\n"), {"task": "1. Remove the comment."}),
    "another comment": ("a.conf", CONF, CONF.replace("# keep this", "# the port is fixed"), {"task": "1. Say that the port is fixed."}),
    "html, an item goes": ("a.html", HTML, without(HTML, "<li>C</li>\n"), {"task": "1. Remove the last item."}),
    "html, a list becomes a paragraph": ("a.html", HTML, HTML.replace("<ul>\n<li>A &amp; B</li>\n<li>C</li>\n</ul>", "<p>A &amp; B, C</p>"), {"task": "1. Show the list in one paragraph."}),
    "html, an ampersand": ("a.html", HTML.replace("&amp;", "&"), HTML, {"task": "1. Escape the ampersand."}),
    "a script that must go on": ("a.sh", SCRIPT, SCRIPT.replace("set -eu", "set -u"), {"task": "1. Go on after a failed command."}),
    "an inner attribute of Rust": ("a.rs", "#![feature(test)]\n\nfn main() {}\n", "// A benchmark.\n#![feature(test)]\n\nfn main() {}\n", {"task": "1. Say in a comment that it is a benchmark."}),
    "calls become a loop": ("a.sh", "#!/bin/sh\nrun a\nrun b\nrun c\n", "#!/bin/sh\nfor x in a b c; do\n  run $x\ndone\n", {"task": "1. Use a loop."}),
    "an import that nothing needs": ("a.py", "import os\nimport sys\n\nprint(os.name, sys.argv)\n", "import sys\n\nprint(sys.argv)\n", {"task": "1. Print the arguments alone."}),
    "a column goes": ("a.sql", SQL, SQL.replace(",\n  note TEXT", ""), {"task": "1. Drop the column `note`."}),
    "a column more": ("a.sql", SQL, SQL.replace("note TEXT\n", "note TEXT,\n  price INT\n"), {"task": "1. Add a price."}),
    "a recipe of its own": ("Makefile", "check:\n\tpytest -q\n", "check: test\n\ntest:\n\tpytest -q\n", {"task": "1. Add a target `test`."}),
    "a short function": ("a.rs", RUST, RUST.replace("let b = a * 2;\n    let c = b + 1;\n    b * c", "a * 2 * (a * 2 + 1)"), {"task": "1. Write `total` as one expression."}),
    "a new document": ("docs/a.md", None, SHORT, {"task": "1. Write a guide."}),
    "a new text": ("a.txt", None, "This is the list of things that we sell.\n\ntea\n", {"task": "1. Write what we sell."}),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_rewrite_passes(case: str) -> None:
    path, base, content, parts = RIGHT[case]
    assert not ruling(path, base, content, **parts)


STYLE = ".card-of-the-shop {\n  color: rebeccapurple;\n}\n"
NOT_A_FILE = {
    "nothing": ("a.txt", "undefined\n", 'it holds "undefined" alone'),
    "a diff": ("a.css", "+.a {\n+  top: 0;\n+}\n", "begins with the `+` of a diff"),
    "a diff of a script": ("a.sh", "+#!/bin/sh\n+make\n", "begins with the `+` of a diff"),
    "a session": ("a.sh", "$ make\n\n$ make test\n", "begins with the `$` of a prompt"),
    "a string": ("a.sh", '"#!/bin/sh\\nmake\\n"\n', "it holds an answer in JSON"),
    "a notebook's cell": ("a.css", f"%%writefile a.css\n{STYLE}", "is part of the answer"),
    "an answer in JSON": ("a.cfg", '{"content": "[a]\\n"}\n', "it holds an answer in JSON"),
    "its lines twice": ("a.css", STYLE + STYLE, "it holds its lines twice"),
    "its path": ("a.css", "File: a.css\n" + STYLE, '"File: a.css" is part of the answer'),
    "a command that writes it": ("a.css", f"cat > a.css <<'E'\n{STYLE}", "is part of the answer"),
    "a refusal": ("a.txt", "I cannot create this file.\n", "is an answer, not a file"),
    "an apology": ("a.md", "Sorry, but I can't help with that.\n", "is an answer, not a file"),
    "a question": ("a.txt", "What should the file contain?\n", "is an answer, not a file"),
    "a place to fill in": ("a.txt", "[your content here]\n", "is an answer, not a file"),
    "a tool's result": ("a.txt", "File created successfully at: a.txt\n", "is an answer, not a file"),
    "a thought": ("a.css", f"<think>\n{STYLE}", '"<think>" is part of the answer'),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_A_FILE)
def test_a_new_file_holds_its_own_text_once(case: str) -> None:
    path, content, words = NOT_A_FILE[case]
    assert words in ruling(path, None, content)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.md", "+ a\n+ b\n+ c\n"),
        ("a.sh", "cat <<EOF\na\nEOF\n"),
        ("a.json", '{"content": "a"}\n'),
        ("a.json", '"a\\nb"\n'),
        ("a.txt", '"a" he said\n'),
        ("a.md", "$ make\n$ make test\n"),
        ("a.txt", "a.txt\n"),
        ("a.txt", "I can do it.\n"),
        ("a.txt", "[a] b\n"),
        ("a.txt", "Sorry.\nThis page is gone.\n"),
    ],
)
def test_a_new_file_may_hold_what_looks_like_an_answer(path: str, content: str) -> None:
    assert not ruling(path, None, content)
