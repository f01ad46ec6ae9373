"""Find keys, targets, fields and arguments that come twice in settings, Makefiles, schemas, SQL and Terraform.

A loader rejects the second one or drops the first. What may repeat is not judged: templates, branches of a
condition, and keys of INI files whose readers are unknown, unless their values can be no list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.words import word_set

Names = Iterator[tuple[str, int]]
"""Names with their lines (from 1)."""


def repeated(names: Names, scope: str = "") -> Names:
    """Yield each name that came before, behind its scope and a NUL."""
    visited: set[str] = set()
    for name, line in names:
        if name in visited:
            yield f"{scope}\0{name}", line
        visited.add(name)


_VARIABLE = lazy_pattern(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.]*)[ \t]*=[ \t]*(.*)")
_SHELL_BLOCK = lazy_pattern(r"(?m)^[ \t]*(?:if|case|for|while|function)\b")


def _variables(text: str) -> Names:
    """Yield the variables of a file without branches that do not build on their own former value."""
    quote = ""
    for number, line in enumerate([] if _SHELL_BLOCK.search(text) else text.split("\n"), 1):
        if quote:
            quote = "" if quote in line else quote
        elif match := _VARIABLE.match(line):
            name, value = match[1], match[2]
            quote = value[:1] if value[:1] in {'"', "'", "`"} else ""
            quote = "" if quote in value[1:] else quote
            if not re.search(rf"\$\{{?{re.escape(name)}\b", value):
                yield name, number


_KEY = lazy_pattern(r"[ \t]*((?:[^\\\s=:#!]|\\.)(?:[^\\\s=:]|\\.)*)[ \t]*[=:]")


def _properties(text: str) -> Names:
    """Yield the keys of a Java properties file; `#---` separates documents."""
    goes_on, document = False, 0
    for number, line in enumerate(text.replace("\r", "").split("\n"), 1):
        if not goes_on and line.strip() in {"#---", "!---"}:
            document += 1
        if not goes_on and (match := _KEY.match(line)):
            yield f"{document}\0{match[1]}", number
        is_comment = line.lstrip().startswith(("#", "!")) and not goes_on
        goes_on = not is_comment and (len(line) - len(line.rstrip("\\"))) % 2 == 1


_SECTION = lazy_pattern(r"\[([^\]\n]+)\]")
_OPTION = lazy_pattern(r"([A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*(.*)")
_STRICT = lazy_pattern(
    r"(?m)^\[(?:metadata|tool:\w+|pytest|tox|testenv|flake8|mypy|isort|coverage:\w+|alembic|bumpversion|pycodestyle)\]"
)
"""A section of a file that Python's strict configparser reads."""
_SINGLE = lazy_pattern(r"(?i)(?:true|false|yes|no|on|off|-?\d+(?:\.\d+)?)[ \t]*")
_PORT = lazy_pattern(r"(?i)port|listen|bind|socket")


def _options(text: str) -> Names:
    is_strict, section = _STRICT.search(text) is not None, ""
    for number, line in enumerate(text.split("\n"), 1):
        if match := _SECTION.match(line):
            section = match[1]
            continue
        match = _OPTION.match(line)
        if match is None:
            continue
        is_single = _SINGLE.fullmatch(match[2].strip()) and not _PORT.search(match[1])
        if is_strict or is_single:
            yield f"{section}\0{match[1]}", number


_RULE = lazy_pattern(r"([^\s#=:$%&\\(][^#=:$%&\\(]*):(?![:=])(?![^=#;\n]*=)([^\n]*)")
_CONDITION = lazy_pattern(r"[ \t]*(?:ifn?eq|ifn?def)\b")
_OTHER_MAKE = lazy_pattern(r"(?im)^(?:[.!][ \t]*(?:if|for|el|end)|\.RECIPEPREFIX)")


def _targets(text: str) -> Names:
    """Yield the targets outside of conditions that have a recipe."""
    depth, in_define, goes_on = 0, False, False
    rule: list[tuple[str, int]] = []
    for number, line in enumerate([] if _OTHER_MAKE.search(text) else text.split("\n"), 1):
        word = line.strip().partition(" ")[0]
        if goes_on:
            goes_on = line.endswith("\\")
            continue
        goes_on = line.endswith("\\")
        if in_define:
            in_define = word != "endef"
        elif word == "define":
            in_define, rule = True, []
        elif line.startswith("\t"):
            yield from rule
            rule = []
        elif _CONDITION.match(line):
            depth, rule = depth + 1, []
        elif word == "endif":
            depth, rule = depth - 1, []
        elif word and not word.startswith("#"):
            match = _RULE.match(line) if not depth else None
            names = match[1].split() if match else []
            rule = [(name, number) for name in names if not name.startswith(".")]
            if match and ";" in match[2]:
                yield from rule


