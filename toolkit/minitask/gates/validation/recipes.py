"""Find commands that a validation runs through a Makefile, a justfile or a `package.json`, before and after a change.

A step that is removed without replacement, or whose failure is now hidden, lets a wrong result pass.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename

from msgspec import Struct

from minitask.gates.result import FileChange
from minitask.patterns import lazy_pattern
from minitask.spec.model import Command
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
    """Yield the targets that a command makes."""
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
