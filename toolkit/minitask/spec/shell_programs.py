"""Recognise a shell command by its first word."""

from __future__ import annotations

_NAMES = """
ansible awk bash bazel black bun bundle cargo cat cd clang cmake composer curl deno diff docker dotnet echo eslint
find flake8 gcc git go gradle grep gulp head helm java jest jq julia kubectl ls make mix mocha mvn mypy node npm npx
nox perl php pip pipenv pnpm poetry prettier pre-commit psql pyright pytest python python3 rails rake rg ruby ruff
rustc sed sh shellcheck sqlite3 swift tail terraform test tox tsc uv vitest wc xmllint yamllint yarn zsh
"""
_PROGRAMS = frozenset(_NAMES.split())
_ALONE = frozenset({"pytest", "make", "tox", "nox", "jest", "vitest", "mypy", "ruff"})


def looks_like_command(text: str) -> bool:
    """Return True if the text begins with a known program and its arguments, or with a path to one."""
    tokens = text.split()
    if not tokens or text.endswith(("()", ":")):
        return False
    if tokens[0].startswith("./"):
        return True
    return tokens[0] in (_PROGRAMS | {"!"} if len(tokens) > 1 else _ALONE)
