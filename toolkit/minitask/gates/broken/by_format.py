"""Find what Docker, browsers, databases, GitHub's workflows, compose and notebooks certainly reject or drop."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from posixpath import basename
from typing import Any

from minitask.edits.lines import indent_of
from minitask.gates.broken.repeated_keys import Token, token_tree
from minitask.gates.result import printable, quoted
from minitask.gates.source.syntax import find_python_flaw
from minitask.patterns import lazy_pattern
from minitask.words import nearest, word_set

Fault = tuple[str, int]
"""The message, and the line from 1."""
_OTHER_DOCKER = lazy_pattern(
    r"(?im)\{\{|\{%|<%|^#[ \t]*escape[ \t]*=|^#[ \t]*syntax[ \t]*=(?![ \t]*docker/)|^[ \t]*INCLUDE"
)
_INSTRUCTIONS = word_set("""
FROM RUN CMD LABEL MAINTAINER EXPOSE ENV ADD COPY ENTRYPOINT VOLUME USER WORKDIR ARG ONBUILD STOPSIGNAL HEALTHCHECK
SHELL
""")
_HERE = lazy_pattern(r"<<-?[ \t]*[\"']?(\w+)[\"']?")
_STAGE = lazy_pattern(r"(?i)FROM\s.*\sAS\s+(\S+)\s*")
_FROM_STAGE = lazy_pattern(r"--from=([a-z][\w-]*)(?=\s)")


def find_docker_faults(_path: str, text: str) -> Iterator[Fault]:
    """Yield what keeps a Dockerfile from being built, and a command of a stage that a later one replaces."""
    if not text.strip() or _OTHER_DOCKER.search(text):
        return
    stages: list[str] = []
    has_from, commands = False, set[str]()
    for line, number in _instructions(text):
        word = line.split(maxsplit=1)[0]
        name, values = word.upper(), line[len(word) :].strip()
        if name not in _INSTRUCTIONS and not name.startswith("DOCKER"):  # old: DOCKER-VERSION
            yield f"{quoted(word)} is no instruction of a Dockerfile", number
        elif name == "FROM":
            stage = _STAGE.fullmatch(line)
            stages += [stage[1].lower()] if stage else []
            has_from, commands = True, set()
        elif not has_from and name != "ARG":
            yield f"{name} stands above the first FROM", number
        elif name in {"CMD", "ENTRYPOINT"}:
            if name in commands:
                yield f"a stage has {name} twice, and only the last one counts", number
            commands.add(name)
        elif name in {"COPY", "ADD"}:
            yield from ((fault, number) for fault in _of_copy(values, stages))
    if not has_from:
        yield "it has no FROM", 1


def _of_copy(values: str, stages: list[str]) -> Iterator[str]:
    source = _FROM_STAGE.match(values)
    if source and source[1] not in stages and nearest(source[1], stages):
        yield f"no stage is called {printable(source[1])}"
    rest = [part for part in values.split() if not part.startswith("--")]
    if len(rest) == 1 and not rest[0].startswith(("[", "<<", "$")):
        yield f"{quoted(rest[0])} is copied to nowhere"


def _instructions(text: str) -> Iterator[tuple[str, int]]:
    """Yield each instruction, joined to one line, with its first line's number."""
    joined, start, ends = "", 0, list[str]()
    for number, row in enumerate(text.split("\n"), 1):
        line = row.strip()
        if ends:
            ends = ends[1:] if line == ends[0] else ends
        elif line and not line.startswith("#"):
            start = start or number
            joined += f" {line.removesuffix(chr(92))}"
            if not line.endswith("\\"):
                yield joined.strip() or "RUN", start
                ends = _HERE.findall(joined) if "<<" in joined else []
                joined, start = "", 0


_COMMENTS = lazy_pattern(r"(?s)/\*.*?(?:\*/|\Z)|(?<![:\w])//[^\n]*")
_DECLARED = lazy_pattern(
    r"[ \t]*[$@]?-{0,2}[a-z][\w-]*[ \t]*:(?!:)[^;{}]*[^;{},(:+*/&|\\\s-][ \t\r]*"
)
_DECLARES = lazy_pattern(r"[ \t]*[$@]?-{0,2}[a-z][\w-]*[ \t]*:(?!:)[^{};]+;.*")


def find_style_faults(_path: str, text: str) -> Iterator[Fault]:
    """Yield the declarations without a semicolon before another one: browsers drop both."""
    if "{{" in text or "{%" in text:
        return
    plain = _COMMENTS.sub(lambda match: "\n" * match[0].count("\n"), text)
    rows = [(number, row) for number, row in enumerate(plain.split("\n"), 1) if row.strip()]
    depth = 0
    triples = zip(rows, rows[1:], [*rows[2:], (0, "")], strict=False)
    for (number, row), (_, below), (_, last) in triples:
        depth += row.count("(") - row.count(")")
        is_last = last.lstrip().startswith("}") and _DECLARED.fullmatch(below)
        declares = is_last or _DECLARES.fullmatch(below)
        is_beside = not depth and indent_of(row) == indent_of(below)
        if declares and is_beside and _DECLARED.fullmatch(row):
            yield f"{quoted(row)} has no `;`", number


