"""Imports that a change adds: which find nothing, and which may well find something."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import jsonschema
import pytest
import rich
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import minitask
from memory_files import Files
from minitask.edits.script_model import Change
from minitask.gates.imports.imports import find_unresolved_imports
from minitask.gates.lint import check_lint
from minitask.gates.result import CommitFiles, EntryKind, FileChange, find_kind
from minitask.git.objects import open_objects
from minitask.git.repository import discover
from minitask.spec.model import FileAction, FileRef, Spec
from world import World

SPEC = Spec(path="mini-projects/p/01.md", number="1", title="Add a flag")
BASE = {
    "pyproject.toml": '[project]\nname = "app"\ndependencies = ["redis>=4", "PyYAML"]\n',
    ".gitignore": "*.pyc\nbuild/\n/app/secrets_file.py\n*.gen.py\n",
    "app/__init__.py": "from .core import Store as Shop\n",
    "app/core.py": "import os\n\nclass Store: ...\nLIMIT: int = 3\n\ndef load(): ...\n",
    "app/stars.py": "from os.path import *\n",
    "app/lazy.py": "def __getattr__(name): ...\n",
    "app/tricks.py": "globals().update(a=1)\n",
    "app/broken.py": "def f(:\n",
    "app/bound.py": (
        "import a.b, c as d\nfrom e import f as g\ntry:\n    import h\nexcept ValueError as i:\n    j = 1\n"
        "for k, (l, *m) in n(): o += 1\nwith p() as q: ...\nif (r := 1): s = t = 2\n"
        "[u, v] = w = 1, 2\nmatch w:\n    case [x, *y]: ...\n    case {'z': aa, **bb}: ...\n"
        "def cc():\n    global dd\n    dd = 1\n    ee = 2\nasync def ff(): ...\n"
    ),
    "app/api/__init__.py": "",
    "app/api/routes.py": "def index(): ...\n",
    "app/api/_fast.pyx": "",
    "app/api/native.cpython-311-x86_64-linux-gnu.so": "",
    "app/api/typed.pyi": "x: int\n",
    "app/plain/notes.py": "TEXT = 1\n",
    "app/path_pkg/__init__.py": "__path__ = []\n",
    "app/filled/__init__.py": "",
    "app/filled/filler.py": "import sys\nsys.modules['app.filled.made'] = sys\n",
    "app/old.py": "from .generated_by_hand import a\nfrom .ghost import b\n",
    "docker/compose.yml": "",
    "alembic/env.py": "",
    "redis/__init__.py": "",
    "logging.py": "",
    "src/lib_a/__init__.py": "",
    "src/lib_a/one.py": "x = 1\n",
    "scripts/helpers.py": "def go(): ...\n",
    "scripts/yaml.py": "def go(): ...\n",
    "web/index.ts": "",
    "web/app.tsx": "import { old } from './gone';\n",
    "web/util.ts": "export default 1;\n",
    "web/button.test.ts": "",
    "web/icon.svg": "",
    "web/theme.scss": "",
    "web/view.vue": "",
    "web/parts/index.js": "",
    "web/parts/list.jsx": "",
    "web/empty/readme.md": "",
    ".config/site.js": "",
    ".config/base.js": "",
}


def lint(*changes: Change, base: Mapping[str, str] = BASE, spec: Spec = SPEC) -> str:
    """The reason of the ruling on a change; empty where it passed."""
    files = dict(base)
    for change in changes:
        files.pop(change.path, None)
        if change.content is not None:
            files[change.path] = change.content
    return check_lint(changes, read=base.get, spec=spec, candidate=Files(files)).reason


RESOLVED = [
    ("app/new.py", "from . import core, api, Shop"),
    ("app/new.py", "from .core import Store, LIMIT, load, os, __doc__"),
    ("app/new.py", "from .core import *"),
    ("app/new.py", "from app.core import Store; import app.api.routes; import app"),
    ("app/api/new.py", "from ..core import Store; from .. import core; from .routes import index"),
    ("app/api/new.py", "from ._fast import a; from .native import b; from .typed import c"),
    ("app/api/new.py", "from . import _fast, native, typed"),
    ("app/new.py", "from .stars import anything"),
    ("app/new.py", "from .lazy import anything"),
    ("app/new.py", "from .tricks import anything"),
    ("app/new.py", "from .broken import anything"),
    ("app/new.py", "from .bound import " + ", ".join("adghijklmoqrsuvwxy")),
    ("app/new.py", "from .bound import t, aa, bb, cc, dd, ff"),
    ("app/new.py", "from .plain import notes; from .plain.notes import TEXT"),
    ("app/new.py", "from .path_pkg.anything import a; import app.path_pkg.b"),
    ("app/new.py", "from .filled.made import a"),
    ("app/new.py", "from .secrets_file import KEY"),
    ("app/new.py", "from .build.tables import a"),
    ("app/new.py", "from ._version import version; from .x_pb2 import Message"),
    ("app/new.py", "from .maybe import x  # type: ignore[import]"),
    ("app/new.py", "from . import new; from .new import itself\nitself = 1"),
    ("app/api/deep.py", "from .... import beyond; from ....x import beyond"),
    ("app/new.py", "import os.nothing, numpy.nothing; from requests.no import x"),
    ("app/new.py", "import docker.client; from docker import Client; from alembic import op"),
    ("app/new.py", "from redis.asyncio import Redis"),
    ("logging_user.py", "from logging import getLogger"),
    ("src/lib_a/two.py", "from lib_a.one import x; from lib_a import one"),
    ("tests/test_a.py", "from lib_a.one import x; from app.core import Store"),
    ("scripts/new.py", "from helpers import go; from yaml import safe_load"),
    ("tests/fixtures/wrong.py", "from .nothing import a"),
    ("{{ name }}/a.py", "from .nothing import a"),
    ("app/new.pyi", "from .nothing import a"),
    ("app/new.py", "def f(:\nfrom .nothing import a"),
]


@pytest.mark.parametrize(("path", "text"), RESOLVED)
def test_an_import_that_finds_or_may_find_something_passes(path: str, text: str) -> None:
    assert "finds nothing" not in lint(Change(path, text + "\n"))


GUARDED = [
    "try:\n    from .no import a\nexcept ImportError:\n    from .nor import a",
    "try:\n    from .no import a\nexcept (KeyError, ModuleNotFoundError): a = 1",
    "try:\n    from .no import a\nexcept Exception: a = 1",
    "try:\n    from .no import a\nexcept: a = 1",
    "try:\n    from .no import a\nexcept errors.Any: a = 1",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .no import a",
    "import typing\nif not typing.TYPE_CHECKING:\n    pass\nelse:\n    from .no import a",
    "if HAS_SPEED:\n    from .no import a",
    "if Path('no.py').exists():\n    from .no import a",
    "with pytest.raises(ImportError):\n    from .no import a",
]


@pytest.mark.parametrize("text", GUARDED)
def test_an_import_that_may_fail_passes(text: str) -> None:
    assert "finds nothing" not in lint(Change("app/new.py", text + "\n"))


UNRESOLVED = [
    (
        "app/new.py",
        "x = 1\nfrom .cor import Store",
        'app/new.py:2: "from .cor import Store" finds nothing: there is no app/cor.py; did you mean ".core"?; import',
    ),
    ("app/new.py", "from .zzz import a", "there is no app/zzz.py; import what is there"),
    ("app/new.py", "from .core import Stone", 'app/core.py has no Stone; did you mean "Store"?'),
    ("app/new.py", "from .bound import ee", "app/bound.py has no ee"),
    ("app/new.py", "from .bound import b", "app/bound.py has no b"),
    ("app/new.py", "from . import croe", 'app has no croe; did you mean "core"?'),
    ("app/new.py", "from .plain import note", 'app/plain has no note; did you mean "notes"?'),
    ("app/new.py", "from .core.inner import a", "app/core.py is a module, which holds no module inner"),
    ("app/new.py", "import app.cores", 'there is no app/cores.py; did you mean "app.core"?'),
    ("app/new.py", "from app.api.route import a", 'did you mean "app.api.routes"?'),
    ("app/new.py", "from app import Shops", 'app has no Shops; did you mean "Shop"?'),
    ("app/api/new.py", "from .core import Store", 'app/api/core.py; did you mean "..core"?'),
    ("app/api/new.py", "from . import core", 'did you mean "from .. import core"?'),
    ("app/api/new.py", "from ...core import Store", 'there is no core.py; did you mean "..core"?'),
    ("app/new.py", "def f():\n    from .nope import a", "app/new.py:2: "),
    ("app/new.py", "try:\n    from .nope import a\nexcept KeyError: ...", "app/new.py:2: "),
    ("app/new.py", "from .core import (\n    Store,\n    Stone,\n)", "app/new.py:3: "),
    ("tests/test_a.py", "from app.nope import a", "there is no app/nope.py"),
    ("tests/test_a.py", "from lib_a.one import y", "src/lib_a/one.py has no y"),
    ("src/lib_a/two.py", "import lib_a.three", "there is no src/lib_a/three.py"),
    ("scripts/new.py", "from helpers import gone", "scripts/helpers.py has no gone"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text", "words"), UNRESOLVED)
def test_an_import_that_finds_nothing_is_a_fault(path: str, text: str, words: str) -> None:
    reason = lint(Change(path, text + "\n"))
    assert words in reason
    assert "\n" not in reason


def test_a_relative_import_of_a_module_that_is_not_there_is_a_fault() -> None:
    assert "there is no app/nope.py" in lint(Change("app/new.py", "from .nope import a\n"))


def test_what_the_change_creates_is_there_and_what_it_deletes_is_not() -> None:
    user = Change("app/new.py", "from .fresh import a\nfrom .core import Store\n")
    fresh = Change("app/fresh.py", "a = 1\n")
    assert not lint(user, fresh)
    assert "app/fresh.py has no a" in lint(user, Change("app/fresh.py", "b = 1\n"))
    assert "there is no app/core.py" in lint(user, fresh, Change("app/core.py", None))


def test_an_import_that_the_file_had_is_never_blamed() -> None:
    old = BASE["app/old.py"]
    assert not lint(Change("app/old.py", old + "x = 1\n"))
    assert not lint(Change("app/old.py", "from app.ghost import b\n"))
    assert not lint(Change("app/old.py", "from .generated_by_hand import (a,\n    c)\n"))
    assert "app/spook.py" in lint(Change("app/old.py", old + "from .spook import b\n"))


def test_a_name_that_the_file_did_not_have_is_judged_alone() -> None:
    base = {**BASE, "app/old.py": "from .core import Ghost\n"}
    reason = lint(Change("app/old.py", "from .core import Ghost, Spook\n"), base=base)
    assert "has no Spook" in reason
    assert "no Ghost" not in reason


def test_an_import_that_came_from_another_file_is_not_blamed() -> None:
    spec = Spec("s.md", "1", "t", files=(FileRef("app/old.py", FileAction.READ),))
    moved = Change("app/api/new.py", "from ..ghost import b\n")
    assert not lint(moved, spec=spec)
    assert "there is no app/ghost.py" in lint(moved)


def test_a_moved_import_of_what_the_change_takes_away_is_a_fault() -> None:
    base = {**BASE, "app/user.py": "from .core import load\n"}
    changes = [
        Change("app/user.py", "x = 1\n"),
        Change("app/api/new.py", "from ..core import load\n"),
        Change("app/core.py", "class Store: ...\n"),
    ]
    assert "app/core.py has no load" in lint(*changes, base=base)


def test_a_file_that_moved_is_judged_from_where_it_is_now() -> None:
    base = {**BASE, "app/user.py": "from .core import load\nfrom .ghost import a\n"}
    gone = Change("app/user.py", None)
    stale = Change("app/api/user.py", base["app/user.py"], mode_from="app/user.py")
    assert "there is no app/api/core.py" in lint(gone, stale, base=base)
    right = base["app/user.py"].replace("from .", "from ..")
    assert not lint(gone, Change("app/api/user.py", right, mode_from="app/user.py"), base=base)


USERS = {
    "pyproject.toml": '[project]\nname = "app"\n',
    "app/__init__.py": "",
    "app/core.py": "LIMIT = 1\n\ndef load(): ...\n\ndef save(): ...\n",
    "app/user.py": "from .core import load\n",
    "app/guarded.py": "try:\n    from .core import load\nexcept ImportError:\n    load = None\n",
    "app/known.py": "from .core import load  # type: ignore\n",
    "docs/samples/a.py": "from app.core import load\n",
    "tests/test_core.py": "from app import core\nfrom app.core import LIMIT, save\n",
    "one.py": "def run(): ...\n",
    "two.py": "import one\n",
    "web/core.ts": "export const LIMIT = 1;\nexport function load() {}\nexport default load;\nexport interface T {}\n",
    "web/user.ts": "import start, { load, type T } from './core';\n",
    "web/again.js": "export { LIMIT } from './core.js';\n",
    "web/all.ts": "import * as core from './core';\n",
    "web/parts/index.js": "export const a = 1;\n",
    "web/app.js": "import { a } from './parts';\n",
    "web/cjs.js": "exports.a = 1;\n",
    "web/uses_cjs.js": "import { a } from './cjs';\n",
}
"""Modules, and files of other tasks that import them."""
CORE, WEB = USERS["app/core.py"], USERS["web/core.ts"]
BREAKING = {
    "a name is gone": ([("app/core.py", CORE.replace("load", "fetch"))], "app/user.py:1: "),
    "a name of a test is gone": (
        [("app/core.py", CORE.replace("save", "store"))],
        'tests/test_core.py:2: "from app.core import save" finds nothing any more: app/core.py has no save',
    ),
    "a module moved": (
        [("app/core.py", None), ("app/heart.py", CORE)],
        "keep the file importable from app/core.py, or have the task change app/user.py, too",
    ),
    "a module that is imported as a name moved": ([("app/core.py", None)], "tests/test_core.py:1: "),
    "a module at the top moved": ([("one.py", None), ("uno.py", "x = 1\n")], "two.py:1: "),
    "an export is gone": ([("web/core.ts", WEB.replace("load", "fetch"))], "web/user.ts:1: "),
    "the default is gone": ([("web/core.ts", WEB.replace("default", "const d ="))], "no default"),
    "a type is gone": ([("web/core.ts", WEB.replace("T {", "U {"))], "web/core.ts has no T"),
    "what is passed on is gone": ([("web/core.ts", WEB.replace("LIMIT", "MAX"))], "web/again.js:1: "),
    "CommonJS lost a name": ([("web/cjs.js", "exports.b = 1;\n")], "web/cjs.js has no a"),
    "a script moved": ([("web/core.ts", None)], "web/again.js:1: "),
    "a folder's index lost a name": ([("web/parts/index.js", "export const b = 1;\n")], "no a"),
    "a file of the change keeps an old import": (
        [
            ("app/core.py", CORE.replace("load", "fetch")),
            ("app/user.py", USERS["app/user.py"] + "x = 1\n"),
        ],
        "app/user.py:1: ",
    ),
}  # fmt: skip


def write_all(files: Sequence[tuple[str, str | None]]) -> list[Change]:
    """The files as a change."""
    return [Change(path, content) for path, content in files]


@pytest.mark.parametrize(("files", "words"), BREAKING.values(), ids=BREAKING)
def test_a_change_that_breaks_an_import_elsewhere_is_a_fault(
    files: list[tuple[str, str | None]], words: str
) -> None:
    assert words in lint(*write_all(files), base=USERS)


HARMLESS = {
    "passed on from where it is now": [
        ("app/heart.py", CORE),
        ("app/core.py", "from .heart import LIMIT, load, save\n"),
    ],
    "all passed on": [("app/heart.py", CORE), ("app/core.py", "from .heart import *\n")],
    "a package in place of a module": [("app/core.py", None), ("app/core/__init__.py", CORE)],
    "those who import it change, too": [
        ("app/core.py", CORE.replace("load", "fetch")),
        ("app/user.py", "from .core import fetch\n"),
    ],
    "those who import it go, too": [("app/core.py", CORE.replace("load", "fetch")), ("app/user.py", None)],
    "names that nobody imports": [("app/core.py", CORE + "x = 1\n"), ("app/user.py", "x = 1\n")],
    "made at run time": [("app/core.py", "globals().update(load=1)\n")],
    "passed on by a script": [("web/heart.ts", WEB), ("web/core.ts", "export * from './heart';\n")],
    "passed on by name": [
        ("web/heart.ts", WEB),
        ("web/core.ts", "export { LIMIT, load, default, T } from './heart';\n"),
    ],
    "another ending": [("web/core.ts", None), ("web/core.js", WEB)],
    "a folder in place of a script": [("web/core.ts", None), ("web/core/index.ts", WEB), ("web/again.js", None)],
    "CommonJS that may export anything": [("web/cjs.js", "module.exports = make();\n")],
    "a text that cannot be parsed": [("web/core.ts", WEB + "export { \n")],
}  # fmt: skip


@pytest.mark.parametrize("files", HARMLESS.values(), ids=HARMLESS)
def test_a_change_that_breaks_no_import_passes(files: list[tuple[str, str | None]]) -> None:
    assert "any more" not in lint(*write_all(files), base=USERS)


def test_what_breaks_may_be_left_to_another_task_that_names_the_file() -> None:
    change = Change("app/core.py", "from .heart import LIMIT, save\n")
    spec = Spec(SPEC.path, "1", "Remove `load`")
    later = {"mini-projects/p/02.md": "Then let `app/user.py` use `fetch`."}
    base = {**USERS, "app/heart.py": CORE}
    assert "any more" in lint(change, base=base, spec=spec)
    assert "any more" not in lint(change, base={**base, **later}, spec=spec)
    elsewhere = {"mini-projects/q/02.md": later["mini-projects/p/02.md"]}
    assert "any more" in lint(change, base={**base, **elsewhere}, spec=spec)
    listed = replace(spec, files=(FileRef("app/user.py", FileAction.EDIT),))
    assert "any more" in lint(change, base={**base, **later}, spec=listed)


def test_a_folder_without_init_is_the_repositorys_own_where_another_file_imports_from_it() -> None:
    base = {"files/a.py": "x = 1\n", "main.py": "from files.a import x\n"}
    change = Change("files/b.py", "from files.registry import y\n")
    assert "there is no files/registry.py" in lint(change, base=base)
    assert not lint(change, base={"files/a.py": "x = 1\n"})
    assert not lint(change, base={**base, "requirements.txt": "files\n"})
    assert not lint(change, base={**base, "main.py": "from files.other import x\n"})
    assert not lint(Change("files/b.py", "from files.a import x\n"), base=base)


SPECIFIC = [
    Spec("s.md", "1", "t", task="Write\n\n    from .later import a\n"),
    Spec("s.md", "1", "t", context="Task 03 creates `app/later.py`."),
    Spec("s.md", "1", "t", next_task="`app.later` gets the rest"),
]


@pytest.mark.parametrize("spec", SPECIFIC)
def test_what_the_spec_names_is_right(spec: Spec) -> None:
    change = Change("app/new.py", "from .later import a\n")
    assert not lint(change, spec=spec)
    assert lint(change)


def test_a_file_that_the_spec_has_this_change_create_must_be_there() -> None:
    spec = Spec("s.md", "1", "t", files=(FileRef("app/later.py", FileAction.CREATE),))
    assert "app/later.py" in lint(Change("app/new.py", "from .later import a\n"), spec=spec)


def test_a_name_is_right_where_the_spec_imports_it_from_there() -> None:
    change = Change("app/new.py", "from .core import later\n")
    assert not lint(change, spec=Spec("s.md", "1", "t", task="from .core import load, later"))
    assert lint(change, spec=Spec("s.md", "1", "t", task="`later` and `app/core.py`"))


def test_a_project_in_a_folder_of_its_own_need_not_see_the_packages_of_the_root() -> None:
    change = Change("service/main.py", "from app.nope import a\n")
    assert lint(change)
    assert not lint(change, base={**BASE, "service/requirements.txt": ""})
    assert not lint(change, base={**BASE, "service/app/x.yml": ""})


def test_what_a_build_file_names_may_be_made() -> None:
    change = Change("app/new.py", "from ._core import a\nfrom .tables import b\n")
    assert "2 more" not in lint(change)
    base = {**BASE, "Makefile": "app/tables.py: make.py\n", "Cargo.toml": 'pyo3 = "1"\n'}
    assert lint(change)
    assert not lint(change, base=base)


LOADED = [
    ("web/new.ts", "import a from './util'; import './util.js'; export * from './parts';"),
    ("web/new.ts", "import './icon.svg'; import './view.vue'; import './theme.css'; import './util.ts'"),
    ("web/new.ts", "import raw from './nope.txt?raw'; import('./langs/' + x); import(`./${x}`);"),
    ("web/new.js", "require('./parts/list'); require('.'); require('../web'); require('lodash/no');"),
    ("web/new.js", "try { require('./nope') } catch {}; import('./nope').catch(f); jest.mock('./nope');"),
    ("web/new.js", "// import './nope'\nconst a = \"import './nope'\"; f('./nope'); fs.read('./nope');"),
    ("web/new.ts", "import type { T } from './$types'; import './__generated__/a'; import '../build/a';"),
    ("web/new.ts", "// @ts-expect-error\nimport './nope';"),
    ("web/new.ts", "import '../../beyond';"),
    (".config/new.js", "import './base'; import '../.config/site.js';"),
    ("web/app.tsx", "import { older } from './gone';"),
    ("web/fixtures/a.js", "import './nope';"),
    ("web/new.go", 'package a\n\nimport "./nope"'),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text"), LOADED)
def test_a_path_that_is_or_may_be_there_passes(path: str, text: str) -> None:
    assert not lint(Change(path, text + "\n"))


LOST = [
    ("web/new.ts", "import { a } from './utils';", 'there is no web/utils; did you mean "./util"?'),
    ("web/new.ts", "let a = 1;\nimport './utils.js';", "web/new.ts:2: \"import './utils.js'\" finds"),
    ("web/new.tsx", "export { a } from './nope';", "there is no web/nope"),
    ("web/new.ts", "export * from '../nope';", "there is no nope"),
    ("web/new.ts", "import a = require('./nope');", "there is no web/nope"),
    ("web/new.js", "const a = require('./nope');", "there is no web/nope"),
    ("web/new.mjs", "const a = await import('./nope.mjs');", "there is no web/nope.mjs"),
    ("web/new.js", "// é\nimport './button';", "web/new.js:2: "),
    ("web/new.js", "import './empty';", "there is no web/empty"),
    ("web/parts/new.jsx", "import { a } from './util';", 'did you mean "../util"?'),
    ("web/new.ts", "import './nope.css';", "there is no web/nope.css"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text", "words"), LOST)
def test_a_path_that_is_not_there_is_a_fault(path: str, text: str, words: str) -> None:
    reason = lint(Change(path, text + "\n"))
    assert words in reason
    assert "\n" not in reason


def test_without_a_candidate_no_import_is_judged() -> None:
    change = Change("app/new.py", "from .nope import a\n")
    assert check_lint([change], read=BASE.get, spec=SPEC).passed


def test_links_and_submodules_may_hold_anything(world: World) -> None:
    (world.root / "app").mkdir()
    (world.root / "app" / "linked").symlink_to("../elsewhere")
    world.commit({"app/__init__.py": "", "app/core.py": "a = 1\n", "ü b.py": "import a\n"})
    world.git("add", "app/linked")
    world.git("commit", "-m", "link")
    text = (
        "from .linked import a\nfrom .linked.b import c\nfrom .core import a\nfrom .nope import d\n"
    )
    change = Change("app/new.py", text)
    repository = discover(world.root, os.environ)
    with open_objects(repository.git) as objects:
        candidate = CommitFiles(objects, repository.git, world.tip())
        found = find_unresolved_imports(
            FileChange(change.path, change.content or ""),
            changes=[change],
            read={}.get,
            spec=SPEC,
            candidate=candidate,
        )
        assert [fault.line for fault in found] == [4]
        assert find_kind(candidate, "app/linked/b") is EntryKind.UNKNOWN
        assert find_kind(candidate, "app/core.py/b") is None
        assert candidate.holding("a", (".py",)) == ["app/core.py", "ü b.py"]
        assert candidate.holding("app", (".py", ".ts")) == []


PIECES = [
    *("from ", "import ", ".", "..", " core", "a", "*", ",", "(", ")", "\n", "\n    ", "if x:", "try:"),
    *("'./a'", "'..'", '"./é', "`./${", "require(", "export ", ";", "\0", "\udcff", "{", "}", "é", "="),
]  # fmt: skip


@given(
    path=st.sampled_from(
        ["a.py", "app/api/b.py", "app/__init__.py", "a.js", "web/b.ts", "web/c.tsx"]
    ),
    pieces=st.lists(st.sampled_from(PIECES), max_size=30),
)
def test_whatever_a_file_imports_gets_a_ruling(path: str, pieces: list[str]) -> None:
    reason = lint(Change(path, "".join(pieces)))
    assert all(line.isprintable() for line in reason.split("\n"))


class Disk:
    """A candidate that holds one installed package."""

    def __init__(self, package: Path) -> None:
        self.root = package.parent
        self.held: dict[str, dict[str, EntryKind]] = {"": {package.name: EntryKind.FOLDER}}

    def names(self, folder: str) -> dict[str, EntryKind]:
        """What a folder holds."""
        if folder not in self.held:
            place = self.root / folder
            found = os.scandir(place) if place.is_dir() else ()
            kinds = {item.name: item.is_dir() for item in found}
            self.held[folder] = {
                name: EntryKind.FOLDER if below else EntryKind.FILE for name, below in kinds.items()
            }
        return self.held[folder]

    def read(self, path: str) -> str | None:
        """A file's text."""
        place = self.root / path
        return place.read_text("utf-8", "surrogateescape") if place.is_file() else None

    def holding(self, word: str, endings: Sequence[str]) -> list[str]:
        """No file: nothing is taken away."""
        return []


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "package",
    [pytest.param(minitask, marks=pytest.mark.variant), rich, httpx, jsonschema],
    ids=lambda module: module.__name__,
)
def test_every_import_of_a_package_that_works_resolves(package: object) -> None:
    folder = Path(str(package.__file__)).parent
    candidate = Disk(folder)
    changes = [
        Change(path.relative_to(folder.parent).as_posix(), path.read_text("utf-8"))
        for path in sorted(folder.rglob("*.py"))
    ]
    faults = [
        str(fault)
        for change in changes
        for fault in find_unresolved_imports(
            FileChange(change.path, change.content or ""),
            changes=[],
            read={}.get,
            spec=SPEC,
            candidate=candidate,
        )
    ]
    assert len(changes) > 15
    assert faults == []
