"""Environments for hypothesis: each shrinks to the smallest one that still tells something.

Words of the source page are lower case; other letter case and blanks are drawn
only where a requirement is about them, so that a parser is not called wrong
for what the page leaves open.
"""

from __future__ import annotations

import itertools
import string

from hypothesis import strategies as st

PREFIX = b"DYN_KVBM_NIXL_BACKEND_"
UCX, GDS = PREFIX + b"UCX", PREFIX + b"GDS"
ON = (b"true", b"1", b"on", b"yes")
OFF = (b"false", b"0", b"off", b"no")
WORDS = (*ON, *OFF)
Environments = st.SearchStrategy[dict[bytes, bytes]]

BLANKS = b" \t\n\r\v\f"
# What people write for a boolean elsewhere, and what shells, YAML and env files make of a word.
BAD = (
    *(b"y", b"n", b"t", b"f", b"2", b"-1", b"+1", b"01", b"00", b"1.0", b"0x1", b"maybe", b"enabled", b"disabled", b"enable"),
    *(b"none", b"null", b"tru", b"truee", b"o", b"of", b"onn", b"yess", b'"true"', b"'1'", b"true,false", b"on;", b"1 1"),
    *(b"UCX", b"GDS", b"$UNSET", b"true#", b"!", b"T", b"Y", b"10", b"11"),
)  # fmt: skip
INVISIBLE = ("\u00a0", "\u0085", "\u2003", "\u3000", "\u200b", "\ufeff", "\x1c", "\x1f", "\x01")
LOOKALIKES = ("\uff11", "\u0661", "\uff4f\uff4e", "\u0443es", "y\u0435s", "\uff54\uff52\uff55\uff45", "\u2460")


def _cased(word: bytes) -> list[bytes]:
    letters = [sorted({character.lower(), character.upper()}, reverse=True) for character in word.decode()]
    return ["".join(one).encode() for one in itertools.product(*letters)]


# All 66 spellings of the six words with letters that are not plain lower case, the tamest first.
RECASED = tuple(
    sorted(
        (spelt for word in WORDS for spelt in _cased(word) if spelt != word),
        key=lambda spelt: (sum(map(str.isupper, spelt.decode())), spelt.lower()),
    )
)


def settings(values: st.SearchStrategy[bytes] | None = None) -> Environments:
    """Return environments that set UCX, GDS, both or neither, in either order."""
    one = st.sampled_from(WORDS) if values is None else values
    return st.lists(st.tuples(st.sampled_from((UCX, GDS)), one), max_size=2, unique_by=lambda item: item[0]).map(dict)


def bad_values() -> st.SearchStrategy[bytes]:
    """Return printable ASCII that is none of the eight words in any letter case, and not blank."""
    typed = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=1, max_size=8).map(str.encode)
    return st.sampled_from(BAD) | typed.filter(lambda value: value.strip(BLANKS).lower() not in WORDS)


def with_one_bad() -> Environments:
    """Return environments of which one value is bad, and the other may be good."""
    return st.builds(
        lambda bad, value, good, first: dict([(bad, value), *good][:: 1 if first else -1]),
        st.sampled_from((UCX, GDS)),
        bad_values(),
        st.just([])
        | st.sampled_from((UCX, GDS)).flatmap(lambda name: st.sampled_from(ON).map(lambda on: [(name, on)])),
        st.booleans(),
    ).filter(lambda environment: any(value not in WORDS for value in environment.values()))


def spelt_twice() -> Environments:
    """Return environments in which one name is spelt in several letter cases."""
    names = st.sampled_from((UCX, GDS, PREFIX + b"ucx", PREFIX + b"gds", PREFIX + b"Ucx"))
    items = st.tuples(names, st.sampled_from((b"true", b"false", b"on", b"0")))
    return st.lists(items, min_size=2, max_size=4, unique_by=lambda item: item[0]).map(dict)


def strange_names() -> st.SearchStrategy[bytes]:
    """Return names that are nobody's in this field."""
    typed = st.text(string.ascii_letters + "_", min_size=1, max_size=8).map(str.encode)
    known = (
        b"A",
        b"PATH",
        b"UCX",
        b"GDS",
        b"NIXL",
        b"UCX_TLS",
        b"BACKEND_GDS",
        b"NIXL_BACKEND_GDS",
        b"MY_NIXL_BACKEND_GDS",
    )
    reserved = (b"DYN_", b"TRTLLM_", b"KVBM_")
    return st.sampled_from(known) | typed.filter(lambda name: not name.upper().startswith(reserved))


def not_utf8() -> st.SearchStrategy[bytes]:
    """Return bytes that an environment can hold and that are not UTF-8."""
    return st.binary(max_size=4).map(lambda tail: b"\xff" + tail.replace(b"\0", b"").replace(b"=", b""))


def among_strangers(base: Environments, *, utf8: bool = True) -> Environments:
    """Return `base` with a variable or more of strangers, before it and after it."""
    text = st.sampled_from((b"", b"true", b"false", b"x")) | st.text(max_size=5).map(
        lambda value: value.replace("\0", "").encode("utf-8", "ignore")
    )
    far = st.sampled_from((b"A", b"PATH", b"PS1", b"LS_COLORS"))  # not even like ours: only the bytes are strange
    plain = st.tuples(strange_names(), text)
    strange = st.tuples(far, not_utf8()) | st.tuples(not_utf8(), text)
    item = plain if utf8 else strange
    some = st.lists(item, min_size=1, max_size=3, unique_by=lambda one: one[0])
    return st.builds(lambda b, s, first: {**dict(s), **b} if first else {**b, **dict(s)}, base, some, st.booleans())
