"""Requirements are data: numbered sentences in TOML, each with its level and its source.

Ids are stable and never used again. A test names the id it checks; an id
without a test, or a test with an unknown id, is a fault of this package.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Level = Literal["MUST", "SHOULD", "UNSPECIFIED"]
Question = Literal["backends", "method"]  # what an implementation of settings is asked
Answers = Literal[
    Question, "transfer"
]  # "transfer": an implementation that moves bytes; see `conformance.implementation`
MARK = "requirement"

NEEDS = (
    "one-sided",
    "notify",
    "read",
    "memory",
    "file",
    "cancel",
    "deregister",
    "threads",
    "processes",
)  # what `conformance.transfer.abilities` finds

_ID = re.compile(r"(ENV|CFG|XFER)-\d{3}")
_FIELDS = {"level", "sentence", "source", "since", "answers", "profiles", "needs"}


class RegistryFault(ValueError):
    """A requirement table is not well formed; a fault of this package, not of an implementation."""


@dataclass(frozen=True)
class Requirement:
    """One numbered sentence."""

    id: str
    level: Level
    sentence: str  # in our own words
    source: str  # a rule of the source page (R1-R12), or repository, file, pull request
    since: str  # kvgauge's version that brought it
    answers: Answers  # whom it concerns
    profiles: tuple[str, ...]  # "source-page", "trtllm-1.1", ...; empty: all that answer
    needs: tuple[str, ...] = ()  # what a transport must be able to do; without it the verdict is skip, with the reason


@cache
def registry() -> Mapping[str, Requirement]:
    """Return every requirement by id, in order; an ill-formed or duplicate one is a `RegistryFault`."""
    found: dict[str, Requirement] = {}
    folder = resources.files("conformance").joinpath("requirements")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".toml"):
            continue
        for identity, fields in tomllib.loads(file.read_text("utf-8")).items():
            if identity in found:
                raise RegistryFault(f"{file.name}: {identity} is there twice")
            found[identity] = parse(identity, fields, file.name)
    return MappingProxyType(dict(sorted(found.items())))


def parse(identity: str, fields: object, source: str) -> Requirement:
    """Return one requirement from its TOML table."""
    if not _ID.fullmatch(identity):
        raise RegistryFault(f"{source}: {identity!r} is not an id such as ENV-006")
    if (
        not isinstance(fields, dict)
        or not {"level", "sentence", "source", "since", "answers"} <= fields.keys() <= _FIELDS
    ):
        raise RegistryFault(
            f"{source}: {identity} needs level, sentence, source, since and answers, and may have profiles and needs"
        )
    if fields["level"] not in get_args(Level) or fields["answers"] not in get_args(Answers):
        raise RegistryFault(f"{source}: {identity} has an unknown level or answers")
    profiles, needs = fields.get("profiles", []), fields.get("needs", [])
    if (
        not isinstance(needs, list)
        or any(one not in NEEDS for one in needs)
        or (needs and fields["answers"] != "transfer")
    ):
        raise RegistryFault(f"{source}: {identity} needs what no transport can have: {needs}")
    texts = [fields["sentence"], fields["source"], fields["since"], *profiles]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise RegistryFault(f"{source}: {identity} has an empty field, or one that is no text")
    return Requirement(**{**fields, "id": identity, "profiles": tuple(profiles), "needs": tuple(needs)})


def requirement(identity: str) -> Callable[[Any], Any]:
    """Mark a test as checking one requirement."""
    import pytest

    if identity not in registry():
        raise RegistryFault(f"no requirement {identity}")
    return pytest.mark.requirement(identity)
