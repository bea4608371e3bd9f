"""Reading what a launcher, or anyone else, has put into the environment: every value is a stranger's word.

A value that is not in order is a `BadInput` that names its variable and what is
accepted. Nothing is mended: a rank that is read wrongly makes a wrong world.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from suite.cluster.world import Address
from suite.errors import BadInput

MAX_RANKS = 1 << 16
_WHOLE = re.compile(r"0|[1-9][0-9]{0,6}")  # int() would also take "+1", " 1", "1_0" and other alphabets' digits
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_LONGEST = 253  # characters of a host's name, RFC 1035
_SHOWN = 60


class Said(NamedTuple):
    """A whole number, and the variable or option that says so."""

    value: int
    by: str

    def __str__(self) -> str:
        return f"{self.by}={self.value}"


def shown(text: str) -> str:
    """Return a stranger's text as short, printable ASCII in quotes."""
    return ascii(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def whole(text: str, by: str, most: int = MAX_RANKS) -> Said:
    """Return a whole number from 0 to `most`, written as one writes it."""
    if not _WHOLE.fullmatch(text) or int(text) > most:
        raise BadInput(
            "bad-number", f"{by}={shown(text)} is not accepted", f"a whole number from 0 to {most}, in digits"
        )
    return Said(int(text), by)


def port(text: str, by: str) -> int:
    """Return a TCP port."""
    found = whole(text, by, 65_535).value
    if not found:
        raise BadInput("bad-number", f"{by}=0 is not accepted", "a port from 1 to 65535")
    return found


def host(text: str, by: str) -> str:
    """Return a host's name, or its IPv4 or IPv6 address, without brackets."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare:
        try:
            return str(ipaddress.IPv6Address(bare))
        except ValueError:
            bare = ""
    if len(bare) > _LONGEST or not _NAME.fullmatch(bare):
        hint = "the name of a host, or its IPv4 or IPv6 address"
        raise BadInput("bad-host", f"{by}={shown(text)} is not accepted", hint)
    return bare


def address(text: str, by: str) -> Address:
    """Return `host:port`; an IPv6 address is in brackets."""
    name, colon, number = text.rpartition(":")
    if not colon or (":" in name and not name.startswith("[")):
        raise BadInput("bad-address", f"{by}={shown(text)} is not accepted", "HOST:PORT, [IPV6]:PORT")
    return Address(host(name, by), port(number, by))
