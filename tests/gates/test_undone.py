"""A value that the task sets is set."""

from __future__ import annotations

import pytest

from memory_files import Files
from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, Spec

PYTHON = "LIMIT = 10\nRETRIES = 3\n\n\ndef wait():\n    return RETRIES * LIMIT\n"
FILES = {
    "a.py": PYTHON,
    "b.ts": "export const LIMIT: number = 10;\nexport const RETRIES = 3;\n",
    "c.yaml": "LIMIT: 10\nRETRIES: 3\n",
    "d.json": '{\n  "LIMIT": 10,\n  "RETRIES": 3\n}\n',
    "g.txt": "one fish\ntwo fish\nred fish\n",
    "f.json": '{\n  "a": "^9.1.2",\n  "on": {\n    "RETRIES": 3\n  }\n}\n',
    "e.go": "package e\n\nconst LIMIT = 10\n\nvar RETRIES = 3\n",
}


def ruling(path: str, content: str, task: str) -> str:
    files = (FileRef(path, FileAction.EDIT), FileRef("other.py", FileAction.EDIT))
    spec = Spec("mini-projects/p/01.md", "1", "Raise limits", files=files, task=task)
    return check_lint([Change(path, content)], read=FILES.get, spec=spec).reason


@pytest.mark.parametrize("path", [path for path in FILES if path not in ("f.json", "g.txt")])
def test_a_value_that_stays_is_a_fault(path: str) -> None:
    task = "1. Set `LIMIT` to 20.\n2. Raise `RETRIES` from 3 to `5`."
    half = FILES[path].replace("3", "5")
    assert "LIMIT is still 10, and the task sets it to 20" in ruling(path, half, task)
    assert "is still" not in ruling(path, half.replace("10", "20"), task)


@pytest.mark.parametrize(
    "task",
    [
        "1. Set `RETRIES` to 5.",
        "1. Set `LIMIT` to 10.0.",
        "1. Set `LIMIT` to 10 and `RETRIES` to 5.",
        "1. In `other.py` set `LIMIT` to 20.",
        "1. Do not set `LIMIT` to 20.",
        "1. If `wait` is slow, set `LIMIT` to 20.",
        "1. Set `LIMIT` to `RETRIES`.",
        "1. Set `other` to 20.",
    ],
)
def test_what_is_not_told_for_certain_may_stay(task: str) -> None:
    assert "is still" not in ruling("a.py", PYTHON.replace("3", "5"), task)


def test_a_name_that_is_assigned_twice_is_not_judged() -> None:
    content = PYTHON.replace("3", "5") + "\n\ndef other(LIMIT=10):\n    return LIMIT\n"
    assert "is still" not in ruling("a.py", content, "1. Set `LIMIT` to 20.")


def test_the_value_may_be_meant_for_another_file_of_the_change() -> None:
    changes = [Change("c.yaml", "LIMIT: 10\nRETRIES: 5\n"), Change("d.yaml", "LIMIT: 20\n")]
    files = tuple(FileRef(change.path, FileAction.EDIT) for change in changes)
    spec = Spec("mini-projects/p/01.md", "1", "T", files=files, task="1. Set `LIMIT` to 20.")
    reason = check_lint(changes, read={**FILES, "d.yaml": "LIMIT: 10\n"}.get, spec=spec).reason
    assert "is still" not in reason


@pytest.mark.parametrize("task", ["1. Bump `a` to 9.1.2.", '1. Set `on` to "*".'])
def test_a_range_and_an_object_are_no_values(task: str) -> None:
    assert "is still" not in ruling("f.json", FILES["f.json"].replace("3", "5"), task)


STORE = '''"""Sizes."""

import os

LIMIT = 10


class Store:
    def load(self, path):
        return open(path).read()

    def save(self, path, text):
        with open(path, "w") as f:
            f.write(text)


def old_size(text):
    return int(text)


def show(n, unit="bytes"):
    print("size", n)
    return f"{n} {unit}"
'''


def left_out(step: str, content: str, **told: object) -> str:
    files = (FileRef("m.py", FileAction.EDIT), FileRef("b.py", FileAction.CREATE, optional=True))
    task = f"1. Add `VERSION`.\n2. {step}"
    spec = Spec("mini-projects/p/01.md", "1", "Sizes", files=files, task=task)
    change = Change("m.py", content.replace("LIMIT = 10\n", "LIMIT = 10\nVERSION = '1'\n"))
    return check_lint([change], read={"m.py": STORE}.get, spec=spec, **told).reason