_LOOSE = lazy_pattern(r"[ \t]*[a-z][\w-]*[ \t]*:(?!:)[^{};]+;[ \t\r]*")


def find_loose_declarations(_path: str, text: str) -> Iterator[Fault]:
    """Yield the declarations of plain CSS outside of any rule."""
    if "{{" in text or "{%" in text or "\\" in text:
        return
    depth = 0
    plain = _COMMENTS.sub(lambda match: "\n" * match[0].count("\n"), text)
    for number, row in enumerate(plain.split("\n"), 1):
        if not depth and _LOOSE.fullmatch(row):
            yield f"{quoted(row)} is in no rule", number
        depth += row.count("{") - row.count("}")


_NO_TEX = lazy_pattern(
    r"(?s)\\[{}%\\]|%[^\n]*|\\(?:verb|lstinline)\*?([^\w\s{*])[^\n]*?\1"
    r"|\\begin\{(verbatim|lstlisting|minted|comment|filecontents)\*?\}.*?(?:\\end\{\2\*?\}|\Z)"
)


def find_tex_faults(_path: str, text: str) -> Iterator[Fault]:
    """Yield that braces of a document do not balance; LaTeX reads on to its end."""
    plain = _NO_TEX.sub("", text)
    if plain.count("{") != plain.count("}") and "\\catcode" not in text:
        yield "its braces do not close", text.count("\n") or 1


_OPEN_HERE = lazy_pattern(r"(?m)<<-?([A-Za-z_]\w*)[ \t\r]*$")


def find_terraform_faults(_path: str, text: str) -> Iterator[Fault]:
    """Yield the first here-document without the word that ends it."""
    rows = {row.strip() for row in text.split("\n")}
    for opening in _OPEN_HERE.finditer(text):
        if opening[1] not in rows:
            line = text.count("\n", 0, opening.start()) + 1
            yield f"no line is `{opening[1]}`, which ends the text", line
            return


def find_sql_faults(_path: str, text: str) -> Iterator[Fault]:
    """Yield the rows of an INSERT with other than its number of columns."""
    if "{{" in text or "{%" in text:
        return
    tokens = token_tree(text, "sql")
    words = [token.text.upper() for token in tokens]
    if "\\" not in text and "#" not in text:
        yield from (
            ("a quote is never closed", token.line) for token in _all(tokens) if token.text == "'"
        )
    for at, word in enumerate(words):
        if word != "VALUES" or at < 4 or "INTO" not in words[max(at - 6, 0) : at]:
            continue
        if words[at - 1] != "(":
            continue
        columns = _width(tokens[at - 1])
        for token in tokens[at + 1 :]:
            if token.text == "(" and token.inner:
                width, first = _width(token), token.inner[0].text.upper()
                if width != columns and first not in {"SELECT", "WITH"}:
                    yield f"a row has {width} values for {columns} columns", token.line
            elif token.text != ",":
                break


def _all(tokens: list[Token]) -> Iterator[Token]:
    """Yield the tokens, with those inside brackets."""
    waiting = [tokens]
    while waiting:
        level = waiting.pop()
        yield from level
        waiting += [token.inner for token in level if token.inner]


def _width(group: Token) -> int:
    return 1 + sum(token.text == "," for token in group.inner)


_WORKFLOW = lazy_pattern(r"(?:.*/)?\.github/workflows/[^/]+\.ya?ml")
_COMPOSE = lazy_pattern(r"(?:docker-)?compose\.ya?ml")


def data_finder(path: str) -> Callable[[str, str], Iterator[Fault]] | None:
    """Return what finds the faults of a file of such a format by its name."""
    if _WORKFLOW.fullmatch(path):
        return _in_workflow
    if _COMPOSE.fullmatch(basename(path)):
        return _in_compose
    return _in_notebook if path.endswith(".ipynb") else None


