"""Find lines of a change that switch off its own checks, where counting tests cannot tell."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from posixpath import basename

from minitask.gates.requested_removals import task_sentences, text_about
from minitask.gates.result import quoted
from minitask.gates.rigged_code import FileVersions, IsOwn, find_patches, find_skips
from minitask.gates.sentinel import allows_losses
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_SKIPS = lazy_pattern(
    r"\b(?:skip\w*|disabl\w*|ignor\w*|quarantin\w*|flaky|only on|platform\w*)\b", 2
)


def find_rigged(files: Sequence[FileVersions], *, spec: Spec, is_own: IsOwn) -> tuple[str, ...]:
    """Return a reason for each added line by which the validation may pass without the change being right.

    What the spec itself shows, or asks for in words, is none.
    """
    return tuple(dict.fromkeys(reason for file in files for reason in _of(file, spec, is_own)))


def _of(file: FileVersions, spec: Spec, is_own: IsOwn) -> Iterator[str]:
    commands = [command.text for command in spec.commands]
    spec_text = text_about(spec, file.path)
    may_skip = allows_losses(spec) or any(map(_SKIPS.search, task_sentences(spec, file.path)))
    findings = [
        (find_patches(file, is_own=is_own), "replaces what its tests run or assert with"),
        (() if may_skip else find_skips(file), "leaves tests out"),
        (find_settings(file, commands), "narrows or hides what the validation checks"),
    ]
    for lines, why in findings:
        for line in lines:
            if line not in spec_text:
                yield f"{file.path}: {quoted(line)} {why}, which the spec does not ask for"


_NARROWS = lazy_pattern(
    r"(?:^|[\s\"'])(?:-k|-m|-t|-g|--grep|--ignore(?:-glob)?|--deselect|--co(?:llect-only)?|--test-name-pattern"
    r"|--test-skip-pattern|--testNamePattern|--testPathIgnorePatterns|--passWithNoTests|--pass-with-no-tests|--exclude"
    r"|-skip|-run|--listTests|--if-present)(?=[\s=\"']|$)"
)
_MASKS = lazy_pattern(
    r"\|\|\s*(?:true|:|exit 0|echo\b[^|&;]*)\s*(?:$|[;#)])|;\s*(?:true|:|exit 0)\s*$|\bset \+e\b|\btrap\b.*\bexit 0"
)
_NOTHING = lazy_pattern(r"(?:true|:|exit(?:\s+0)?|return 0)\s*;?")
_SAYS_ONLY = lazy_pattern(
    r"(?:true|:|exit(?:\s+0)?|set [-+]\w+.*|echo\b[^|&;]*|printf\b[^|&;]*|cd\b.*|#!.*|pass"
    r"|print\(.*\)|console\.log\(.*\);?"
    r"|import .*|from .*|(?:sys\.|process\.|os\._)?exit\(0?\);?|raise SystemExit(?:\(0?\))?|[{}()]|fi|done"
    r"|\"use strict\";?)"
)
_ENDS = lazy_pattern(
    r"(?:exit(?:\s+0)?|true|(?:sys\.|process\.|os\._)?exit\(0?\);?|quit\(\)|raise SystemExit(?:\(0?\))?)"
)
_IGNORES = lazy_pattern(
    r"testPathIgnorePatterns|testNamePattern|passWithNoTests[\"']?\s*:\s*true|\bgrep[\"']?\s*:|\bdescribe\.skip\b"
)
_GENERATED = lazy_pattern(
    r"[\"'`][^\"'`]*(?:node_modules|dist|build|coverage|\.next)[^\"'`]*[\"'`]"
)
_RUNS = lazy_pattern(r"\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+|run-script\s+)?(?:--?\S+\s+)*([\w:.-]+)")
_JS_SETTINGS = lazy_pattern(
    r"(?:jest|vitest|karma|ava|playwright|cypress)\.config\.\w+|\.mocharc.*|\.?taprc"
)
_INI = {"pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg"}


def find_settings(file: FileVersions, commands: Sequence[str]) -> Iterator[str]:
    """Yield the added lines of a settings file or script that narrow, mask or empty what the commands run."""
    name = basename(file.path)
    if name in _INI or name == "pyproject.toml":
        yield from _options(file)
    elif name == "package.json":
        yield from _package(file, commands)
    elif _JS_SETTINGS.fullmatch(name):
        yield from filter(_is_narrowing, file.added)
    elif name.lower() in {"makefile", "gnumakefile", "justfile"}:
        if any(re.search(r"\b(?:make|just)\b", command) for command in commands):
            yield from (
                line for line in file.added if _MASKS.search(line) or re.match(r"-\w", line)
            )
    elif any(_names(command, file.path) for command in commands):
        yield from _script(file)


def _is_narrowing(line: str) -> bool:
    match = _IGNORES.search(line)
    if match is None or line.startswith(("//", "*", "/*")):
        return False
    values = re.findall(r"[\"'`]([^\"'`]*)[\"'`]", line[match.end() :])
    return not values or not all(_GENERATED.search(f'"{pattern}"') for pattern in values)


def _options(file: FileVersions) -> Iterator[str]:
    """Yield pytest's own arguments in a settings file where they got narrower."""
    before, now = _addopts(file.path, file.base or ""), _addopts(file.path, file.now)
    if len(_NARROWS.findall(now)) > len(_NARROWS.findall(before)) or (
        now != before and _NARROWS.search(now) is not None
    ):
        yield f"addopts = {' '.join(now.split())}"