READ_SIZE = "def read_size(text):\n    return text[:-3]\n\n\ndef show"
DELETE = "    def delete(self, path):\n        os.remove(path)\n\n    def load"
OLD_SIZE = "def old_size(text):\n    return int(text)\n\n\n"
SAVE = '    def save(self, path, text):\n        with open(path, "w") as f:\n            f.write(text)\n'
LOAD = "        return open(path).read()"
TRY = "        try:\n            return open(path).read()\n        except OSError:\n            return ''"
# A step, and what of the file it changes into what.
STEPS = [
    ("Add a function `read_size(text)` that reads '3 KB'.", "def show", READ_SIZE),
    (
        "Add a new `--json` flag to the command.",
        "import os",
        "import os\nimport sys\n\nJSON = '--json' in sys.argv",
    ),
    ("Add a --json flag.", "import os", "import os\nimport sys\n\nJSON = '--json' in sys.argv"),
    ("Implement `Store.delete(path)`.", "    def load", DELETE),
    ("Add to `Store` a method `delete`.", "    def load", DELETE),
    ("`Store` needs a `delete(path)` method.", "    def load", DELETE),
    (
        "**Add** the constants `MIN_SIZE` and `MAX_SIZE`.",
        "LIMIT =",
        "MIN_SIZE, MAX_SIZE = 1, 9\nLIMIT =",
    ),
    (
        "Make `show` accept a keyword argument `places`.",
        "def show(n, ",
        "def show(n, *, places=2, ",
    ),
    ("Add an optional parameter `places` to `show`.", "def show(n, ", "def show(n, places=2, "),
    ("Rename `show` to `render_size`.", "def show", "def render_size"),
    ("Rename old_size to read_size.", "def old_size", "def read_size"),
    ("`old_size` becomes `readSize`.", "def old_size", "def readSize"),
    ("Replace `int(text)` by `read_int(text)`.", "int(text)", "read_int(text)"),
    ("Use `pathlib.PurePath` in `load`.", "open(path)", "open(pathlib.PurePath(path))"),
    (
        "If the text is empty, raise `SizeError`.",
        "    return int",
        "    if not text:\n        raise SizeError\n    return int",
    ),
    ("Remove the function `old_size`.", OLD_SIZE, ""),
    ("Drop `Store.save`.", SAVE, "    def keep(self):\n        pass\n"),
    ("`old_size` must go.", OLD_SIZE, ""),
    (
        "Write a docstring for `show`.",
        '    print("size"',
        '    """Return a size."""\n    print("size"',
    ),
    ("Add type hints to `old_size`.", "old_size(text)", "old_size(text: str) -> int"),
    ("Decorate `old_size` with `@cache`.", "def old_size", "@cache\ndef old_size"),
    ("Make `old_size` return a float.", "int(text)", "float(text)"),
    ("Replace the body of `old_size` by a float.", "int(text)", "float(text)"),
    ("Catch `OSError` in `load`, and return ''.", LOAD, TRY),
    ('Change the message in `show` to "total size".', '"size"', '"total size"'),
    ("Set LIMIT to 20.", "LIMIT = 10\n", "LIMIT = 20\nVERSION = '1'\n"),
    ("Import `Decimal` from `decimal`.", "import os", "import os\nfrom decimal import Decimal"),
    ("Füge eine Funktion `read_size` hinzu.", "def show", READ_SIZE),
]


@pytest.mark.parametrize(("step", "old", "new"), STEPS, ids=[step for step, _, _ in STEPS])
def test_a_step_that_is_left_out_is_a_fault(step: str, old: str, new: str) -> None:
    words = ("the task asks for", "is as it was", "is still")
    assert any(part in left_out(step, STORE) for part in words)
    assert old in STORE
    after = left_out(step, STORE.replace(old, new, 1))
    assert not any(part in after for part in words)


README = "# Sizes\n\nVersion 1.2.0, made with [Go](https://go.dev/doc) 1.21.\n\n## Use\n\nRun it.\n"


