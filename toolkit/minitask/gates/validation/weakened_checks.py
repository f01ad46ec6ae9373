"""Find what a change takes from its own checks: steps of recipes and scripts, tests left out, checkers switched off.

A step that is removed without replacement, or whose failure is now hidden, lets a wrong result pass.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename

from msgspec import Struct

from minitask.gates.removal_words import without_conditions
from minitask.gates.requested_removals import task_sentences
from minitask.gates.result import FileChange
from minitask.gates.source.grammars import SCRIPTS
from minitask.gates.validation.test_files import is_test_path
from minitask.patterns import lazy_pattern
from minitask.spec.model import Command, Spec
from minitask.spec.vacuous_commands import CommandStrength, ends_in_filter, strength

MAKEFILES = frozenset({"makefile", "gnumakefile", "justfile"})
RECIPES = ("Makefile", "makefile", "GNUmakefile", "justfile", "package.json")
MASKS = lazy_pattern(
    r"\|\|\s*(?:true|:|exit 0|echo\b[^|&;]*)\s*(?:$|[;#)])|;\s*(?:true|:|exit 0)\s*$|\bset \+e\b|\btrap\b.*\bexit 0"
)
"""Parts of a command that hide its failure."""
_RUNS = lazy_pattern(r"\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+|run-script\s+)?(?:--?\S+\s+)*([\w:.-]+)")
_MAKE = lazy_pattern(r"(?:\b(?:g?make|just)|\$[({]MAKE[)}])((?:[ \t]+[^\s;&|<>()]+)*)")
_TAKES_VALUE = frozenset({"-C", "-f", "-j", "-I", "-o", "-W", "--directory", "--file", "--jobs"})
_RULE = lazy_pattern(r"([^\s:#=][^:#=]*?)\s*::?(?!=)([^#;]*)(?:;(.*))?")
_JUST_RULE = lazy_pattern(r"@?([A-Za-z_][\w-]*)(?:\s[^:]*)?:(?!=)(.*)()")
_PREFIX = lazy_pattern(r"[@+\s]*(-?)[@+\s]*")
_JOINTS = lazy_pattern(r"[;|&]+")
_INTERPRETER = lazy_pattern(
    r"(?:\S*/)?(?:python[\d.]*|node|sh|bash|npx|uv|uvx|poetry|run|exec|env|time|\$[({]\w+[)}])|-\S*|\w+=\S*"
)


class RecipeStep(Struct, frozen=True):
    """A command of a recipe or script; `pardoned` if make ignores its failure."""

    text: str
    pardoned: bool = False

    @property
    def checks(self) -> bool:
        """True if a failed check makes the step fail."""
        return not self.pardoned and strength(Command(self.text)) is CommandStrength.CHECK

    @property
    def hides(self) -> bool:
        """True if the step runs a check but may pass although it failed, as in a pipe without `pipefail`."""
        parts = filter(str.strip, _JOINTS.split(self.text))
        judges = any(strength(Command(part)) is CommandStrength.CHECK for part in parts)
        is_masked = MASKS.search(self.text) is not None or ends_in_filter(self.text)
        return judges and (is_masked or not self.checks)

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the programs that it runs as checks."""
        parts = () if self.pardoned else filter(str.strip, _JOINTS.split(self.text))
        checks = (part.split() for part in parts if RecipeStep(part).checks)
        return tuple(
            next((word for word in words if not _INTERPRETER.fullmatch(word)), words[0])
            for words in checks
        )


def find_hidden_steps(file: FileChange, commands: Sequence[str]) -> Iterator[str]:
    """Yield the steps of a validation that hide their failure and did not on the base."""
    before, now = (steps_of(file.path, text, commands) for text in (file.base or "", file.content))
    old = {step.text for step in before}
    hidden = [step for step in now if step.hides and (step.text not in old or step.pardoned)]
    if len(hidden) > sum(step.hides for step in before):
        yield from (step.text for step in hidden if step not in before)


def find_lost_steps(file: FileChange, commands: Sequence[str], text: str) -> Iterator[str]:
    """Yield the steps of a validation that are removed without replacement, unless `text` names their program."""
    before, now = (steps_of(file.path, text, commands) for text in (file.base or "", file.content))
    had, has = (Counter(tool for step in steps for tool in step.tools) for steps in (before, now))
    lost, gained = had - has, has - had
    if lost.total() > gained.total() and not any(tool in text for tool in gained):
        gone = {tool for tool in lost if tool not in text}
        yield from (step.text for step in before if gone.intersection(step.tools))


