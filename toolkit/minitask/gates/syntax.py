"""Whether a proposed file is of the language that its name promises, and which line is the first that is not.

Only what is new counts: where the base's file fails the same check, the proposal is not judged. What no parser here can
tell for certain passes: C (its preprocessor may make anything of it), shell (tree-sitter's grammar rejects about one in
thirty scripts that bash takes), and what an engine is yet to fill in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from minitask.gates.data_syntax import find_json_flaw, find_toml_flaw, find_yaml_flaw
from minitask.gates.grammars import GRAMMARS, find_grammar_flaw
from minitask.gates.lint_error import FileChange, LintError, SyntaxFlaw
from minitask.gates.make_syntax import find_make_flaw
from minitask.gates.prefilter import suffix_of
from minitask.gates.python_syntax import find_python_flaw
from minitask.patterns import lazy_pattern

Check = Callable[[str], SyntaxFlaw | None]

LARGEST = 1_000_000
"""Characters above which a file is not parsed: nobody wrote it by hand, and parsers take long."""
_CHECKS: dict[str, tuple[str, Check]] = {
    ".geojson": ("JSON", find_json_flaw),
    ".ipynb": ("JSON", find_json_flaw),
    ".json": ("JSON", find_json_flaw),
    ".mk": ("make", find_make_flaw),
    ".py": ("Python", find_python_flaw),
    ".pyi": ("Python", find_python_flaw),
    ".toml": ("TOML", find_toml_flaw),
    ".webmanifest": ("JSON", find_json_flaw),
    ".yaml": ("YAML", find_yaml_flaw),
    ".yml": ("YAML", find_yaml_flaw),
}
_REMEDY = "correct it, and reply with complete code that leaves nothing out"

# Statements and tags of Jinja, Liquid, Twig, ERB, EJS or JSP: `{% if x %}`, `<% end %>`, `<?php`.
_TEMPLATE = lazy_pattern(r"\{%-?[ \t]{0,9}\w[^\n]{0,300}?%\}|<%[^\n]{0,300}?%>|<\?php")
# `{{ value }}`, which a template of data holds where a value belongs; `${{` is GitHub's, and no template.
_MUSTACHE = lazy_pattern(r"(?<!\$)\{\{")
# Files named .json whose readers allow comments and trailing commas.
_LENIENT_JSON = lazy_pattern(
    r"""(?:^|/)(?:
        \.(?:vscode|devcontainer|zed)/.*
      | (?:ts|js)config[^/]*\.json
      | \.(?:eslintrc|babelrc|jshintrc|swcrc|jscsrc|markdownlint|hintrc|stylelintrc)[^/]*
      | (?:devcontainer|api-extractor|tslint|typedoc|turbo|nx|deno|biome|wrangler|rush|babel\.config)\.json
    )$""",
    re.VERBOSE,
)


def find_syntax_fault(proposal: FileChange) -> LintError | None:
    """The first place where the proposal is not of its language; None where it is, or where there is no telling."""
    named = _check_of(proposal.path)
    if named is None:
        return None
    language, check = named
    flaw = _found(check, proposal.content)
    if flaw is None or _is_template(proposal):
        return None
    if proposal.base is not None and _found(check, proposal.base):
        return None
    message = f"not valid {language}: {flaw.message}"
    return LintError(proposal.path, flaw.line, message, _REMEDY)


def _check_of(path: str) -> tuple[str, Check] | None:
    suffix = suffix_of(path)
    if suffix == ".json" and _LENIENT_JSON.search(path):
        return None
    grammar = GRAMMARS.get(suffix)
    if grammar is not None:
        return grammar.name, lambda text: find_grammar_flaw(text, grammar)
    return _CHECKS.get(suffix)


def _found(check: Check, text: str) -> SyntaxFlaw | None:
    return check(text) if len(text) <= LARGEST else None


def _is_template(proposal: FileChange) -> bool:
    """Whether an engine makes the real file of this one, which alone need not be of the language."""
    if "{{" in proposal.path or _TEMPLATE.search(proposal.content):
        return True
    is_data = PurePosixPath(proposal.path).suffix.lower() in {".json", ".toml", ".yaml", ".yml"}
    return is_data and bool(_MUSTACHE.search(proposal.content))
