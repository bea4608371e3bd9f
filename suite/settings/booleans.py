"""The words that switch a backend on or off (rules R5 and R6 of the source page).

The comparison is made on bytes, as an environment holds them: `bytes.strip` and
`bytes.lower` know ASCII only, so neither a no-break space nor a Kelvin sign is
taken for something it merely resembles.
"""

from __future__ import annotations

from suite.errors import BadInput
from suite.settings.faults import show

TRUE_WORDS = ("true", "1", "on", "yes")
FALSE_WORDS = ("false", "0", "off", "no")
ACCEPTED = f"{', '.join(TRUE_WORDS)} (on) or {', '.join(FALSE_WORDS)} (off), in any letter case"

_MEANING = {word.encode(): True for word in TRUE_WORDS} | {word.encode(): False for word in FALSE_WORDS}


def meaning(value: bytes | str) -> bool | None:
    """Return what `value` switches to, or None if it is none of the eight words; ASCII blanks around it do not count."""
    # "replace": a lone surrogate has no bytes, and no word has a question mark.
    raw = value.encode(errors="replace") if isinstance(value, str) else value
    return _MEANING.get(raw.strip().lower())


def parse_boolean(value: bytes | str) -> bool:
    """Return what `value` switches to; anything but the eight words, also an empty one, is a `BadInput`."""
    switched = meaning(value)
    if switched is None:
        raise BadInput("bad-boolean", f"{show(value)} {problem(value)}", f"accepted: {ACCEPTED}")
    return switched


def problem(value: bytes | str) -> str:
    """Return why `value` is none of the eight words, to follow its text in a message."""
    if isinstance(value, bytes):
        try:
            value.decode()
        except UnicodeDecodeError:
            return "is not UTF-8"
    return "is neither on nor off" if value.strip() else "is empty"