def steps_of(path: str, text: str, commands: Sequence[str]) -> list[RecipeStep]:
    """Return the steps of a file of recipes or scripts that the commands run, in the order of execution."""
    name = basename(path).lower()
    if name == "package.json":
        scripts = scripts_of(text)
        return [RecipeStep(scripts[script]) for script in run_scripts(commands, scripts)]
    return _recipes(text, commands, name) if name in MAKEFILES else []


def scripts_of(text: str) -> dict[str, str]:
    """Return the scripts of a `package.json` by name."""
    try:
        scripts = json.loads(text).get("scripts", {}) if text.strip() else {}
    except (ValueError, AttributeError, RecursionError):
        return {}
    items = scripts.items() if isinstance(scripts, dict) else ()
    return {str(name): value for name, value in items if isinstance(value, str)}


def run_scripts(commands: Sequence[str], scripts: Mapping[str, str]) -> list[str]:
    """Return the names of the scripts that commands start, directly or through other scripts."""
    pending, started = list(commands), []
    while pending:
        for match in _RUNS.finditer(pending.pop()):
            name = {"t": "test", "tst": "test"}.get(match[1], match[1])
            for script in (name, f"pre{name}", f"post{name}"):
                if script in scripts and script not in started:
                    started.append(script)
                    pending.append(scripts[script])
    return started


class _Rule(Struct, frozen=True):
    needs: list[str]
    steps: list[RecipeStep]


def _recipes(text: str, commands: Sequence[str], name: str) -> list[RecipeStep]:
    """Return the steps of the targets that commands make, and of their prerequisites."""
    rules = _rules(text, name)
    default = next((target for target in rules if not target.startswith(".")), "")
    pending = [target for command in commands for target in _targets(command, default, name)]
    steps: list[RecipeStep] = []
    reached: set[str] = set()
    while pending:
        target = pending.pop(0)
        if target in reached or target not in rules:
            continue
        reached.add(target)
        rule = rules[target]
        steps += rule.steps
        pending += rule.needs
        pending += [needed for step in rule.steps for needed in _targets(step.text, default, name)]
    return steps


def _targets(command: str, default: str, name: str) -> Iterator[str]:
    for match in _MAKE.finditer(command):
        if match[0].startswith("just") != (name == "justfile"):
            continue
        arguments = iter(match[1].split())
        chosen = []
        for word in arguments:
            if word in _TAKES_VALUE:
                next(arguments, None)
            elif not word.startswith("-") and "=" not in word:
                chosen.append(word)
        yield from chosen or [default]


def _rules(text: str, name: str) -> dict[str, _Rule]:
    form = _JUST_RULE if name == "justfile" else _RULE
    rules: dict[str, _Rule] = {}
    current: list[_Rule] = []
    for line in text.replace("\\\n", " ").split("\n"):
        match = form.fullmatch(line)
        if line[:1] in {"\t", " "} and line.strip():
            for rule in current:
                rule.steps.extend(_steps(line))
        elif match is not None:
            current = [rules.setdefault(target, _Rule([], [])) for target in match[1].split()]
            for rule in current:
                rule.needs.extend(match[2].replace("|", " ").split())
                rule.steps.extend(_steps(match[3] or ""))
        elif line.strip() and not line.startswith("#"):
            current = []
    return rules


def _steps(line: str) -> list[RecipeStep]:
    prefix = _PREFIX.match(line)
    text = line[prefix.end() :].strip() if prefix else line.strip()
    is_command = bool(text) and not text.startswith("#")
    return [RecipeStep(text, pardoned=bool(prefix and prefix[1]))] if is_command else []


