"""Check that a proposed file is valid in the language of its name, and find the first error.

Only new errors count: a file whose base fails the same check passes. Files that no parser here can judge for certain
also pass: C (macros can change its syntax), shell (tree-sitter's grammar rejects about one in thirty scripts that bash
accepts), and templates.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from threading import Lock

from minitask.gates.result import FileChange, LintError, SyntaxFlaw, printable
from minitask.gates.source.grammars import GRAMMARS, XML, find_grammar_flaw, suffix_of
from minitask.patterns import lazy_pattern

_RULE = lazy_pattern(r"[^\s#=:][^#=:]*::?(?![:=])(?!.*[:+?!]?=).*")
_MAY_BE_SPACED = lazy_pattern(
    r" +(?:-?include|sinclude|ifn?(?:eq|def)|else|endif|define|endef|export|unexport|override|private|vpath|load)\b.*"
    r"| +\S+?\s*(?:[:+?!]{0,3}=|::?(?:\s|$)).*| +\$[({].*[)}]\s*"
)


def find_make_flaw(text: str) -> SyntaxFlaw | None:
    """Return the first recipe line indented with spaces, or None; None also if `.RECIPEPREFIX` is set."""
    if ".RECIPEPREFIX" in text:
        return None
    below_rule = continued = in_define = False
    for number, line in enumerate(text.split("\n"), 1):
        tokens = line.split()
        if in_define:
            in_define = tokens[:1] != ["endef"]
        elif tokens[:1] == ["define"]:
            in_define = True
        elif not continued and tokens and not line.lstrip().startswith("#"):
            if below_rule and line.startswith(" ") and not _MAY_BE_SPACED.fullmatch(line):
                return SyntaxFlaw(number, "a recipe line begins with spaces, and make wants a tab")
            if not line.startswith((" ", "\t")):
                below_rule = _RULE.fullmatch(line) is not None
            elif line.startswith("\t"):
                continued = line.endswith("\\")
                continue
        continued = line.endswith("\\")
    return None


_BOM = "\ufeff"
# The position in tomllib's messages; versions before 3.14 give it nowhere else.
_TOML_PLACE = lazy_pattern(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def find_json_flaw(text: str) -> SyntaxFlaw | None:
    """Return the first JSON error; JSON Lines are accepted."""
    from json import JSONDecodeError

    try:
        _load_json(text.removeprefix(_BOM))
    except JSONDecodeError as error:
        if error.msg == "Extra data" and _is_json_lines(text):
            return None
        return SyntaxFlaw(error.lineno, printable(error.msg))
    except RecursionError:
        return None
    return None


def find_toml_flaw(text: str) -> SyntaxFlaw | None:
    """Return the first TOML 1.0 error."""
    import tomllib

    try:
        tomllib.loads(text.removeprefix(_BOM), parse_float=str)
    except tomllib.TOMLDecodeError as error:
        return _toml_flaw(str(error), text)
    except (ValueError, RecursionError):
        return None
    return None


def find_yaml_flaw(text: str) -> SyntaxFlaw | None:
    """Return the first YAML syntax error; tags may be anything."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text.encode("utf-8")  # raises `UnicodeEncodeError`, which is a `ValueError`
        for _ in yaml.parse(text.removeprefix(_BOM), Loader=loader):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be read"
        return SyntaxFlaw(mark.line + 1 if mark else 1, printable(problem))
    except yaml.YAMLError:
        return SyntaxFlaw(1, "it holds characters that YAML does not allow")
    except (RecursionError, MemoryError, ValueError):
        return None
    return None


def find_xml_flaw(text: str) -> SyntaxFlaw | None:
    """Return the first error of well-formedness; None for a file with a DOCTYPE, which may define anything."""
    from xml.parsers import expat

    if "<!DOCTYPE" in text or not text.strip():
        return None
    try:
        expat.ParserCreate("utf-8").Parse(text.removeprefix(_BOM).strip().encode("utf-8"), True)
    except expat.ExpatError as error:
        return SyntaxFlaw(error.lineno, expat.ErrorString(error.code))
    except ValueError:
        return None
    return None


