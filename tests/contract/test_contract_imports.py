"""Imports that a change adds and that nothing provides: a note, a failure, or nothing, as the settings say."""

from __future__ import annotations

from typing import Any

import pytest

from executors.model_server import Received, completion
from world import World

UNKNOWN = {
    "python": ("a.py", "import no_such_thing\n"),
    "part of a package": ("a.py", "from no_such_thing.core import x\n"),
    "javascript": ("a.js", "import x from 'no-such-thing'\n"),
    "typescript": ("a.ts", "import { x } from 'no-such-thing/part'\n"),
    "require": ("a.cjs", "const x = require('@no-such/thing')\n"),
}
KNOWN = {
    "standard library": ("a.py", "import tomllib, os.path\n"),
    "guarded": ("a.py", "try:\n    import no_such_thing\nexcept ImportError:\n    x = 1\n"),
    "only for types": ("a.py", "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import no_such_thing\n"),
    "declared": ("a.py", "import declared_thing\n"),
    "by another name": ("a.py", "import sklearn, bs4, dateutil, yaml, PIL, google.cloud\n"),
    "used already": ("a.py", "import used_thing\n"),
    "a folder without __init__": ("a.py", "import spaced.inner\n"),
    "relative": ("pkg/a.py", "from . import other\n"),
    "built in": ("a.js", "import fs from 'fs'\nimport p from 'node:path'\n"),
    "of a package.json": ("a.ts", "import x from 'left-pad'\nimport y from '@x/y/z'\n"),
    "of an alias": ("a.ts", "import x from '@/lib'\nimport y from 'aliased/lib'\n"),
    "in a text": ("a.js", "const x = \"import y from 'no-such-thing'\"\n"),
    "another language": ("a.rb", "require 'no_such_thing'\n"),
}  # fmt: skip
BASE: dict[str, str | bytes] = {
    "requirements.txt": "declared-thing>=1\nscikit-learn\nbeautifulsoup4\npython-dateutil\nPyYAML\nPillow\n"
    "google-cloud-storage\n",
    "old.py": "import used_thing\n",
    "spaced/inner.py": "x = 1\n",
    "pkg/other.py": "x = 1\n",
    "package.json": '{"dependencies": {"left-pad": "1"}, "devDependencies": {"@x/y": "1"}}\n',
    "tsconfig.json": '{"compilerOptions": {"paths": {"aliased/*": ["src/*"]}}}\n',
}


def notes(world: World, path: str, text: str) -> list[str]:
    world.commit(BASE)
    world.task("p/01-a", whole={path: text}, validation=f"test -f {path}")
    found = world.exec("p/01-a").json
    assert found["verdict"] == "merged", found
    said: list[str] = found["attempts"][0].get("unknown_imports", [])
    return said


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_import_that_nothing_provides_is_noted(world: World, kind: str) -> None:
    [note] = notes(world, *UNKNOWN[kind])
    assert "provides" in note
    assert note in world.minitask("show", "p/01-a").text


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", KNOWN)
def test_an_import_that_may_be_provided_is_not_noted(world: World, kind: str) -> None:
    assert notes(world, *KNOWN[kind]) == []


def test_a_setting_makes_it_a_failure_that_names_the_import_or_turns_it_off(world: World) -> None:
    asked: list[str] = []

    def answer(request: Received) -> Any:
        asked.append(request.prompt)
        text = "import json\n" if len(asked) > 1 else "import no_such_thing\n"
        return completion(f"a.py\n```python path=a.py\n{text}```\n")

    with world.serve(answer, imports="fail"):
        world.task("p/01-a", writes=["a.py"], validation="test -f a.py")
        found = world.exec("p/01-a").json
    assert (found["verdict"], len(asked)) == ("merged", 2)
    assert 'a.py:1: nothing that is installed or declared provides "no_such_thing"' in asked[1]
    world.configure(imports=False)
    assert notes(world, "b.py", "import no_such_thing\n") == []