_SKIP_MARKS = {
    ".py": r"@(?:pytest\.mark|unittest)\.(?:skip|xfail|expectedFailure)\b|pytestmark\s*=.*\b(?:skip|xfail)"
    r"|allow_module_level\s*=\s*True|__test__\s*=\s*False",
    ".go": r"//go:build\s|// \+build\s",
    ".rs": r"#!?\[cfg\((?:any\(\)|FALSE|never)|#\[ignore",
    **dict.fromkeys((".java", ".kt", ".groovy"), r"@(?:Disabled|Ignore)\b"),
    ".scala": r"@(?:Disabled|Ignore)\b|ignore\s*\(|.*\w\(\s*\".*\"\.ignore\b",
    ".exs": r"@(?:module|describe)?tag\s+:?skip\b",
    ".dart": r"@Skip\b|.*\bskip:\s*(?:true\b|[\"'])",
    ".lua": r"pending\s*\(",
    ".r": r"skip\(",
    ".jl": r"@test_(?:skip|broken)\b",
    ".hs": r"(?:xit|xdescribe|xspecify|pending|pendingWith)\b",
    ".fs": r"\[<Ignore\b|\[<(?:Fact|Theory|Test)\(.*\b(?:Skip|Ignore)\b|ptest\w*\b",
    ".clj": r"#_\s*\((?:clojure\.test/|t/)?deftest\b",
    ".ps1": r"(?:It|Describe|Context)\s.*\s-Skip(?![:\w])|Set-ItResult\s+-(?:Skipped|Pending)\b",
    ".sol": r"vm\.skip\(true",
    ".zig": r"return error\.SkipZigTest",
    **dict.fromkeys((".cc", ".cpp"), r"GTEST_SKIP\(\)|TEST(?:_F|_P)?\(\w+,\s*DISABLED_"),
    ".cs": r"\[(?:Ignore\b|(?:Fact|Theory|Test)\(.*\b(?:Skip|Ignore)\b)",
    ".rb": r"(?:skip|pending|xit|xdescribe|xcontext)\b",
    ".php": r"\$this->markTest(?:Skipped|Incomplete)|#\[\w*Skip",
    ".swift": r"throw XCTSkip|try XCTSkip\w*\(true|@(?:Test|Suite)\(.*\.disabled\b",
    **dict.fromkeys(SCRIPTS, r"(?:\w+\.(?:only|skip)|fit|fdescribe|xit|xtest|xdescribe)\s*\("),
}
"""Marks of skipped tests, at the start of a line of a test file."""


def find_skips(file: FileChange) -> Iterator[str]:
    """Yield the added lines of a test file that leave tests out."""
    pattern = _SKIP_MARKS.get(file.suffix)
    if pattern is None:
        return
    if is_test_path(file.path) or file.suffix in {".rs", ".java", ".kt", ".cs"}:
        compiled = lazy_pattern(pattern)
        added = (line for line in file.added if compiled.match(line))
        if file.base is None:  # the author of a new file may restrict where it runs
            added = (line for line in added if file.suffix != ".go" and "skipif" not in line)
        yield from added


def find_lost_examples(file: FileChange, commands: Sequence[str]) -> Iterator[str]:
    """Yield the docstring and document examples that a change removes or skips, if a command runs doctest."""
    if any("doctest" in command for command in commands):
        rows = (line.strip() for line in (file.base or "").split("\n"))
        yield from (row for row in rows if row.startswith(">>>") and row not in file.content)
        yield from (line for line in file.added if "doctest:" in line and "+SKIP" in line)


_ASKS = {
    ".py": r"PYTEST_CURRENT_TEST|[\"'](?:pytest|unittest)[\"']\s+(?:not\s+)?in\s+sys\.(?:modules|argv)"
    r"|sys\.modules\.get\(\s*[\"'](?:pytest|unittest)|(?:inspect\.(?:stack|currentframe)|sys\._getframe)\(.*test",
    ".go": r"\btesting\.Testing\(\)|\bflag\.Lookup\(\"test\.|\bos\.Args\[0\].*\.test\"",
    ".rs": r"\bcfg!\((?:not\()?test\)|#\[cfg\(not\(test\)\)\]",
    **dict.fromkeys(
        SCRIPTS,
        r"\bprocess\.env\.(?:JEST_WORKER_ID|VITEST\w*|NODE_TEST_CONTEXT)\b|\bNODE_ENV[\"'\])]*\s*[!=]==?\s*[\"'`]test[\"'`]"
        r"|\btypeof\s+(?:jest|describe|it|test|expect)\s*[!=]==?",
    ),
}
"""Code that asks whether a test runs it."""
_EQUALS_ALL = lazy_pattern(
    r"(?s)def __eq__\(self, \w+(?:: \w+)?\)(?: -> bool)?:\s+(?:\"\"\".*?\"\"\"\s+)?return True\b"
)


def find_detections(file: FileChange) -> Iterator[str]:
    """Yield the added lines outside tests that detect a test run, or an `__eq__` that is always true."""
    pattern = _ASKS.get(file.suffix)
    if pattern is None or is_test_path(file.path):
        return
    yield from filter(lazy_pattern(pattern).search, file.added)
    equal = _EQUALS_ALL.search(file.content) if file.suffix == ".py" else None
    if equal and equal[0] not in (file.base or ""):
        yield equal[0].partition("\n")[0]