def _root(text: str) -> Any:
    """Return the root node of YAML, or None if it is no mapping, cannot be read or merges others."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(text.removeprefix("\ufeff"), Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return root if isinstance(root, yaml.MappingNode) and "<<:" not in text else None


def _pairs(node: Any) -> dict[str, Any]:
    """Return the values of a mapping by their keys; empty for another node."""
    pairs = node.value if getattr(node, "id", "") == "mapping" else []
    return {key.value: value for key, value in pairs if isinstance(key.value, str)}


def _items(node: Any) -> list[Any]:
    return list(node.value) if getattr(node, "id", "") == "sequence" else []


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _in_workflow(_path: str, text: str) -> Iterator[Fault]:
    root = _root(text)
    if root is None:
        return
    top = _pairs(root)
    if not {"on", "jobs"} & top.keys():
        return
    for key in sorted({"on", "jobs"} - top.keys()):
        yield f"a workflow has no `{key}`", 1
    jobs = _pairs(top.get("jobs"))
    for name, job in jobs.items():
        keys, shown = _pairs(job), printable(name)
        if keys and not {"runs-on", "uses"} & keys.keys():
            yield f"job {shown} has no `runs-on`", _line(job)
        needs = keys.get("needs")
        for need in _items(needs) or [needs]:
            value = getattr(need, "value", "")
            if isinstance(value, str) and value and "${{" not in value and value not in jobs:
                yield f"job {shown} needs {printable(value)}, and there is no such job", _line(need)
        for step in _items(keys.get("steps")):
            yield from _of_step(step, shown)
    yield from _unclosed(root)


_OF_STEP = word_set("""
name id if env with shell working-directory run uses continue-on-error timeout-minutes
""")


def _of_step(step: Any, job: str) -> Iterator[Fault]:
    keys = _pairs(step).keys()
    ways = {"run", "uses"} & keys
    if len(ways) != 1 and keys and keys <= _OF_STEP:
        count = "both `run` and `uses`" if ways else "neither `run` nor `uses`"
        yield f"a step of job {job} has {count}", _line(step)


def _unclosed(root: Any) -> Iterator[Fault]:
    """Yield the texts with an expression that does not end."""
    waiting, visited = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if node.id == "scalar" and node.value.count("${{") > node.value.count("}}"):
            yield "an expression has no `}}`", _line(node)
        waiting += [value for _, value in node.value] if node.id == "mapping" else _items(node)


_OF_SERVICES = frozenset({"image", "build", "ports", "command", "depends_on", "entrypoint"})
_NAMED = lazy_pattern(r"([A-Za-z0-9][\w.-]*):/")


def _in_compose(_path: str, text: str) -> Iterator[Fault]:
    top = _pairs(_root(text))
    services, volumes = _pairs(top.get("services")), _pairs(top.get("volumes"))
    for section in ("volumes", "networks", "secrets", "configs"):
        for name, value in _pairs(top.get(section)).items():
            if _OF_SERVICES & _pairs(value).keys():
                yield f"{printable(name)} is a service among the {section}", _line(value)
    if not services or {"include", "extends"} & top.keys():
        return
    for service in services.values():
        keys = _pairs(service)
        for volume in _items(keys.get("volumes")):
            named = _NAMED.match(volume.value) if isinstance(volume.value, str) else None
            if named and named[1] not in volumes and not re.match(r"[A-Za-z]:/", volume.value):
                yield f"volume {named[1]} is not declared", _line(volume)
        needs = keys.get("depends_on")
        for need in (*_items(needs), *_pairs(needs)):
            name = getattr(need, "value", need)
            if isinstance(name, str) and "$" not in name and name not in services:
                yield f"it depends on {printable(name)}, and there is no such service", _line(needs)


_CELLS = {
    "code": ("metadata", "source", "outputs", "execution_count"),
    "markdown": ("metadata", "source"),
    "raw": ("metadata", "source"),
}


def _in_notebook(_path: str, text: str) -> Iterator[Fault]:
    try:
        notebook = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return
    if not isinstance(notebook, dict) or "worksheets" in notebook:
        return
    for key in ("cells", "metadata", "nbformat", "nbformat_minor"):
        if key not in notebook:
            yield f"a notebook has no `{key}`", 1
    is_python = '"language": "python"' in text
    cells = notebook.get("cells")
    for number, cell in enumerate(cells if isinstance(cells, list) else (), 1):
        keys = cell if isinstance(cell, dict) else {}
        kind = str(keys.get("cell_type"))
        missing = [key for key in _CELLS.get(kind, ()) if key not in keys]
        if kind not in _CELLS or missing:
            what = f"no `{missing[0]}`" if missing else "no `cell_type` that there is"
            yield f"cell {number} has {what}", 1
        source = keys.get("source")
        rows = list(map(str, source)) if isinstance(source, list) else []
        if is_python and kind == "code" and '"error"' not in json.dumps(keys.get("outputs")):
            yield from _of_code("".join(rows), number, text)
        run_on = next((row for row in rows[:-1] if not str(row).endswith("\n")), None)
        if run_on is not None:
            place = max(text.find(json.dumps(run_on, ensure_ascii=False)), 0)
            yield f"a line of cell {number} has no `\\n` at its end", text.count("\n", 0, place) + 1


_OF_IPYTHON = lazy_pattern(r"(?m)^[ \t]*[%!?]|\?[ \t]*$|[=(][ \t]*[%!]|\bawait\b|\basync\b")


def _of_code(code: str, number: int, text: str) -> Iterator[Fault]:
    """Yield the first syntax error of a cell of plain Python."""
    flaw = None if _OF_IPYTHON.search(code) else find_python_flaw(code)
    if flaw is not None:
        row = json.dumps(code.split("\n")[flaw.line - 1], ensure_ascii=False)[1:-1]
        place = max(text.find(row), 0)
        yield f"cell {number} is not valid Python: {flaw.message}", text.count("\n", 0, place) + 1
