"""What tests of the worked examples share: trees, a spec applied to one, its validation run."""

from __future__ import annotations

import difflib
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from minitask.edits.apply_script import apply_script
from minitask.edits.grammar import parse_script
from minitask.edits.lines import LineHunk, Versions, map_lines
from minitask.spec.model import Command, Expectation, ExpectationKind, LineRange, Spec
from minitask.spec.parse import parse_file

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = ROOT / "mini-projects"

Contents = dict[str, str]


def load_spec(path: Path, *, replace: tuple[str, str] = ("", "")) -> Spec:
    """The one spec of a file, without diagnostics; `replace` corrects its text first."""
    text = path.read_text("utf-8").replace(*replace)
    parsed = parse_file(text, path=path.relative_to(ROOT).as_posix())
    assert parsed.diagnostics == ()
    (spec,) = parsed.specs
    return spec


def load_specs(project: str) -> tuple[Spec, ...]:
    """The specs of a project, by their file names."""
    return tuple(load_spec(path) for path in sorted((PROJECTS / project).glob("[0-9]*.md")))


def read_tree(folder: Path) -> Contents:
    """Every file below a folder, by its path in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def write_tree(contents: Contents, folder: Path) -> Path:
    """The folder, with the files in it."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return folder


@dataclass
class Carried:
    """Carries lines cited in the original tree to where they are in the present one."""

    original: Contents
    present: Contents
    versions: dict[str, Versions] = field(default_factory=dict)

    def __call__(self, path: str, cited: LineRange) -> LineRange:
        if path not in self.versions:
            old, new = self.original[path].splitlines(), self.present[path].splitlines()
            self.versions[path] = Versions(path, old, new, hunks(old, new))
        return map_lines(cited, self.versions[path])


def hunks(old: list[str], new: list[str]) -> list[LineHunk]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return [LineHunk(*places) for tag, *places in matcher.get_opcodes() if tag != "equal"]


def apply_spec(spec: Spec, *, original: Contents, present: Contents) -> Contents:
    """The present tree with the spec's edit script applied; its numbers are the original's."""
    script = parse_script(spec.snippets, source=spec.path)
    changes = apply_script(script, read=present.get, locate=Carried(original, present))
    made = {change.path: change.content for change in changes}
    assert set(made) == {ref.path for ref in spec.writes()}
    return {path: text for path, text in {**present, **made}.items() if text is not None}


def failed_commands(spec: Spec, folder: Path, *, only_first: bool = False) -> list[str]:
    """The validation commands that say no in a folder, in order."""
    failed = []
    for command in spec.commands:
        if not passes(command, folder):
            failed.append(command.text)
        if failed and only_first:
            break
    return failed


def passes(command: Command, folder: Path) -> bool:
    """Whether a command does what its spec expects of it."""
    line = ("bash", "-c", command.text)
    done = subprocess.run(
        line, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    kinds = {one.kind for one in command.expectations}
    met = all(is_met(one, done) for one in command.expectations)
    return met and (ExpectationKind.EXIT in kinds or done.returncode == 0)


def is_met(expected: Expectation, done: subprocess.CompletedProcess[str]) -> bool:
    if expected.kind is ExpectationKind.EXIT:
        return done.returncode == expected.number
    if expected.kind is ExpectationKind.CONTAINS:
        return expected.text in done.stdout
    assert expected.kind is ExpectationKind.NUMBER
    found = re.search(r"\d+", done.stdout)
    return found is not None and abs(int(found[0]) - expected.number) <= expected.tolerance
