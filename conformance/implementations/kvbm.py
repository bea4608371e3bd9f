"""The parsers of `DYN_KVBM_NIXL_BACKEND_<BACKEND>` in Dynamo's KV block manager: eight readings, one table.

Source: ai-dynamo/dynamo, `lib/llm` (A, D-llm, F), `lib/memory` (B, C, D-mem, E, G)
and `lib/kvbm-config` (V), read between 2025-10 and 2026-08; E, F, G and V live on branches.
The rules are in our words, and what each parser makes of an input was found by
executing a transcript of its rules, not the parser. Released `kvbm` wheels hold none of them.

Only names are answered: the parameters that E, F and G collect are dropped, and
V's "NIXL is not configured" is the empty answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from conformance.implementations import FROM_READING
from conformance.verdict import Aborted, ImplementationBroke, Refused
from suite.settings.booleans import FALSE_WORDS, TRUE_WORDS
from suite.settings.faults import show, show_name
from suite.settings.nixl_backends import DEFAULT, PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from conformance.implementation import Implementation
    from conformance.requirement import Answers

Switch = Literal["on", "off", "parameter"]
_MEANING: Mapping[str, Switch] = MappingProxyType(
    {**dict.fromkeys(TRUE_WORDS, "on"), **dict.fromkeys(FALSE_WORDS, "off")}
)
# What Rust's `trim` removes: Unicode's White_Space. `str.strip()` would also remove U+001C to U+001F.
_RUST_BLANKS = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"


@dataclass(frozen=True)
class Variant:
    """One parser; each column is a choice that upstream's versions make differently."""

    name: str
    # strict-old: one of eight words in any letter case. strict-trim: blanks around it do not count.
    # lenient: as strict-old, but everything else, and also "off", is as if it were not set.
    value: Literal["strict-old", "strict-trim", "lenient"]
    # What `_` in a backend's name does. Where it splits, the rest is a parameter, and its value is not looked at.
    underscore: Literal["refused", "kept", "first __ splits", "first _ splits"]
    # Two spellings of one name. A parameter switches on what no plain variable switches off.
    conflict: Literal["true wins", "false wins"]
    default: Literal["UCX", "empty", "unset"]  # if nothing is switched on; "unset": NIXL stays as it was configured
    passes: Literal[1, 2]  # with 2 the whole environment is decoded before any value is judged

    def split(self, variable: str) -> tuple[str, bool]:
        """Return the backend in upper case, and whether the variable is a parameter of it."""
        rest = variable.removeprefix(PREFIX)
        found = ""
        match self.underscore:
            case "refused" if "_" in rest:
                raise Refused(f"{show_name(variable)}: no parameters (a backend's name has no _)")
            case "first __ splits":
                rest, found, parameter = rest.partition("__")
                if found and not (rest and parameter):
                    raise Refused(f"{show_name(variable)}: an empty name beside __")
            case "first _ splits":
                rest, found, _ = rest.partition("_")
        # str.upper follows Unicode as Rust's to_uppercase does: ß becomes SS.
        return rest.upper(), bool(found)

    def judge(self, variable: str, value: str) -> Switch | None:
        """Return what a value switches, None if it counts as not set."""
        # The eight words are ASCII, and no other letter becomes one of theirs in lower case.
        word = value.strip(_RUST_BLANKS) if self.value == "strict-trim" else value
        switch = _MEANING.get(word.lower())
        if self.value == "lenient":
            return switch if switch == "on" else None
        if switch is None:
            raise Refused(f"{show_name(variable)}={show(value)} is none of the eight words ({self.value})")
        return switch

    def enabled(self, switches: set[Switch]) -> bool:
        """Return whether one backend is on, given all that is said of it."""
        if "off" in switches:
            return self.conflict == "true wins" and "on" in switches
        return bool(switches)


VARIANTS = (
    Variant("kvbm-A", "strict-old", "refused", "true wins", "UCX", 1),
    Variant("kvbm-BC", "strict-old", "refused", "true wins", "empty", 1),
    Variant("kvbm-D-llm", "strict-trim", "refused", "true wins", "UCX", 1),
    Variant("kvbm-D-mem", "strict-trim", "refused", "true wins", "empty", 1),
    Variant("kvbm-E", "strict-old", "first __ splits", "false wins", "empty", 1),
    Variant("kvbm-F", "strict-old", "first _ splits", "true wins", "UCX", 2),
    Variant("kvbm-G", "strict-old", "first _ splits", "false wins", "empty", 2),
    Variant("kvbm-V", "lenient", "kept", "true wins", "unset", 1),
)


class KvbmParser:
    """One of KVBM's parsers; the environment is read in the order in which it is given."""

    answers: frozenset[Answers] = frozenset(("backends",))
    profile = "source-page"
    note = FROM_READING

    def __init__(self, variant: Variant) -> None:
        self.name = variant.name
        self.variant = variant

    def backends(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
        """Return the names that are on, as they first come; the first fault is a `Refused`, not UTF-8 is `Aborted`."""
        said: dict[str, set[Switch]] = {}
        for backend, switch in self._switches(environment):
            said.setdefault(backend, set()).add(switch)
        chosen = tuple(backend for backend, switches in said.items() if self.variant.enabled(switches))
        return (DEFAULT,) if not chosen and self.variant.default == "UCX" else chosen

    def method(self, config: Mapping[str, object], environment: Mapping[bytes, bytes]) -> str:  # noqa: ARG002  the protocol's signature
        """Say that nobody should have asked."""
        raise ImplementationBroke(f"{self.name} answers for backends, not for the method")

    def close(self) -> None:
        """Nothing is open."""

    def _switches(self, environment: Mapping[bytes, bytes]) -> Iterator[tuple[str, Switch]]:
        pairs: Iterator[tuple[str, str]] = map(_decoded, environment.items())
        for variable, value in pairs if self.variant.passes == 1 else list(pairs):
            if not variable.startswith(PREFIX):
                continue
            backend, parameter = self.variant.split(variable)
            switch = "parameter" if parameter else self.variant.judge(variable, value)
            if switch is not None:
                yield backend, switch


def _decoded(pair: tuple[bytes, bytes]) -> tuple[str, str]:
    """Return one variable as Rust's `std::env::vars` does: what is not UTF-8, also a stranger's, ends the process."""
    try:
        return pair[0].decode(), pair[1].decode()
    except UnicodeDecodeError as error:
        raise Aborted(f"panics: {show_name(pair[0])}={show(pair[1])} is not UTF-8") from error


FACTORIES: Mapping[str, Callable[[], Implementation]] = MappingProxyType(
    {variant.name: partial(KvbmParser, variant) for variant in VARIANTS}
)
