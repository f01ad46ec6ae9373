"""Read SARIF findings; each JSON value is of the expected kind, absent, or an error with its position.

JSON's `null` counts as absent, because tools write either.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from minitask.errors import UsageError
from minitask.patterns import lazy_pattern
from minitask.spec.paths import check_path

Value = TypeVar("Value")
LARGEST = 10**9
"""Largest valid line or column."""
KINDS = ((bool, "a truth value"), (str, "a text"), (list, "a list"), (dict, "an object"))


def decode_json(content: bytes) -> str:
    """Return a JSON document's text, decoded by its first bytes; raise `UsageError` if that fails."""
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise damaged(f"byte {error.start} is not {encoding.upper()}") from None


def load_json(text: str) -> Any:
    """Return the document; raise `UsageError` if it is not JSON or nested too deeply."""
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise damaged(f"it is not JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError) as error:
        raise damaged(f"it is not readable JSON: {error}") from None


def table(value: object, where: str) -> Mapping[str, Any]:
    """Return `value` as an object; empty if absent."""
    return _expect(value, where, dict, {})


def rows(value: object, where: str) -> Sequence[Any]:
    """Return `value` as a list; empty if absent."""
    return _expect(value, where, list, [])


def string(value: object, where: str) -> str:
    """Return `value` as a text; empty if absent."""
    return _expect(value, where, str, "")


def count(value: object, where: str) -> int:
    """Return `value` as a line or column number; 0 if absent."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise damaged(f"{where} is {_kind(value)}, not a line or column")
    return value


def damaged(problem: str) -> UsageError:
    """Return the error for a damaged document."""
    hint = "run the linter again to write a complete report"
    return UsageError(f"the linter's report is damaged: {problem}", hint=hint)


def _expect(value: object, where: str, kind: type[Value], absent: Value) -> Value:
    if value is None:
        return absent
    if not isinstance(value, kind):
        raise damaged(f"{where} is {_kind(value)}, not {dict(KINDS)[kind]}")
    return value


def _kind(value: object) -> str:
    name = next((label for kind, label in KINDS if isinstance(value, kind)), "")
    return name or f"the number {str(value)[:20]}"


UNNAMED = "unnamed"
"""The rule of a result that names none."""
MAX_BASES = 20
SOURCE_ROOT = "SRCROOT"
"""The conventional name of the repository's root, mostly between percent signs."""

_SCHEME = lazy_pattern(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/]*))?")
_ARGUMENT = lazy_pattern(r"\{(\d{1,3})\}")
Json = Mapping[str, Any]


class Run(Struct, frozen=True):
    """A run of a tool, with the data to which its results refer. `where` is its path in the document."""

    where: str
    document: Json
    driver: Json
    extensions: Sequence[Any]
    artifacts: Sequence[Any]
    bases: Json
    roots: Sequence[str]


def sarif_tools(document: Json) -> tuple[str, ...]:
    """Return the names of the tools that ran."""
    runs = _runs(document, ())
    names = (string(run.driver.get("name"), f"{run.where}.tool.driver.name") for run in runs)
    return tuple(dict.fromkeys(name for name in names if name))


def sarif_findings(document: Json, roots: Sequence[str]) -> Iterator[Finding]:
    """Yield the findings, with paths as in the document (empty for a result outside files).

    `roots` are the repository's checkouts.
    """
    for run in _runs(document, roots):
        results = rows(run.document.get("results"), f"{run.where}.results")
        for index, result in enumerate(results):
            where = f"{run.where}.results[{index}]"
            yield from _findings(run, table(result, where), where)


def _runs(document: Json, roots: Sequence[str]) -> Iterator[Run]:
    for index, entry in enumerate(rows(document.get("runs"), "runs")):
        where = f"runs[{index}]"
        run = table(entry, where)
        tool = table(run.get("tool"), f"{where}.tool")
        yield Run(
            where=where,
            document=run,
            driver=table(tool.get("driver"), f"{where}.tool.driver"),
            extensions=rows(tool.get("extensions"), f"{where}.tool.extensions"),
            artifacts=rows(run.get("artifacts"), f"{where}.artifacts"),
            bases=table(run.get("originalUriBaseIds"), f"{where}.originalUriBaseIds"),
            roots=roots,
        )


def _findings(run: Run, result: Json, where: str) -> Iterator[Finding]:
    """Yield a finding for each location of a result; one without a path if it has none."""
    rule = _rule(run, result, where)
    if not _counts(result, rule, where):
        return
    reference = table(result.get("rule"), f"{where}.rule")
    name = result.get("ruleId") or reference.get("id") or rule.get("id")
    rule_name = string(name, f"{where}.ruleId") or UNNAMED
    message = _message(run, result, rule, where) or rule_name
    for index, entry in enumerate(rows(result.get("locations"), f"{where}.locations") or [{}]):
        location_path = f"{where}.locations[{index}]"
        physical = table(
            table(entry, location_path).get("physicalLocation"), f"{location_path}.physicalLocation"
        )
        region = table(physical.get("region"), f"{location_path}.region")
        yield Finding(
            path=_located(
                run, table(physical.get("artifactLocation"), location_path), location_path
            ),
            line=count(region.get("startLine"), f"{location_path}.region.startLine"),
            column=count(region.get("startColumn"), f"{location_path}.region.startColumn"),
            rule=rule_name,
            message=message,
        )