_MESSAGE = lazy_pattern(r"(msgctxt|msgid|msgid_plural|msgstr(?:\[\d+\])?)[ \t]+(\".*\")|(\".*\")")


def _messages(text: str) -> Names:
    """Yield the messages of a catalog of gettext; obsolete ones are comments."""
    messages: list[tuple[str, int]] = []
    context = field = ""
    for number, line in enumerate(text.split("\n"), 1):
        match = _MESSAGE.fullmatch(line.strip())
        if match is None:
            continue
        field = match[1] or field
        if match[1] == "msgctxt":
            context = match[2]
        elif match[1] == "msgid":
            messages.append((f"{context}\0{match[2][1:-1]}", number))
            context = ""
        elif match[3] and field == "msgid":
            messages[-1] = (messages[-1][0] + match[3][1:-1], messages[-1][1])
        elif match[3] and field == "msgctxt":
            context += match[3]
    yield from messages


_STRING = r"\"(?:\\.|[^\"\\\n])*\""
_LEFT_OUT = {
    "graphql": r'""".*?(?:"""|\Z)|' + _STRING + r"|#[^\n]*",
    "proto": r"/\*.*?(?:\*/|\Z)|//[^\n]*|'(?:\\.|[^'\\\n])*'|" + _STRING,
    "sql": r"/\*.*?(?:\*/|\Z)|--[^\n]*|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)",
    "prisma": r"//[^\n]*|" + _STRING,
    "terraform": r"/\*.*?(?:\*/|\Z)|(?://|#)[^\n]*|<<-?(?P<end>\w+)\n.*?(?:\n[ \t]*(?P=end)(?=\s|\Z)|\Z)",
}
_WORDS = (
    r"\w+",
    r"[\w.]+",
    r"'(?:''|[^'])*'|\"[^\"\n]*\"|`[^`\n]*`|[\w.]+",
    r"\w+",
    rf"[\w-]+|{_STRING}",
)
_TOKENS = {
    language: lazy_pattern(rf"(?s){pattern}|(?P<token>{word}|[^\w \t\r])")
    for (language, pattern), word in zip(_LEFT_OUT.items(), _WORDS, strict=True)
}


_BY_LINE = ("terraform", "prisma")


class Token(Struct):
    """A word or sign with its line (from 1); `inner` is what a bracket holds."""

    text: str
    line: int
    inner: list[Token]


def token_tree(text: str, language: str) -> list[Token]:
    """Return the tokens of a text; what stands in brackets is inside the token that opens them."""
    stack: list[list[Token]] = [[]]
    line = 1
    for match in _TOKENS[language].finditer(text):
        sign = match["token"] or ""
        if sign in {"(", "[", "{"}:
            stack[-1].append(Token(sign, line, []))
            stack.append(stack[-1][-1].inner)
        elif sign in {")", "]", "}"}:
            del stack[max(len(stack) - 1, 1) :]
        elif sign and (sign != "\n" or language in _BY_LINE):
            stack[-1].append(Token(sign, line, []))
        line += match[0].count("\n")
    return stack[0]


def _statements(tokens: Sequence[Token], *ends: str) -> Iterator[list[Token]]:
    """Yield the tokens up to and with each end: one of `ends`, or what is in braces."""
    statement: list[Token] = []
    for token in tokens:
        statement.append(token)
        if token.text in ends:
            yield statement
            statement = []
    if statement:
        yield statement


_BODIES = ("type", "interface", "input", "enum")


def _in_graphql(text: str) -> Names:
    """Yield the fields that a type has twice, and the values of an enum."""
    for definition in _statements(token_tree(text, "graphql"), "{"):
        words = [token.text for token in definition]
        kind = next((word for word in reversed(words[:-2]) if word in _BODIES), "")
        if words[-1:] != ["{"] or not kind:
            continue
        name = words[len(words) - 1 - words[::-1].index(kind) + 1]
        inner = [token for token in definition[-1].inner if token.text != "("]
        before = ["", *(token.text for token in inner)]
        after = [*(token.text for token in inner[1:]), ""]
        members = (
            (token.text, token.line)
            for token, left, right in zip(inner, before, after, strict=False)
            if token.text.isidentifier() and left != "@" and (kind == "enum" or right == ":")
        )
        yield from repeated(members, name)


