"""Find lines that Docker, browsers and databases certainly refuse or drop."""

from __future__ import annotations

from collections.abc import Iterator

from minitask.edits.lines import indent_of
from minitask.gates.refused.repeated_keys import Token, token_tree
from minitask.gates.result import printable, quoted
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