def _rule(run: Run, result: Json, where: str) -> Json:
    """Return the rule of a result, by index or id; empty if it is not described."""
    reference = table(result.get("rule"), f"{where}.rule")
    component = table(reference.get("toolComponent"), f"{where}.rule.toolComponent")
    owner = table(_at(run.extensions, component.get("index")), where) or run.driver
    rules = rows(owner.get("rules"), f"{run.where}.tool: rules")
    index = result.get("ruleIndex", reference.get("index"))
    rule = _at(rules, index)
    if rule is None:
        name = result.get("ruleId") or reference.get("id")
        described = (entry for entry in rules if isinstance(entry, dict))
        rule = next((entry for entry in described if name and entry.get("id") == name), None)
    return table(rule, f"{run.where}.tool: rule {index}")


def _counts(result: Json, rule: Json, where: str) -> bool:
    """Return True if a result is a finding that is not suppressed."""
    if (result.get("kind") or "fail") != "fail" or result.get("baselineState") == "absent":
        return False
    settings = table(rule.get("defaultConfiguration"), f"{where}: defaultConfiguration")
    if (result.get("level") or settings.get("level")) == "none":
        return False
    asides = rows(result.get("suppressions"), f"{where}.suppressions")
    states = [
        string(table(entry, f"{where}.suppressions").get("status"), f"{where}.suppressions: status")
        for entry in asides
    ]
    return not states or any(state in {"underReview", "rejected"} for state in states)


def _message(run: Run, result: Json, rule: Json, where: str) -> str:
    message = table(result.get("message"), f"{where}.message")
    text = string(message.get("text") or message.get("markdown"), f"{where}.message.text")
    name = string(message.get("id"), f"{where}.message.id")
    for owner, key in ((rule, "messageStrings"), (run.driver, "globalMessageStrings")):
        if name and not text:
            strings = table(owner.get(key), f"{where}: {key}")
            text = string(table(strings.get(name), f"{where}: {key}").get("text"), where)
    arguments = rows(message.get("arguments"), f"{where}.message.arguments")
    return _ARGUMENT.sub(lambda match: _argument(match, arguments), text) if arguments else text


def _argument(match: re.Match[str], arguments: Sequence[Any]) -> str:
    value = _at(arguments, int(match[1]))
    return match[0] if value is None else str(value)


def _located(run: Run, artifact: Json, where: str) -> str:
    """Return the path of an artifact's location; empty if it is not a file."""
    if artifact.get("uri") is None:
        listed = table(_at(run.artifacts, artifact.get("index")), f"{run.where}.artifacts")
        artifact = table(listed.get("location"), f"{run.where}.artifacts: location")
    return _resolved(run, artifact, where, depth=0)


def _resolved(run: Run, artifact: Json, where: str, *, depth: int) -> str:
    path = _path(string(artifact.get("uri"), f"{where}.uri"))
    base = string(artifact.get("uriBaseId"), f"{where}.uriBaseId")
    if not path or path.startswith("/") or not base or depth > MAX_BASES:
        return path
    parent = table(run.bases.get(base), f"{run.where}.originalUriBaseIds.{base}")
    folder = _resolved(run, parent, where, depth=depth + 1)
    foreign = folder.startswith("/") and path_below(folder.rstrip("/"), run.roots) is None
    if not folder or (foreign and base.strip("%").upper() == SOURCE_ROOT):
        return path  # the report is from another checkout with this root
    return f"{folder.rstrip('/')}/{path}"


def _path(uri: str) -> str:
    """Return the path of a relative reference or a `file:` URI of this machine; empty for any other.

    Raw `?` and `#` stay part of it: files have no query, and some linters do not encode them.
    """
    scheme = _SCHEME.match(uri)
    if scheme is not None:
        if scheme[1].lower() != "file" or (scheme[2] or "").lower() not in {"", "localhost"}:
            return ""
        uri = uri[scheme.end() :]
    elif uri.startswith("//"):
        return ""
    plain = unquote_to_bytes(uri.encode("utf-8", "surrogatepass"))
    return plain.decode("utf-8", "surrogateescape")


def _at(items: Sequence[Any], index: object) -> Any:
    """Return the element at an index from the document, or None if there is none."""
    if isinstance(index, bool) or not isinstance(index, int):
        return None
    return items[index] if 0 <= index < len(items) else None


class Finding(Struct, frozen=True):
    """A finding: a rule's message about a location.

    `line` and `column` count from 1; 0 is the whole file, or the whole line. `fixable`: the linter itself can fix it
    without changing what the code does.
    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    fixable: bool = False


def relative_path(path: str, roots: Sequence[str]) -> str | None:
    """Return the canonical path in the repository with checkouts at `roots`, or None if the path is outside.

    A relative path starts at the repository's root.
    """
    inside = path_below(path, roots) if path.startswith("/") else path
    if inside is None:
        return None
    plain = "/".join(part for part in inside.split("/") if part not in {"", "."})
    return None if check_path(plain) else plain


def path_below(path: str, roots: Sequence[str]) -> str | None:
    """Return the rest of an absolute path below the innermost matching root, or None."""
    for root in sorted(roots, key=len, reverse=True):
        folder = root.rstrip("/")
        if path == folder or path.startswith(f"{folder}/"):
            return path[len(folder) + 1 :]
    return None