_SCRIPT = lazy_pattern(r"(?i)<script\b((?:\"[^\"]*\"|'[^']*'|[^<>\"'])*)>")
_LANGUAGE = lazy_pattern(r"""(?i)\b(?:lang|type)\s*=\s*["']?([\w./+-]+)""")
_SCRIPT_SUFFIXES = {
    **dict.fromkeys(("", "js", "module", "text/javascript", "application/javascript"), ".js"),
    **dict.fromkeys(("ts", "typescript"), ".ts"),
    **dict.fromkeys(("jsx",), ".jsx"),
    **dict.fromkeys(("tsx",), ".tsx"),
}
_MARKS = ("{{", "{%", "<%", "<?", "@if", "@php")


def find_script_flaw(text: str) -> SyntaxFlaw | None:
    """Return the first syntax error of the scripts inside markup; templates are not judged."""
    end = 0
    while opening := _SCRIPT.search(text, end):
        end = text.find("</script", opening.end())
        code, language = text[opening.end() : end], _LANGUAGE.search(opening[1])
        suffix = _SCRIPT_SUFFIXES.get(language[1].lower() if language else "")
        if end < 0:
            return None
        if suffix is None or any(mark in code for mark in _MARKS):
            continue
        above = "\n" * text.count("\n", 0, opening.end())
        flaw = find_grammar_flaw(above + code, GRAMMARS[suffix])
        if flaw is not None:
            return flaw
    return None


def _load_json(text: str) -> None:
    """Parse JSON without converting numbers, which may be longer than Python's limit for integers."""
    import json

    json.loads(text, parse_int=str, parse_float=str)


def _is_json_lines(text: str) -> bool:
    try:
        for line in filter(str.strip, text.split("\n")):
            _load_json(line)
    except (ValueError, RecursionError):
        return False
    return True


def _toml_flaw(message: str, text: str) -> SyntaxFlaw:
    match = _TOML_PLACE.search(message)
    last = text.rstrip("\n").count("\n") + 1
    line = int(match[1]) if match and match[1] else last
    return SyntaxFlaw(line, printable(_TOML_PLACE.sub("", message)))


_WARNINGS = Lock()
"""Switching warnings off affects the whole process; two threads at once could leave them off."""


@contextmanager
def without_warnings() -> Iterator[None]:
    """Switch off the warnings that Python gives of a text that it compiles."""
    import warnings

    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


_WIDEST = 500
"""Characters of a line that are searched for syntax of later Python versions."""
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

# Syntax of later Python versions, matched on the line of the error: with it, the file may be valid.
_LATER = (
    # `type Name = …`, `def f[T](…)`, `class C[T]:`
    ((3, 12), lazy_pattern(r"^\s*type\s+\w+.*=|^\s*(?:async\s+)?(?:def|class)\s+\w+\s*\[")),
    # The f-string's own quote within its braces, or braces not closed on the line.
    ((3, 12), lazy_pattern(r"""\b[rR]?[fF][rR]?(?P<mark>["']).*\{[^}]*(?:(?P=mark)|$)""")),
    # `def f[T = int]`, a default of a type parameter.
    ((3, 13), lazy_pattern(r"^\s*(?:(?:async\s+)?def|class|type)\s+\w+\s*\[.*=.*\]")),
    # `except A, B:`
    ((3, 14), lazy_pattern(r"^\s*except\*?\s+[\w.]+\s*,")),
    # t"…"
    ((3, 14), lazy_pattern(r"""\b[rR]?[tT][rR]?["']""")),
)


def find_python_flaw(text: str) -> SyntaxFlaw | None:
    """Return the first Python syntax error, or None if there is none or it cannot be judged."""
    try:
        source = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None
    if b"\0" in source:
        return SyntaxFlaw(source[: source.index(b"\0")].count(b"\n") + 1, "it holds a NUL byte")
    try:
        with without_warnings():
            compile(source, "proposal", "exec", dont_inherit=True)
    except SyntaxError as error:
        return _flaw(error, text)
    except (RecursionError, MemoryError, ValueError, OverflowError):
        return None
    return None


def _flaw(error: SyntaxError, text: str) -> SyntaxFlaw | None:
    lines = text.split("\n")
    line = min(max(error.lineno or 1, 1), len(lines))
    if _is_later(error, lines[line - 1][:_WIDEST]):
        return None
    return SyntaxFlaw(line, f"{printable(error.msg or 'invalid syntax')} (as Python {_VERSION})")


