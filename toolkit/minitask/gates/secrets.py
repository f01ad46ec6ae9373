"""Secrets in a change: the user's own keys, and private keys. They stop it before anything of it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minitask.edits.script_model import Change, Reader
from minitask.gates.result import GateResult
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

SHORTEST = 8
"""Characters below which a value is no key: it could stand anywhere."""
_PRIVATE_KEY = lazy_pattern(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|\s)*(?:[A-Za-z-]+: [^\n]*\s+)*"
    r"[\"' +]*([A-Za-z0-9+/=]{40,})"
)


def find_secret(
    changes: Sequence[Change], *, read: Reader, spec: Spec, secrets: Mapping[str, str]
) -> GateResult:
    """Refuse a change that writes the value of one of `secrets`, or a private key; the reason never holds it."""
    for change in changes:
        reason = _reason(change, read(change.path) or "", spec=spec, secrets=secrets)
        if reason:
            return GateResult("scope", passed=False, reason=reason, refused=True)
    return GateResult("scope", passed=True)


def redacted(text: str, secrets: Mapping[str, str]) -> str:
    """Return the text with the value of each secret, and each private key, replaced by its name."""
    for name, value in sorted(secrets.items(), key=lambda pair: -len(pair[1])):
        if len(value) >= SHORTEST:
            text = text.replace(value, f"[{name}]")
    return _PRIVATE_KEY.sub("[private key]", text)


def _reason(change: Change, base: str, *, spec: Spec, secrets: Mapping[str, str]) -> str:
    content = change.content or ""
    for name, value in secrets.items():
        if len(value) >= SHORTEST and value in content and value not in base:
            return f"{change.path} would hold the value of {name}"
    for found in _PRIVATE_KEY.finditer(content):
        if found[1] not in base and not any(found[1] in fence.content for fence in spec.snippets):
            line = content.count("\n", 0, found.start()) + 1
            return f"{change.path}:{line} would hold a private key"
    return ""
