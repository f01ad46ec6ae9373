"""Find fields and arguments that come twice in GraphQL, protobuf, Prisma, SQL or Terraform: loaders reject that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from minitask.gates.refused.repeated_keys import Names, repeated
from minitask.patterns import lazy_pattern
from minitask.words import word_set

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
            if (
                words[1:2] == ["="]
                and words[2:3] not in (["="], [">"])
                and _NAME.fullmatch(words[0])
            ):
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
    """Yield the columns that a CREATE TABLE has twice."""
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
    """Yield the fields that a model has twice."""
    for definition in _statements(token_tree(text, "prisma"), "{"):
        words = [token.text for token in definition if token.text != "\n"]
        if words[-1:] == ["{"] and words[0] in {"model", "type", "view", "enum"}:
            lines = _statements(definition[-1].inner, "\n")
            members = (
                (line[0].text, line[0].line) for line in lines if line[0].text.isidentifier()
            )
            yield from repeated(members, words[1])


READERS: Mapping[str, Callable[[str], Names]] = {
    **dict.fromkeys((".graphql", ".gql", ".graphqls"), _in_graphql),
    ".prisma": _in_prisma,
    ".proto": _in_protobuf,
    ".sql": _in_sql,
    **dict.fromkeys((".tf", ".tfvars"), _in_terraform),
}
"""What gives the names that come twice in a text, by the endings of files."""