def _is_later(error: SyntaxError, line: str) -> bool:
    """Return True if a later Python version may accept the line."""
    if sys.version_info < (3, 12) and (error.msg or "").startswith("f-string"):
        return line.count("{") == line.count("}") or '"""' in line or "'''" in line
    return any(sys.version_info < version and form.search(line) for version, form in _LATER)


Check = Callable[[str], SyntaxFlaw | None]

LARGEST = 1_000_000
"""Characters above which a file is not parsed: it is not handwritten, and parsers take long."""
_MOST_ESCAPES = 5_000


def has_many_escapes(text: str) -> bool:
    """Return True for so many escaped quotes that each might be searched for its end through all of the text."""
    return text.count('\\"') + text.count("\\'") > _MOST_ESCAPES


_CHECKS: dict[str, tuple[str, Check]] = {
    ".arb": ("JSON", find_json_flaw),
    ".geojson": ("JSON", find_json_flaw),
    ".ipynb": ("JSON", find_json_flaw),
    ".json": ("JSON", find_json_flaw),
    ".mk": ("make", find_make_flaw),
    ".py": ("Python", find_python_flaw),
    ".pyi": ("Python", find_python_flaw),
    **dict.fromkeys((".htm", ".html", ".svelte", ".vue"), ("JavaScript", find_script_flaw)),
    **dict.fromkeys(XML, ("XML", find_xml_flaw)),
    ".toml": ("TOML", find_toml_flaw),
    ".webmanifest": ("JSON", find_json_flaw),
    ".yaml": ("YAML", find_yaml_flaw),
    ".yml": ("YAML", find_yaml_flaw),
}
_REMEDY = "correct it, and reply with complete code that leaves nothing out"

# Statements and tags of Jinja, Liquid, Twig, ERB, EJS or JSP: `{% if x %}`, `<% end %>`, `<?php`.
_TEMPLATE = lazy_pattern(r"\{%-?[ \t]{0,9}\w[^\n]{0,300}?%\}|<%[^\n]{0,300}?%>|<\?php")
# `{{ value }}` in place of a value, in a template of data; `${{` is GitHub's and does not make a template.
_MUSTACHE = lazy_pattern(r"(?<!\$)\{\{")
# Files named .json whose readers allow comments and trailing commas.
_LENIENT_JSON = lazy_pattern(
    r"""(?x)(?:^|/)(?:
        \.(?:vscode|devcontainer|codesandbox|zed)/.*
      | (?:ts|js)config[^/]*\.json
      | \.(?:eslintrc|babelrc|jshintrc|swcrc|jscsrc|markdownlint|hintrc|stylelintrc)[^/]*
      | (?:devcontainer|api-extractor|tslint|typedoc|turbo|nx|deno|biome|wrangler|rush|babel\.config)\.json
      | (?:angular|cspell|pyrightconfig|global|appsettings[^/]*|language-configuration|[^/]*-color-theme)\.json
    )$"""
)


def find_syntax_fault(proposal: FileChange) -> LintError | None:
    """Return the proposal's first syntax error, or None if there is none or it cannot be judged."""
    language_check = _check_of(proposal)
    if language_check is None:
        return None
    language, check = language_check
    flaw = _found(check, proposal.content)
    if flaw is None or (proposal.base is not None and _found(check, proposal.base)):
        return None
    path, base = proposal.path, proposal.base
    if _is_template(path, proposal.content) and (base is None or not _is_template(path, base)):
        return None  # a base that is valid in spite of such marks has them in strings or comments
    message = f"not valid {language}: {flaw.message}"
    return LintError(proposal.path, flaw.line, message, _REMEDY)


def _check_of(proposal: FileChange) -> tuple[str, Check] | None:
    suffix = suffix_of(proposal.path)
    if suffix == ".json" and _LENIENT_JSON.search(proposal.path):
        return None
    grammar = GRAMMARS.get(suffix)
    if grammar is not None:
        return grammar.name, lambda text: find_grammar_flaw(text, grammar, proposal.base)
    return _CHECKS.get(suffix)


def _found(check: Check, text: str) -> SyntaxFlaw | None:
    return check(text) if len(text) <= LARGEST else None


def _is_template(path: str, text: str) -> bool:
    """Return True if the file may be a template, which need not be valid in its language."""
    if "{{" in path or _TEMPLATE.search(text):
        return True
    is_data = PurePosixPath(path).suffix.lower() in {".json", ".toml", ".yaml", ".yml"}
    return is_data and bool(_MUSTACHE.search(text))
