"""Output in whatever encoding a terminal or a pipe has: what that lacks is written in ASCII."""

from __future__ import annotations

import codecs
from io import TextIOWrapper

ASCII = {
    "✓": "+",
    "✗": "x",
    "·": "-",
    "…": "...",
    "→": "->",
    "←": "<-",
    "±": "+-",
    "×": "x",
    "–": "-",
    "—": "-",
    "│": "|",
    "├": "|",
    "└": "`",
    "─": "-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}
BEYOND_16_BITS = 0x10000
HANDLER = "minitask.ascii"


def write_what_it_lacks_in_ascii(stream: TextIOWrapper) -> None:
    """Have a stream write ASCII in place of characters that its encoding lacks."""
    codecs.register_error(HANDLER, _in_ascii)
    stream.reconfigure(errors=HANDLER)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that could not be encoded; JSON's escape where nothing is like them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(ASCII.get(char) or _escaped(char) for char in lacking), error.end


def _escaped(char: str) -> str:
    code = ord(char)
    if code < BEYOND_16_BITS:
        return f"\\u{code:04x}"
    high, low = divmod(code - BEYOND_16_BITS, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