_NO_FIELD = ("option", "reserved", "extensions", "import", "package", "syntax", "edition")


def _in_protobuf(text: str) -> Names:
    """Yield the fields and numbers that a message or enum has twice, and the methods of a service."""
    waiting = [("", token_tree(text, "proto"))]
    while waiting:
        scope, tokens = waiting.pop()
        kind = scope.partition(" ")[0]
        members: list[tuple[str, int]] = []
        for statement in _of_message(tokens):
            words = [token.text for token in statement]
            if words[-1] == "{" and words[0] in {"message", "enum", "service"}:
                waiting.append((" ".join(words[:2]), statement[-1].inner))
            elif kind == "service" and words[0] == "rpc" and len(words) > 2:
                members.append((words[1], statement[0].line))
            elif kind in {"message", "enum"} and words[0] not in _NO_FIELD and "=" in words[1:-1]:
                at = words.index("=")
                members.append((words[at - 1], statement[0].line))
                if words[at + 1].isdigit() and "allow_alias" not in text:
                    members.append((f"field number {words[at + 1]}", statement[0].line))
        yield from repeated(iter(members), scope)


def _of_message(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Yield the statements of a message, with those of its `oneof`s."""
    for statement in _statements(tokens, ";", "{"):
        if statement[0].text == "oneof":
            yield from _statements(statement[-1].inner, ";", "{")
        else:
            yield statement


_NAME = lazy_pattern(r'"?[\w-]+"?')
_LABELLED = ("resource", "data", "variable", "output", "module")


def _in_terraform(text: str) -> Names:
    """Yield the arguments that a block or object has twice."""
    waiting = [token_tree(text, "terraform")]
    while waiting:
        tokens = waiting.pop()
        names: list[tuple[str, int]] = []
        for statement in _statements(tokens, "\n", ",", "{"):
            words = [token.text for token in statement]
            is_set = words[1:2] == ["="] and words[2:3] not in (["="], [">"])
            if is_set and _NAME.fullmatch(words[0]):
                names.append((words[0].strip('"'), statement[0].line))
            elif words[0] in _LABELLED and words[-1] == "{" and len(words) > 2:
                names.append((" ".join(words[:-1]), statement[0].line))
            waiting += [token.inner for token in statement if token.inner]
        yield from repeated(iter(names))


_NO_COLUMN = word_set("""
PRIMARY UNIQUE CONSTRAINT FOREIGN CHECK KEY INDEX EXCLUDE LIKE FULLTEXT SPATIAL PERIOD PARTITION PROJECTION SELECT
WITH
""")


def _in_sql(text: str) -> Names:
    tokens = token_tree(text, "sql")
    words = [token.text.upper() for token in tokens]
    for at, word in enumerate(words):
        if word != "TABLE" or "CREATE" not in words[max(at - 4, 0) : at]:
            continue
        body = next(
            (index for index in range(at + 1, min(at + 8, len(words))) if words[index] == "("), at
        )
        columns = (
            (statement[0].text.strip('"`').lower(), statement[0].line)
            for statement in _statements(tokens[body].inner, ",")
            if len(statement) > 1 and statement[0].text.upper() not in _NO_COLUMN
        )
        yield from repeated(columns, words[body - 1])


def _in_prisma(text: str) -> Names:
    for definition in _statements(token_tree(text, "prisma"), "{"):
        words = [token.text for token in definition if token.text != "\n"]
        if words[-1:] == ["{"] and words[0] in {"model", "type", "view", "enum"}:
            lines = _statements(definition[-1].inner, "\n")
            members = (
                (line[0].text, line[0].line) for line in lines if line[0].text.isidentifier()
            )
            yield from repeated(members, words[1])


READERS: Mapping[str, Callable[[str], Names]] = {
    ".env": lambda text: repeated(_variables(text)),
    ".properties": lambda text: repeated(_properties(text)),
    **dict.fromkeys((".ini", ".cfg"), lambda text: repeated(_options(text))),
    ".mk": lambda text: repeated(_targets(text)),
    **dict.fromkeys((".po", ".pot"), lambda text: repeated(_messages(text))),
    **dict.fromkeys((".graphql", ".gql", ".graphqls"), _in_graphql),
    ".prisma": _in_prisma,
    ".proto": _in_protobuf,
    ".sql": _in_sql,
    **dict.fromkeys((".tf", ".tfvars"), _in_terraform),
}
"""What gives the names that come twice in a text, by the endings of files."""
