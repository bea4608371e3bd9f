"""Faulty ways to find one's world, written before the properties that find them out.

Each is a mistake that launchers invite: the first source is believed, a missing
address becomes localhost, Python's `int` reads what nobody meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.cluster import discover, hostlist, launchers, meeting_place, values
from suite.cluster.world import Address, World
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Patch = Callable[[pytest.MonkeyPatch], None]

VARIANTS: dict[str, Patch] = {}

real_join = discover.join
real_meeting = discover.meeting_place
real_derived = meeting_place.derived_port


def variant(patch: Patch) -> Patch:
    VARIANTS[patch.__name__] = patch
    return patch


@variant
def believes_the_first_source(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(discover, "_one", lambda said: said[0])


@variant
def believes_the_last_source(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(discover, "_one", lambda said: said[-1])


@variant
def hears_the_outer_launcher_as_well(patch: pytest.MonkeyPatch) -> None:
    changed = tuple(launchers.Launcher(**(vars(one) | {"outside": ()})) for one in launchers.LAUNCHERS)
    patch.setattr(discover, "LAUNCHERS", changed)


@variant
def hears_only_the_innermost(patch: pytest.MonkeyPatch) -> None:
    real = discover._heard
    patch.setattr(discover, "_heard", lambda environment, flags: real(environment, flags)[:1])


@variant
def counts_ranks_from_one(patch: pytest.MonkeyPatch) -> None:
    def ranges(rank: Any, size: Any, *_: Any) -> None:
        if not 0 <= rank.value <= size.value:
            raise BadInput("bad-world", f"{rank}, {size}")

    patch.setattr(discover, "_check_ranges", ranges)


@variant
def reads_numbers_as_python_does(patch: pytest.MonkeyPatch) -> None:
    def whole(text: str, by: str, most: int = 1 << 30) -> values.Said:
        try:
            return values.Said(int(text), by)
        except ValueError:
            raise BadInput("bad-number", f"{by} {most}") from None

    patch.setattr(discover, "whole", whole)
    patch.setattr(values, "whole", whole)


@variant
def lets_a_value_error_through(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(discover, "whole", lambda text, by, most=0: values.Said(int(text), by))  # noqa: ARG005  a stand-in


@variant
def is_alone_when_half_is_missing(patch: pytest.MonkeyPatch) -> None:
    def join(environment: Any, *flags: Any) -> World:
        try:
            return real_join(environment, *flags)
        except BadInput as error:
            if error.code == "half-a-world":
                return World()
            raise

    patch.setattr(discover, "join", join)


@variant
def meets_on_localhost_when_no_address_is_told(patch: pytest.MonkeyPatch) -> None:
    def place(*arguments: Any, **options: Any) -> Address:
        try:
            return real_meeting(*arguments, **options)
        except BadInput:
            return Address("127.0.0.1", 29500)

    patch.setattr(discover, "meeting_place", place)


@variant
def takes_torchruns_own_port(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(meeting_place, "_torch_has_it", lambda environment: False)  # noqa: ARG005  a stand-in


@variant
def meets_at_one_port_whatever_the_run(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(meeting_place, "derived_port", lambda run: real_derived(""))  # noqa: ARG005  a stand-in


@variant
def names_the_run_after_the_rank(patch: pytest.MonkeyPatch) -> None:
    changed = tuple(launchers.Launcher(**(vars(one) | {"run": (*one.run, one.rank)})) for one in launchers.LAUNCHERS)
    patch.setattr(discover, "LAUNCHERS", changed)


@variant
def takes_the_job_for_the_step(patch: pytest.MonkeyPatch) -> None:
    changed = tuple(launchers.Launcher(**(vars(one) | {"size": one.size[-1:]})) for one in launchers.LAUNCHERS)
    patch.setattr(discover, "LAUNCHERS", changed)


@variant
def takes_a_node_list_for_a_host(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(meeting_place, "first_host", lambda text, by: text.split(",")[0])  # noqa: ARG005  a stand-in


@variant
def drops_the_zeros_of_a_host(patch: pytest.MonkeyPatch) -> None:
    real = hostlist.first_host
    patch.setattr(meeting_place, "first_host", lambda text, by: real(text, by).replace("00", ""))


@variant
def takes_any_text_for_a_host(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(values, "host", lambda text, by: text)  # noqa: ARG005  a stand-in


@variant
def repeats_what_it_was_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(values, "shown", str)


@variant
def ignores_a_rendezvous_that_differs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(discover, "told_address", lambda environment: None)  # noqa: ARG005  a stand-in