def _addopts(path: str, text: str) -> str:
    try:
        if path.endswith(".toml"):
            settings = tomllib.loads(text).get("tool", {}).get("pytest", {}).get("ini_options", {})
            options = settings.get("addopts", "")
            return " ".join(options) if isinstance(options, list) else str(options)
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read_string(text)
    except (ValueError, AttributeError, configparser.Error):
        return ""
    sections = ("pytest", "tool:pytest")
    return "".join(parser.get(section, "addopts", fallback="") for section in sections)


def _package(file: FileVersions, commands: Sequence[str]) -> Iterator[str]:
    before, now = _scripts(file.base or ""), _scripts(file.now)
    for name in _run_scripts(commands, now):
        old, new = before.get(name, ""), now[name]
        if new == old:
            continue
        is_worse = any(
            len(form.findall(new)) > len(form.findall(old)) for form in (_NARROWS, _MASKS)
        )
        if is_worse or (_SAYS_ONLY.fullmatch(new) and not _SAYS_ONLY.fullmatch(old)):
            yield f'"{name}": "{new}"'
    yield from (line for line in file.added if _is_narrowing(line))


def _scripts(text: str) -> dict[str, str]:
    try:
        scripts = json.loads(text).get("scripts", {}) if text.strip() else {}
    except (ValueError, AttributeError, RecursionError):
        return {}
    items = scripts.items() if isinstance(scripts, dict) else ()
    return {str(name): value for name, value in items if isinstance(value, str)}


def _run_scripts(commands: Sequence[str], scripts: dict[str, str]) -> list[str]:
    """Return the scripts that commands start, and those that these start."""
    pending, started = list(commands), []
    while pending:
        for match in _RUNS.finditer(pending.pop()):
            name = {"t": "test", "tst": "test"}.get(match[1], match[1])
            for script in (name, f"pre{name}", f"post{name}"):
                if script in scripts and script not in started:
                    started.append(script)
                    pending.append(scripts[script])
    return started


def _names(command: str, path: str) -> bool:
    """Return True if a command has a file's path as a word of it."""
    return re.search(rf"(?<![\w./-])(?:\./)?{re.escape(path)}(?![\w./-])", command) is not None


def _script(file: FileVersions) -> Iterator[str]:
    """Yield what makes a script that a command runs pass: it ends early, hides failures, or checks nothing more."""
    rows = [line for line in file.now.split("\n") if line.strip() and line.strip()[0] != "#"]
    plain, says_only = [row.strip() for row in rows], _SAYS_ONLY.fullmatch
    if file.base is None:
        if plain and all(map(_NOTHING.fullmatch, plain)):
            yield plain[0]
        return
    added = set(file.added)
    ends = [row for row in rows if row.strip() in added and _ENDS.fullmatch(row)]
    masks = [row.strip() for row in rows if row.strip() in added and _MASKS.search(row)]
    had = [line.strip() for line in file.base.split("\n") if line.strip()]
    lost = [row for row in had if row not in plain and row[0] != "#" and not says_only(row)]
    is_code = file.path.endswith((".sh", ".bash", ".py", ".js", ".mjs", ".cjs")) or "." not in (
        basename(file.path)
    )
    if is_code and lost and all(map(says_only, plain)):
        yield plain[-1] if plain else "an empty file"
    elif is_code:
        yield from (*ends[:1], *masks)