@pytest.mark.parametrize(
    ("step", "old", "new"),
    [
        ('Add a section "Installation".', "## Use", "## Installation\n\nBuild it.\n\n## Use"),
        ("Add a new section `## FAQ`.", "## Use", "## FAQ\n\nNone.\n\n## Use"),
        ('Change the heading "Use" to "Usage".', "## Use", "## Usage"),
        ("Bump the version to 1.3.0.", "1.2.0", "1.3.0"),
        ("Update Go from 1.21 to `1.24`.", "1.21", "1.24"),
        ("Link to https://go.dev/ref instead.", "go.dev/doc", "go.dev/ref"),
    ],
)
def test_a_text_that_the_task_asks_for_is_there(step: str, old: str, new: str) -> None:
    files = (FileRef("README.md", FileAction.EDIT),)
    spec = Spec("mini-projects/p/01.md", "1", "Docs", files=files, task=f"1. {step}")

    def ruled(text: str) -> str:
        change = Change("README.md", text + "\nMIT.\n")
        return check_lint([change], read={"README.md": README}.get, spec=spec).reason

    assert "the task asks for" in ruled(README)
    assert not ruled(README.replace(old, new, 1))


@pytest.mark.parametrize(
    "step",
    [
        "Do not add a function `read_size`.",
        "Add a function such as `read_size` where it helps.",
        "If there is no `__all__`, add `__all__`.",
        "Add `read_size` or `parse_size`.",
        "Add a test to `tests/test_m.py` for `read_size`.",
        "Keep `old_size`; a later task removes it.",
        "Remove the call of `old_size`.",
        "Remove `old_size`'s default.",
        "Call it in a way that `load` needs no change.",
        "Return `None` if there is no file.",
        "Use `snake_case` names.",
        "Convert `camelCase` classes to `kebab-case`.",
        "Print the parts of `show` one below the other.",
        "Leave room for the next task to add `read_size`.",
        "Rename `old_size` to `show`, and keep `old_size` as an alias.",
        "Create a branch `sizes`.",
        "Add a line before `old_size` and next to `show`.",
    ],
)
def test_a_step_that_asks_for_nothing_certain_may_stay(step: str) -> None:
    assert not left_out(step, STORE)


def test_an_answer_may_say_where_a_name_is() -> None:
    step = "Add a function `read_size`."
    there = {"explanation": "`read_size` already exists in b.py."}
    assert not left_out(step, STORE, **there)
    assert not left_out(step, STORE, candidate=Files({"b.py": "def read_size(): ..."}), **there)
    spec = {"mini-projects/p/01.md": "1. Add a function `read_size`."}
    assert "the task asks for read_size" in left_out(step, STORE, candidate=Files(spec), **there)
    assert not left_out(step, STORE, explanation="I named `read_size` `old_size`, as elsewhere.")
    assert left_out(step, STORE, explanation="I added `read_size`.")
    assert left_out("Remove `old_size`.", STORE, explanation="`old_size` is already gone.")
    assert not left_out("Document `show`.", STORE, explanation="`show` is documented already.")


def in_two_files(step: str, edited: str, more: str, path: str = "b.py") -> str:
    files = (FileRef("m.py", FileAction.EDIT), FileRef(path, FileAction.CREATE))
    spec = Spec("mini-projects/p/01.md", "1", "Sizes", files=files, task=f"1. {step}")
    changes = [Change("m.py", edited), Change(path, more)]
    return check_lint(changes, read={"m.py": STORE}.get, spec=spec).reason


READS = "def read_size(text):\n    return int(text[:-3])\n"


@pytest.mark.parametrize(
    "step",
    [
        "Move `read_size` to `b.py`.",
        "Add a function `read_size` to `b.py`.",
        "In `b.py`, add `read_size`.",
        "`b.py`: define the function `read_size`.",
        "`b.py` has a function `read_size`.",
    ],
)
def test_a_name_is_in_the_file_that_the_task_names(step: str) -> None:
    elsewhere = STORE + f"\n\n{READS}"
    assert "b.py:1: the task asks for read_size in this file" in in_two_files(
        step, elsewhere, "X = 1\n"
    )
    assert not in_two_files(step, STORE + "\n\nX = 1\n", READS)


def test_a_name_is_gone_from_the_file_that_is_to_lack_it() -> None:
    step = "`m.py` no longer uses `old_size`."
    moved = STORE.replace("def old_size(text):\n    return int(text)\n\n\n", "")
    assert "without old_size" in in_two_files(step, STORE + "\n\nX = 1\n", READS)
    assert not in_two_files(step, moved, "def old_size(text):\n    return int(text)\n")


def test_a_test_is_about_what_the_task_wants_tested() -> None:
    step, longer = "Add unit tests for `show`.", STORE + "\n\nX = 1\n"
    test = "import m\n\n\ndef test_{0}():\n    assert m.{0}(1)\n"
    assert "a test of show" in in_two_files(step, longer, test.format("old_size"), "test_m.py")
    assert not in_two_files(step, longer, test.format("show"), "test_m.py")


FISH = "1. Replace `red fish` by `green fish` in the list."


