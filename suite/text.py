"""Foreign strings made harmless for whoever reads them, on a terminal, in a page, in Markdown or in XML."""

from __future__ import annotations

import unicodedata

LIMIT = 2_000  # characters of one foreign string; the rest is counted, not shown

# Controls could move the cursor or reorder what is read (bidi overrides), and lone surrogates cannot be encoded.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def plain(value: object, limit: int = LIMIT) -> str:
    """Return `value` as text that can only be read: control, format and unassigned characters become escapes."""
    text = str(value)
    shown = "".join(_visible(character) for character in text[:limit])
    return f"{shown}… ({len(text) - limit} more characters)" if len(text) > limit else shown


def _visible(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape").decode()
