"""Makefiles: a recipe that begins with spaces in place of a tab, which make refuses."""

from __future__ import annotations

from minitask.gates.lint_error import SyntaxFlaw
from minitask.patterns import lazy_pattern

_RULE = lazy_pattern(r"[^\s#=:][^#=:]*::?(?![:=])(?!.*[:+?!]?=).*")
_DIRECTIVE = lazy_pattern(
    r" +(?:-?include|sinclude|ifn?(?:eq|def)|else|endif|define|endef|export|unexport|override|private|vpath|load)\b.*"
)
_DATA = lazy_pattern(r" +\S+?\s*(?:[:+?!]{0,3}=|::?(?:\s|$)).*| +\$[({].*[)}]\s*")


def find_make_flaw(text: str) -> SyntaxFlaw | None:
    """Return the first recipe line below a rule that begins with spaces; None where recipes have another prefix."""
    if ".RECIPEPREFIX" in text:
        return None
    below_rule = continued = in_define = False
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if in_define:
            in_define = words[:1] != ["endef"]
        elif words[:1] == ["define"]:
            in_define = True
        elif not continued and words and not line.lstrip().startswith("#"):
            if below_rule and _is_spaced_recipe(line):
                return SyntaxFlaw(number, "a recipe line begins with spaces, and make wants a tab")
            if not line.startswith((" ", "\t")):
                below_rule = _RULE.fullmatch(line) is not None
            elif line.startswith("\t"):
                continued = line.endswith("\\")
                continue
        continued = line.endswith("\\")
    return None


def _is_spaced_recipe(line: str) -> bool:
    return line.startswith(" ") and not _DIRECTIVE.fullmatch(line) and not _DATA.fullmatch(line)
