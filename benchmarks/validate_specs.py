"""`minitask validate` of many committed specs, against a bare script that parses the same bytes as Markdown.

Both are timed as whole processes, so both pay for their interpreter, their imports and reading the files.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
from pathlib import Path

from timing import (
    Contender,
    compare,
    exit_code,
    git,
    minitask,
    print_table,
    quiet_environment,
    scratch_folder,
    timed,
)

FLOOR = """\
import sys
from pathlib import Path

from markdown_it import MarkdownIt

parse = MarkdownIt("commonmark").parse
for path in sorted(Path(sys.argv[1]).rglob("*.md")):
    parse(path.read_bytes().decode("utf-8"))
"""
SPECS_PER_PROJECT = 50

SPEC = """\
---
id: {id}
depends_on: {before}
tags:
  - storage
  - extract
  - {area}
complexity: medium
tier: cheap
model: claude-haiku-4-5
timeout_seconds: 120
max_cost_usd: 0.05
review: optional
network: false
protected:
  - src/{area}/settings.py
  - tests/conftest.py
  - .github/workflows/ci.yml
  - pyproject.toml
  - docs/{area}.md
---

# Mini-Task {number}: Extract the {area} store, part {number}

**Model**: claude-haiku-4-5
**Estimated Tokens**: 2200 input, 900 output
**Estimated Cost**: $0.004

**Files to Read**:

- `src/{area}/service.py` (lines 1-60)
- `src/{area}/settings.py`

**Files to Create**:

- `src/{area}/store_{number}.py`
- `tests/{area}/test_store_{number}.py`

## Context

The service for *{area}* keeps its rows in a module-level dictionary. That was enough while one process served
everybody; since the workers were added each has its own copy. The plan moves storage behind a small class, one table at
a time, so that every step can be judged by itself. This one takes version {number} of the rows.

- The settings name the folder of the database; nothing else may name it.
- Rows are plain dictionaries with the keys `id`, `name` and `updated_at`.
- Times are UTC, as ISO 8601 text with a trailing `Z`.

## Task

1. Create `src/{area}/store_{number}.py` with a class `Store{number}` that is given the path of an SQLite file.
2. Give it four methods, each of which opens a connection, works in one transaction and closes it:
   - `add(row)` inserts a row and **raises** `ValueError` where the `id` is taken;
   - `get(id)` gives the row, or `None`;
   - `remove(id)` removes it and says whether it was there;
   - `page(after, limit)` gives at most `limit` rows, by `id`, from the first that follows `after`.
3. Create the table on first use. Do not touch the table of any other version.
4. Write `tests/{area}/test_store_{number}.py`: one test for each method and one for two stores on the same file.

Keep the names above exactly; the next task imports them. Do not change the service itself yet, see the plan's
section on [order](../README.md#order) for why it comes last.

Leave these as they are:

| file | why |
| --- | --- |
| `src/{area}/service.py` | it changes last, when every table has its store |
| `src/{area}/settings.py` | the folder of the database is named there, and only there |

> A row that lacks one of its three keys is a mistake of the caller: let the `KeyError` through, do not catch it.

## Code Snippets

The shape of the class, to be filled in:

```python
class Store{number}:
    \"\"\"Rows of version {number}, in one SQLite file.\"\"\"

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, row: dict[str, str]) -> None:
        with self._open() as connection:
            connection.execute(INSERT, row)
```

Its one public function beside the class, as the service will call it in the end:

```python
def store(settings: Settings) -> Store{number}:
    \"\"\"The store of version {number}, below the folder that the settings name.\"\"\"
    return Store{number}(settings.folder / "{area}.sqlite")
```

The statement that creates its table:

```sql
CREATE TABLE IF NOT EXISTS rows_{number} (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
```

## Acceptance Criteria

- [ ] `Store{number}` has exactly the methods `add`, `get`, `remove` and `page`.
- [ ] A second `add` with the same `id` raises `ValueError` and leaves the first row as it was.
- [ ] `page` with a `limit` of 0 gives an empty list.
- [ ] Two stores on the same file see each other's rows.

## Validation

```bash
test -f src/{area}/store_{number}.py
grep -q "class Store{number}" src/{area}/store_{number}.py
python -m pytest -q tests/{area}/test_store_{number}.py
# expect: no output
grep -n "TODO\\|FIXME" src/{area}/store_{number}.py || true
```

## On Failure

Stop and report which command failed, with its output. Do not change the tests to make them pass, and do not go on to
the next task.

## Next Task

Part {next} does the same for the following version.
"""
AREAS = ("orders", "users", "stock", "billing")


def main() -> int:
    options = _options()
    with scratch_folder() as folder:
        env = quiet_environment(folder)
        top = _repository(folder, env=env, count=options.specs)
        specs = top / "mini-projects"
        script = folder / "floor.py"
        script.write_text(FLOOR, "utf-8")
        validate = (minitask(), "validate")

        def cold(_round: int) -> float:
            shutil.rmtree(top / ".git" / "minitask", ignore_errors=True)
            return timed(validate, cwd=top, env=env)

        def warm(_round: int) -> float:
            timed(validate, cwd=top, env=env)
            return timed(validate, cwd=top, env=env)

        def floor(_round: int) -> float:
            return timed((sys.executable, script, specs), cwd=top, env=env)

        sizes = [path.stat().st_size for path in specs.rglob("*.md")]
        rows = compare(
            Contender("markdown-it-py parses the same bytes", floor),
            [
                Contender("minitask validate, first time", cold, 1.7),
                Contender("minitask validate, unchanged", warm, 0.1),
            ],
            rounds=options.rounds,
        )
    about = f"{len(sizes)} committed specs, median {statistics.median(sizes):.0f} bytes"
    print_table(f"{about}, whole processes", rows)
    return exit_code(rows, strict=options.strict)


def _repository(folder: Path, *, env: dict[str, str], count: int) -> Path:
    """A repository whose specs are sound and committed, with the files that they read."""
    top = folder / "repository"
    for area in AREAS:
        source = top / "src" / area
        source.mkdir(parents=True)
        lines = "".join(f"LINE_{number} = {number}\n" for number in range(1, 81))
        (source / "service.py").write_text(lines, "utf-8")
        (source / "settings.py").write_text('FOLDER = "data"\n', "utf-8")
    for number in range(count):
        _write_spec(top, number)
    git(folder, "init", "-q", "-b", "main", str(top), env=env)
    git(top, "add", "-A", env=env)
    git(top, "commit", "-q", "-m", "specs to validate", env=env)
    return top


def _write_spec(top: Path, number: int) -> None:
    project, position = divmod(number, SPECS_PER_PROJECT)
    area = AREAS[project % len(AREAS)]
    folder = top / "mini-projects" / f"{area}-{project:02d}"
    folder.mkdir(parents=True, exist_ok=True)
    own, before = f"store-{position:02d}", f"[store-{position - 1:02d}]" if position else "[]"
    text = SPEC.format(id=own, before=before, area=area, number=number + 1, next=number + 2)
    (folder / f"{position:02d}-store.md").write_text(text, "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--specs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