@pytest.mark.parametrize(
    "line",
    [
        "~~red fish~~ green fish",
        "# red fish\ngreen fish",
        "red fish\ngreen fish",
        "green fish (was red fish)",
    ],
)
def test_a_text_that_the_task_replaces_is_gone(line: str) -> None:
    content = FILES["g.txt"].replace("red fish", line)
    assert "red fish is still there, and the task replaces it" in ruling("g.txt", content, FISH)


@pytest.mark.parametrize(
    ("content", "task"),
    [
        ("one fish\ntwo fish\ngreen fish\n", FISH),
        ("one fish\ntwo fish\nred fish\ngreen fish\n", f"{FISH}\n2. Keep `red fish` above it."),
        ("one fish\ntwo fish\nred fish and green fish\n", "1. Replace `red fish` by `red fish and green fish`."),
        ("one fish\ntwo fish\nred fish\ngreen fish\n", "1. Add `green fish`."),
    ],
)  # fmt: skip
def test_a_text_that_may_stay_is_no_fault(content: str, task: str) -> None:
    assert "still there" not in ruling("g.txt", content, task)


def test_a_name_of_which_every_use_is_replaced_is_used_no_more() -> None:
    step = "Replace all calls of `print` with `log`."
    more = STORE.replace("    print(", "    log(n)\n    print(")
    assert "print is still here" in left_out(step, more)
    assert not left_out(step, STORE.replace("print(", "log("))


def test_a_renamed_definition_is_gone_under_its_old_name() -> None:
    step = "Rename `old_size` to `read_size`."
    both = STORE + "\n\ndef read_size(text):\n    return old_size(text)\n"
    assert "old_size is as it was, and the task renames it" in left_out(step, both)
    assert not left_out(step, STORE.replace("old_size", "read_size"))