_CHECKERS = lazy_pattern(
    r"\b(?:mypy|ruff|flake8|pylint|pyright|eslint|tsc|biome|stylelint|golangci-lint|clippy|shellcheck"
    r"|pre-commit|tox|nox|make|just|npm|pnpm|yarn|bun)\b"
)
# Comments for a whole file; those for one line are often right.
_REMARK = lazy_pattern(
    r"#\s*(?:ruff|flake8)\s*:\s*noqa\s*$|#\s*mypy\s*:.*\bignore[-_]errors\b|#\s*type:\s*ignore\s*$"
    r"|#\s*pyright\s*:\s*(?:basic|off|ignore)\b|#\s*pylint\s*:\s*(?:skip-file|disable=all)\b"
    r"|/[/*]\s*@ts-nocheck\b|/\*\s*(?:eslint|stylelint)-disable\s*\*/|//\s*biome-ignore-all\b"
    r"|#\s*shellcheck disable=all\b"
    r"|#!\[allow\((?:warnings|clippy::all)\)\]"
)
_SETTINGS = lazy_pattern(
    r"\.?mypy\.ini|\.?ruff\.toml|\.flake8|\.?pylintrc|pyrightconfig\.json|tsconfig[\w.]*\.json|biome\.jsonc?"
    r"|\.eslintrc(?:\.\w+)?|\.eslintignore|eslint\.config\.\w+|\.stylelintrc(?:\.\w+)?|\.golangci\.ya?ml"
    r"|\.pre-commit-config\.yaml|setup\.cfg|tox\.ini|pyproject\.toml"
)
_NARROWS = lazy_pattern(
    r"(?i)[\"']?(?:ignore_errors[\"']?\s*[=:]\s*true|(?:strict|check[_-]untyped[_-]defs|noEmitOnError)[\"']?\s*[=:]\s*false"
    r"|(?:extend[-_])?(?:ignore|exclude|disable)(?:[-_]?(?:patterns|error[-_]code))?[\"']?\s*[=:]"
    r"|(?:extend-)?per-file-ignores\b|follow_imports\s*=\s*[\"']?skip|skip\s*:|stages\s*:\s*\[?\s*manual)"
    r"|[\"'][\w@/-]+[\"']\s*:\s*\[?\s*(?:0|[\"']off[\"'])"
)
_ASKED = lazy_pattern(
    r"(?i)\b(?:ignor\w*|exclud\w*|disabl\w*|skip\w*|suppress\w*|noqa|nocheck|relax\w*"
    r"|turn\w* off|switch\w* off|strict\w*)\b"
)
_OF_CHECKERS = lazy_pattern(
    r"(?i)lint|\b(?:rules?|warnings?|types?|typing|check\w*|mypy|pyright|ruff|flake8|clippy|rubocop|tsc\w*|configs?|settings?"
    r"|config\w+|strict\w*|noqa|nocheck|suppress\w*|errors? codes?|import errors?)\b|[A-Z]{1,3}\d{3,4}\b"
)


def find_switched_off(file: FileChange, commands: Sequence[str], spec: Spec) -> Iterator[str]:
    """Yield the added lines that switch a checker off for at least one file, unless the spec asks for that."""
    if not any(map(_CHECKERS.search, commands)):
        return
    sentences = map(without_conditions, task_sentences(spec, file.path))
    if any(_ASKED.search(part) and _OF_CHECKERS.search(part) for part in sentences):
        return
    name = basename(file.path).lower()
    if _SETTINGS.fullmatch(name):
        yield from filter(_NARROWS.match, file.added)
    else:
        yield from filter(_REMARK.match, file.added)


NARROWS = lazy_pattern(
    r"(?:^|[\s\"'])(?:-k|-m|-t|-g|--grep|--ignore(?:-glob)?|--deselect|--co(?:llect-only)?|--test-name-pattern"
    r"|--test-skip-pattern|--testNamePattern|--testPathIgnorePatterns|--passWithNoTests|--pass-with-no-tests|--exclude"
    r"|-skip|-run|--listTests|--if-present)(?=[\s=\"']|$)"
)
"""Options with which a runner leaves tests out."""


def find_narrowed(file: FileChange) -> Iterator[str]:
    """Yield the recipe lines that run the same runner as before with more options that leave tests out."""
    had = [row.strip() for row in (file.base or "").split("\n")]
    for line in file.added:
        old = [row for row in had if row and line.startswith(row)]
        if old and len(NARROWS.findall(line)) > max(len(NARROWS.findall(row)) for row in old):
            yield line
