"""Find syntax errors with tree-sitter's grammars, and pre-select files by cheap patterns.

A grammar may lag behind its language. If a file has a form known to be missing from it (`gaps`), only the balance of
brackets is judged; a file in another dialect (`foreign`) is not judged at all. Each was tried on thousands of real
files; TypeScript's grammar lags so far behind that only brackets are judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.gates.result import SyntaxFlaw, quoted
from minitask.patterns import lazy_pattern
from minitask.spec.bash import walk
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Language, Node

# Keywords exported under their own name (`catch_ as catch`); attributes after `export * from`; import phases;
# `accessor` fields; escapes allowed only in tagged templates; `&` in the text of an element.
_OF_JAVASCRIPT = (
    r"\bas\s+(?:break|case|catch|class|const|continue|debugger|delete|do|else|enum|export|extends|false|finally|for|"
    r"function|if|import|in|instanceof|new|null|return|super|switch|this|throw|true|try|typeof|var|void|while|with)\b"
    r"|\bexport\s*\*[^;\n]{0,300}\bwith\s*\{"
    r"|\bimport\s+(?:defer|source)\s|\baccessor\s+[\w#\[]|\\[ux](?![0-9a-fA-F{])"
    r"|(?<!&)&\s[^;{}()=<]{0,300}(?:</|<\w|\{)"
)
# Variance (`<in out T>`), `export type *`, types of modules (`typeof import("a")`), types of tagged templates,
# optional elements of tuples, declarations with `using`, `in` as a key, `&` in an attribute of JSX, and modifiers in
# another order.
_OF_TYPESCRIPT = (
    r"|[<,]\s*(?:in\s+)?(?:in|out)\s+\w|\bexport\s+type\s*\*|(?:[:|&<]|\b(?:typeof|readonly|extends))\s*import\s*\("
    r"|>`|\?\s*[,\]]|\busing\s+\w+\s*:|\bin\d*\??\s*:|=\"[^\"\n]*&"
    r"|\babstract\s+override\b"
)
# A signature that begins with its type parameters, below another one: in JSX, such a line is an element.
_SIGNATURE = r"|(?m:^\s*<)"
_JAVASCRIPT_GAPS = lazy_pattern(_OF_JAVASCRIPT)
_TYPESCRIPT_GAPS = lazy_pattern(_OF_JAVASCRIPT + _OF_TYPESCRIPT + _SIGNATURE)
_TSX_GAPS = lazy_pattern(_OF_JAVASCRIPT + _OF_TYPESCRIPT)
# Flow: types in a .js file, announced by a pragma or by type imports.
_FLOW = lazy_pattern(r"(?m)@(?:no)?flow\b|^(?:import|export)\s+(?:type|typeof|opaque)\b")
# `new` of a value, and a group that ends on the line of its last constant.
_GO_GAPS = lazy_pattern(r"\bnew\([^)\n]{0,300}[\d\"'`(.&]|\b(?:const|var|type)\s*\([^\n)]*[^\s(]")
# Module imports, statements before `super(…)`, unnamed patterns (`A _, B _ ->`), and record patterns with a qualified
# name (`case A.B(C d) ->`).
_JAVA_GAPS = lazy_pattern(
    r"\bimport\s+module\b|[;}]\s*(?:super|this)\s*\(|\bcase\b[^;{}]{0,300}\b_\b|\(\s*_\b|\bcase\s+\w+\s*\.[\w.\s]{0,300}\("
)
# Macros that match anything or are named like a type (`str!`), unstable Rust (`box x`, `impl const`, `auto trait`,
# `macro m`, features), attributes on expressions, `safe fn`, empty bounds, `raw` as a name, and `fn(&_)`.
_RUST_GAPS = lazy_pattern(
    r"macro_rules!|\b(?:str|char|bool|[iuf](?:\d+|size))!|\w!\s*[\[({]\s*[~$]|~const|\[const\]|#!\[feature|\bbox\s+[\w(]|\braw\b(?!\s+(?:const|mut)\b)|\bauto\s+trait\b"
    r"|\bdefault\s+(?:impl|fn|unsafe|const|type|async)\b|\bmacro\s+\w|\bsafe\s+(?:fn|static)\b|\]\s*:\s*[,{]"
    r"|\bimpl\b[^{;]{0,300}\s(?:const|!)|[=(,]\s*(?:&mut\s+)?#\[|\bfn\s*\(\s*&\s*_|\binclude!"
)


class Grammar(Struct, frozen=True):
    """A language, the module of its grammar, and the forms that the grammar does not cover."""

    name: str
    module: str
    function: str = "language"
    gaps: re.Pattern[str] | None = None
    foreign: re.Pattern[str] | None = None


_JAVASCRIPT = Grammar("JavaScript", "tree_sitter_javascript", gaps=_JAVASCRIPT_GAPS, foreign=_FLOW)
_TYPESCRIPT = Grammar(
    "TypeScript", "tree_sitter_typescript", "language_typescript", gaps=_TYPESCRIPT_GAPS
)
_TSX = Grammar("TypeScript", "tree_sitter_typescript", "language_tsx", gaps=_TSX_GAPS)
GRAMMARS = {
    ".cjs": _JAVASCRIPT,
    ".cts": _TYPESCRIPT,
    ".go": Grammar("Go", "tree_sitter_go", gaps=_GO_GAPS),
    ".java": Grammar("Java", "tree_sitter_java", gaps=_JAVA_GAPS),
    ".js": _JAVASCRIPT,
    ".jsx": _JAVASCRIPT,
    ".mjs": _JAVASCRIPT,
    ".mts": _TYPESCRIPT,
    ".rs": Grammar("Rust", "tree_sitter_rust", gaps=_RUST_GAPS),
    ".ts": _TYPESCRIPT,
    ".tsx": _TSX,
}

SCRIPTS = frozenset(
    suffix for suffix, grammar in GRAMMARS.items() if grammar.name.endswith("Script")
)
"""Endings of JavaScript and TypeScript files."""
_DEEPEST = 300
"""Most `<` that may be open at once: beyond it, some grammars need memory that grows quadratically."""
# Characters that end anything a `<` may have opened.
_ENDS = lazy_pattern(r"[>;{}()]")
_STEPS, _STEPS_PER_CHARACTER = 1_000, 0.03
"""Progress reports before a parser is stopped: real files need at most half, some garbage a thousand times as many."""
_CHUNK = 512
"""Bytes that the parser asks for at once: reading the text of any node copies as many."""
_OPENING = {"(": ")", "[": "]", "{": "}", "${": "}"}
_CLOSING = frozenset(_OPENING.values())


def find_grammar_flaw(text: str, grammar: Grammar, base: str | None = None) -> SyntaxFlaw | None:
    """Return the first syntax error, or None if there is none or it cannot be judged.

    If the grammar can read the `base`, only new lines can have forms that it does not cover.
    """
    root = parsed(text, grammar)
    if root is not None and not root.has_error:
        return _other_flaw(root, text, grammar)
    if root is None or (grammar.foreign and grammar.foreign.search(text)):
        return None
    bracket = _odd_bracket(root)
    if grammar.gaps is not None and grammar.gaps.search(_new_lines(text, grammar, base)):
        return bracket
    first = _first_error(root)
    if grammar.name != "Java" and _ends_a_fragment(first, text):
        return None
    message = bracket.message if bracket else _said(first)
    return SyntaxFlaw(first.start_point.row + 1, message)


def _new_lines(text: str, grammar: Grammar, base: str | None) -> str:
    """Return the lines that a base that the grammar can read does not have; without such a base, all."""
    root = parsed(base, grammar) if base else None
    if base is None or root is None or root.has_error:
        return text
    known = frozenset(base.split("\n"))
    return "\n".join(row for row in text.split("\n") if row not in known)


_QUOTES = lazy_pattern("[\u2018-\u201f]")


def _other_flaw(root: Node, text: str, grammar: Grammar) -> SyntaxFlaw | None:
    """Return an error that grammars accept and compilers reject: typographic quotes in names, Go without a package."""
    if grammar.name == "Go" and text.strip():
        kinds = {child.type for child in root.children}
        if "package_clause" not in kinds and kinds - {"comment"}:
            return SyntaxFlaw(1, "it does not say its package")
    for node in walk(root) if _QUOTES.search(text) else ():
        if node.type.endswith("identifier") and _QUOTES.search((node.text or b"").decode()):
            return SyntaxFlaw(node.start_point.row + 1, "a typographic quote is no quote of code")
    return None


def parsed(text: str, grammar: Grammar) -> Node | None:
    """Return the syntax tree, or None if parsing would take too much time or memory."""
    if max(part.count("<") for part in _ENDS.split(text)) > _DEEPEST:
        return None
    try:
        source = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None
    return _tree(source, _language(grammar.module, grammar.function))


def sound_tree(text: str, suffix: str) -> Node | None:
    """Return the syntax tree of a text without errors; None for another one, and without a grammar."""
    root = parsed(text, GRAMMARS[suffix]) if suffix in GRAMMARS else None
    return None if root is None or root.has_error else root


@cache
def _language(module: str, function: str) -> Language:
    from importlib import import_module

    from tree_sitter import Language

    return Language(getattr(import_module(module), function)())


@lru_cache(maxsize=4)  # several checks read the same two texts, one after another
def _tree(source: bytes, language: Language) -> Node | None:
    # A stopped parser must not be reused: it would resume where it stopped.
    from tree_sitter import Parser

    remaining = _STEPS + int(len(source) * _STEPS_PER_CHARACTER)

    def is_enough(_offset: int, _failed: bool) -> bool:
        nonlocal remaining
        remaining -= 1
        return remaining < 0

    def chunk(offset: int, _place: object) -> bytes:
        return source[offset : offset + _CHUNK]

    try:
        return Parser(language).parse(chunk, progress_callback=is_enough).root_node
    except ValueError:
        return None


def _first_error(root: Node) -> Node:
    """Return the first node in text order that is unreadable or missing."""
    node = root
    while not (node.is_error or node.is_missing):
        inner = next((child for child in node.children if child.has_error), None)
        if inner is None:
            return node
        node = inner
    return node


def _ends_a_fragment(node: Node, text: str) -> bool:
    """Return True if only the last semicolon is missing: the file is an expression that others include."""
    if not node.is_missing or node.type != ";":
        return False
    return not any(line.strip() for line in text.split("\n")[node.start_point.row + 1 :])


def _said(node: Node) -> str:
    if node.is_missing:
        return f"{quoted(node.type)} is missing"
    text = (node.text or b"")[:400].decode("utf-8", "replace")
    return f"cannot read {quoted(text.strip().split(chr(10))[0])}"


def _odd_bracket(root: Node) -> SyntaxFlaw | None:
    """Return the first bracket that closes nothing, or else the last that is never closed."""
    opened: list[tuple[str, int]] = []
    for node in leaves(root):
        kind, line = node.type, node.start_point.row + 1
        if kind in _OPENING:
            opened.append((kind, line))
        elif kind in _CLOSING:
            if not opened or _OPENING[opened[-1][0]] != kind:
                message = f'the "{kind}" in line {line} does not close what was opened'
                return SyntaxFlaw(line, message)
            opened.pop()
    if not opened:
        return None
    kind, line = opened[-1]
    return SyntaxFlaw(line, f'the "{kind}" in line {line} is never closed')


def leaves(root: Node) -> Iterator[Node]:
    """Yield the tokens that are in the text, in order."""
    cursor = root.walk()
    while True:
        if cursor.goto_first_child():
            continue
        node = cursor.node
        if node is not None and node.end_byte > node.start_byte:
            yield node
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


_DATA = (
    ".json .ipynb .geojson .webmanifest .mk .toml .yaml .yml .env .properties .ini .cfg .graphql .graphqls"
    " .gql .prisma .proto .sql .tf .tfvars .htm .html .svelte .vue .po .pot .arb"
)
XML = word_set("""
.axaml .csproj .entitlements .fsproj .iml .nuspec .plist .resx .storyboard .targets .vbproj .xaml .xcscheme .xib .xlf
.xliff .xml .xsd .xsl .xslt .svg
""")
"""Endings of files that are XML."""
JUDGED = frozenset({".py", ".pyi", *GRAMMARS, *_DATA.split(), *XML})
"""Endings of files that are checked for syntax, or for names and keys that come twice."""
SUFFIXES_BY_NAME = {
    **dict.fromkeys(("makefile", "gnumakefile"), ".mk"),
    **dict.fromkeys(("composer.lock", "pipfile.lock"), ".json"),
    **dict.fromkeys(("cargo.lock", "poetry.lock", "uv.lock", "pdm.lock", "pipfile"), ".toml"),
}
"""Endings that give the language of files with these names."""


DOCUMENTS = frozenset(
    {".md", ".markdown", ".mdx", ".rst", ".adoc", ".asciidoc", ".org", ".txt", ".tex"}
)
"""Endings of files in prose."""
STATEMENTS = word_set("""
.c .h .cc .cpp .hpp .cs .rb .lua .sql .sh .bash .zsh .css .scss .less .kt .kts .swift .scala .dart .ts .tsx .pl .pm .r
.ex .exs .ps1 .psm1 .tf .proto .zig .hs .php .ini .cfg .conf .env .mk .graphql .gradle .groovy .clj .cljs .ml .mli .fs
.fsx .erl .hrl .jl .nim .sol .gd .f90 .nix dockerfile makefile justfile gemfile
""")
"""Names and endings of files that hold nothing but statements, settings or rules: no line is a sentence."""


CLOSED = word_set("""
.c .h .cc .cpp .hpp .cs .swift .kt .kts .gradle .groovy .scala .dart .zig .sol .proto .tf .r .css .scss
""")
"""Endings of languages in which, outside of comments and strings, no line is a sentence and no quote is escaped."""


def suffix_of(path: str) -> str:
    """Return the ending that gives the file's language."""
    name = PurePosixPath(path).name.lower()
    suffix = SUFFIXES_BY_NAME.get(name) or PurePosixPath(name).suffix
    is_env = name == ".env" or name.startswith(".env.")
    return ".env" if is_env and suffix not in JUDGED else suffix