DONE = [
    (
        "`load` raises `FileNotFoundError` today. Return '' instead.",
        "return open(path).read()",
        "return open(path).read() if os.path.exists(path) else ''",
    ),
    (
        "`load` crashes with `KeyError`; read an empty text then.",
        "return open(path).read()",
        "return open(path).read() or ''",
    ),
    ("Fix the crash: `old_size` throws `TypeError` for None.", "int(text)", "int(text or 0)"),
    (
        "`m.py` has a function `old_size`. Remove it.",
        "def old_size(text):\n    return int(text)\n\n\n",
        "",
    ),
    ("Return the value of `old_size` from `show`.", 'return f"{n} {unit}"', "return old_size(n)"),
    ("Log the size to `save`'s file.", 'print("size", n)', 'print("the size", n)'),
    ("Print the name of `Store` in `show`.", 'print("size", n)', 'print("Store", n)'),
    ("Use the limit from `Store` in `show`.", 'print("size", n)', 'print("size", n, LIMIT)'),
    (
        "Decorate `old_size` with `functools.cache`.",
        "def old_size",
        "@functools.cache\ndef old_size",
    ),
    ("Make `Store` a dataclass.", "class Store", "@dataclass\nclass Store"),
    (
        "Add a comment to `show` that tells its unit.",
        "def show",
        "# The unit comes last.\ndef show",
    ),
    (
        "Rename the parameter `unit` to `name` in `show`.",
        'def show(n, unit="bytes"):\n    print("size", n)\n    return f"{n} {unit}"\n',
        'def show(n, name="bytes"):\n    print("size", n)\n    return f"{n} {name}"\n',
    ),
    ("Rename the JSON key `show` to `display`.", 'print("size", n)', 'print("display", n)'),
    (
        "Rename `old_size` to `read_size`; a later task removes `show`.",
        "def old_size",
        "def read_size",
    ),
    ("Replace `print` by `logging.info`.", 'print("size", n)', 'logging.info("size %s", n)'),
    (
        "Replace the call of `print` in `show` with one of `logger.info`.",
        'print("size", n)',
        'logger.info("size %s", n)',
    ),
    ('Change the message to "total NAME".', '"size"', 'f"total {unit}"'),
    ('Change the message in `show` to "the size is".', '"size"', '"the size is"'),
    (
        "Do not use `print`; say total in place of size.",
        'print("size", n)',
        'print("total size", n)',
    ),
    (
        "Add an `items` property to `Store`.",
        "    def load",
        "    @property\n    def items(self):\n        return []\n\n    def load",
    ),
    (
        "Give `Store` an `items` property.",
        "    def load",
        "    @property\n    def items(self):\n        return []\n\n    def load",
    ),
    (
        "Add `__str__` to `Store`.",
        "    def load",
        "    def __str__(self):\n        return 's'\n\n    def load",
    ),
    ("Write `Total` before the size.", '"size"', '"Total"'),
    (
        "Let `main` be called with `--dry-run`.",
        "import os",
        "import os\nimport sys\n\nDRY_RUN = 'dry-run' in sys.argv",
    ),
    (
        "Handle a missing file in `load`.",
        "return open(path).read()",
        "return open(path).read() if os.path.exists(path) else ''",
    ),
    (
        "Use `with` in `load`.",
        "return open(path).read()",
        "with open(path) as f:\n            return f.read()",
    ),
    ("Use f-strings in `old_size`.", "int(text)", "int(f'{text}')"),
    ("Add type hints to all functions.", "old_size(text)", "old_size(text: str)"),
    (
        "Call `show` with `Store.load` results.",
        "return int(text)",
        "return int(show(Store.load(text)))",
    ),
    (
        "Return early in `show` if `n` is 0.",
        '    print("size", n)',
        '    if not n:\n        return ""\n    print("size", n)',
    ),
    ("Keep `old_size` as it is, but round in `show`.", "{n} {unit}", "{round(n)} {unit}"),
    ("Only change `show`.", "{n} {unit}", "{round(n)} {unit}"),
    ("Only `show` changes.", "{n} {unit}", "{round(n)} {unit}"),
    ("Change only the body of `show`.", "{n} {unit}", "{round(n)} {unit}"),
    ("In `show`, do not print. Leave everything else as it is.", '    print("size", n)\n', ""),
    ("Round in `show`. Do not change existing tests.", "{n} {unit}", "{round(n)} {unit}"),
    ("Do not add a dependency on `numpy`; round in `show`.", "{n} {unit}", "{round(n)} {unit}"),
    ("Use `Decimal` instead of `int`, without importing `float`.", "int(text)", "Decimal(text)"),
    (
        "Add a `size()` method to `Store` like the one of `old_size()`.",
        "    def load",
        "    def size(self):\n        return 1\n\n    def load",
    ),
    (
        "Add support for `gzip` files in `load`.",
        "return open(path).read()",
        "return gzip.open(path).read()",
    ),
    ("Make `show` handle `None`.", "{n} {unit}", "{n or 0} {unit}"),
    ("Remove the print from `show`.", '    print("size", n)\n', ""),
    ("Sort imports.", "import os", "import os\nimport re"),
    ("Ajoute `unité` à `show`.", '"bytes"', '"unité"'),
    (
        "Link to https://example.org/docs from the docstring.",
        '"""Sizes."""',
        '"""Sizes, see https://example.org/docs."""',
    ),
]
"""Steps whose words could mean more than they do, and changes that do them."""


@pytest.mark.parametrize(("step", "old", "new"), DONE, ids=[step for step, _, _ in DONE])
def test_a_step_that_is_done_is_no_fault(step: str, old: str, new: str) -> None:
    assert old in STORE
    reason = left_out(step, STORE.replace(old, new, 1))
    assert not any(part in reason for part in ("the task", "as it was", "is still"))


SCRIPT = "/** Old. */\nexport function show(n) {\n  return `${n}`;\n}\n"
RUST = "pub struct Store {\n    path: String,\n}\n"
GO = "package m\n\n// Show shows.\nfunc Show(n int) string {\n\treturn fmt.Sprint(n)\n}\n"


@pytest.mark.parametrize(
    ("step", "path", "base", "old", "new"),
    [
        ("Document `show` with JSDoc.", "m.js", SCRIPT, "/** Old. */", "/** Shows a size. */"),
        ("Add `#[derive(Debug)]` to `Store`.", "m.rs", RUST, "pub s", "#[derive(Debug)]\npub s"),
        ("Add a field `size` to `Store`.", "m.rs", RUST, "    path", "    size: u32,\n    path"),
        ("Document `Show`.", "m.go", GO, "// Show shows.", "// Show returns the size."),
    ],
)
def test_a_comment_or_attribute_above_a_definition_is_a_part_of_it(
    step: str, path: str, base: str, old: str, new: str
) -> None:
    files = (FileRef(path, FileAction.EDIT),)
    spec = Spec("mini-projects/p/01.md", "1", "Sizes", files=files, task=f"1. {step}")

    def ruled(text: str) -> str:
        return check_lint([Change(path, text)], read={path: base}.get, spec=spec).reason

    assert "the task" in ruled(f"{base}\n")
    assert "the task" not in ruled(base.replace(old, new))
