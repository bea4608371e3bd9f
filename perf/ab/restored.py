"""The variants of a run that goes on, by what its manifest says: a run folder may come from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.ab.variants import NAMES, Variant, parse
from suite.errors import BadInput
from suite.run.machine import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def asked_for(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return what a manifest's settings say was given for A and B; nothing for another sweep."""
    found = settings.get("ab")
    if not isinstance(found, dict):
        return ()
    given = [side.get("given") for name in NAMES if isinstance(side := found.get(name), dict)]
    return tuple(text for text in given if isinstance(text, str))


def is_ab(settings: object) -> bool:
    """Tell whether a run with these settings has an A and a B."""
    return isinstance(settings, dict) and "ab" in settings


def restored(settings: Mapping[str, object], source: str, given: Sequence[Variant] = ()) -> tuple[Variant, ...]:
    """Return A and B of a run that goes on: as its manifest says, or as `given` again, which must be the same.

    A manifest may set what a spec could set as well. What starts other programs has to be given
    again by whoever resumes.
    """
    if not is_ab(settings):
        if given:
            raise BadInput("not-ab", f"{source}: that run has no A and B", "--ab starts a new run")
        return ()
    texts = asked_for(settings)
    if len(texts) != len(NAMES):
        raise BadInput("bad-manifest", f"{source}: settings.ab does not say what A and B are", "start a new run")
    if given:
        if tuple(redact(variant.text) for variant in given) != texts:
            raise BadInput(
                "other-ab", f"{source}: that run was --ab {texts[0]!r} {texts[1]!r}", "--resume goes on with the same"
            )
        return tuple(given)
    found = tuple(parse(name, text) for name, text in zip(NAMES, texts, strict=True))
    if not all(variant.harmless and redact(variant.text) == variant.text for variant in found):
        hint = f"kvgauge sweep --resume FOLDER --ab {texts[0]!r} {texts[1]!r}, if that is what you want"
        raise BadInput("ab-again", f"{source}: a run folder does not start programs: say again what A and B are", hint)
    return found
