"""The reference reading of `DYN_KVBM_NIXL_BACKEND_<BACKEND>`."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.settings.faults import SettingsError
from suite.settings.nixl_backends import OTHER_PLUGINS, PREFIX, SUPPORTED, parse, parse_backends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.settings.protocols import ParseBackends

PREFIX_BYTES = PREFIX.encode()
ON = (b"true", b"1", b"on", b"yes")
OFF = (b"false", b"0", b"off", b"no")
SPELLINGS = (None, *ON, *OFF)

# Written down by hand, not computed: (UCX, GDS) -> selection, None for a variable that is not set.
TABLE: dict[tuple[bool | None, bool | None], tuple[str, ...]] = {
    (None, None): ("UCX",),
    (None, False): ("UCX",),
    (None, True): ("GDS",),
    (False, None): (),
    (False, False): (),
    (False, True): ("GDS",),
    (True, None): ("UCX",),
    (True, False): ("UCX",),
    (True, True): ("UCX", "GDS"),
}


def env(**backends: bytes) -> dict[bytes, bytes]:
    return {PREFIX_BYTES + name.encode(): value for name, value in backends.items()}


def outcome(environment: Mapping[bytes, bytes]) -> tuple[str, ...] | str:
    """Return the selection or the whole message, so that refusals are compared too."""
    try:
        return parse(environment)
    except SettingsError as error:
        return error.message


def recased(name: bytes, choices: list[bool]) -> bytes:
    return bytes(ord(chr(c).upper()) if up else ord(chr(c).lower()) for c, up in zip(name, choices, strict=False))


names = st.sampled_from([b"UCX", b"GDS", b"ucx", b"GDS_MT", b"NOSUCH", b"", b"\xff"]).map(PREFIX_BYTES.__add__)
values = st.sampled_from([*ON, *OFF, b"", b"maybe", b" ON ", b"\xff"])
ours = st.dictionaries(names, values, max_size=5)
valid = st.dictionaries(st.sampled_from([b"UCX", b"GDS"]).map(PREFIX_BYTES.__add__), st.sampled_from([*ON, *OFF]))
unrelated = st.dictionaries(st.binary().filter(lambda key: not key.upper().startswith(PREFIX_BYTES)), st.binary())


@pytest.mark.parametrize(("ucx", "gds"), list(itertools.product(SPELLINGS, repeat=2)))
def test_every_combination_of_words_agrees_with_the_table(ucx: bytes | None, gds: bytes | None) -> None:
    """All 81 combinations of unset and the eight words for UCX and GDS select what the table says."""
    environment = {PREFIX_BYTES + name: value for name, value in ((b"UCX", ucx), (b"GDS", gds)) if value is not None}
    switched = tuple(None if value is None else value in ON for value in (ucx, gds))
    selection = parse_backends(environment)
    assert selection.backends == TABLE[switched[0], switched[1]]
    assert selection.default == (selection.backends == ("UCX",) and ucx is None)


@given(ours, st.data())
def test_the_order_of_the_environment_never_matters(environment: dict[bytes, bytes], data: st.DataObject) -> None:
    """Selection and refusal, word for word, are the same in every order."""
    shuffled = dict(data.draw(st.permutations(list(environment.items()))))
    assert outcome(shuffled) == outcome(environment)


@given(ours, unrelated)
def test_unrelated_variables_never_matter(environment: dict[bytes, bytes], others: dict[bytes, bytes]) -> None:
    """Whatever else is in the environment, decodable or not, changes nothing."""
    assert outcome(others | environment) == outcome(environment)


@given(valid, st.lists(st.booleans(), min_size=40, max_size=40))
def test_recasing_a_name_never_matters(environment: dict[bytes, bytes], choices: list[bool]) -> None:
    """The whole name, with its prefix, may be in any letter case."""
    assert parse({recased(name, choices): value for name, value in environment.items()}) == parse(environment)


@given(valid, st.sampled_from(OFF))
def test_disabling_what_is_not_enabled_changes_nothing(environment: dict[bytes, bytes], off: bytes) -> None:
    """An explicit `GDS=false` where GDS is not selected leaves the answer as it is."""
    before = parse(environment)
    if "GDS" not in before:
        assert parse(environment | env(GDS=off)) == before


@given(ours)
def test_a_selection_is_ordered_and_supported(environment: dict[bytes, bytes]) -> None:
    """Whatever is accepted selects supported backends in their one order, with a decision and a sentence for each."""
    try:
        selection = parse_backends(environment)
    except SettingsError:
        return
    assert selection.backends == tuple(name for name in SUPPORTED if name in selection.backends)
    assert tuple(decision.backend for decision in selection.decisions) == SUPPORTED
    assert all(why.startswith(name) and why.endswith(".") for name, why in zip(SUPPORTED, selection.why, strict=True))


def test_a_decision_names_the_variable_as_typed() -> None:
    """Provenance is the variable and value as they were typed, all spellings of them."""
    ucx, gds = parse_backends({b"dyn_kvbm_nixl_backend_Gds": b" YES", PREFIX_BYTES + b"GDS": b"1"}).decisions
    assert [(s.variable, s.value) for s in gds.settings] == [
        ("DYN_KVBM_NIXL_BACKEND_GDS", "'1'"),
        ("dyn_kvbm_nixl_backend_Gds", "' YES'"),
    ]
    assert (gds.origin, ucx.origin) == ("enabled", "unset")
    assert gds.why.endswith("DYN_KVBM_NIXL_BACKEND_GDS='1' and dyn_kvbm_nixl_backend_Gds=' YES'.")
    assert "only if nothing is switched on" in ucx.why


def test_an_empty_selection_cannot_be_used() -> None:
    """`UCX=false` alone selects nothing, and using it names the variable and the way out."""
    selection = parse_backends(env(UCX=b"off"))
    assert selection.backends == ()
    with pytest.raises(BadInput, match=r"DYN_KVBM_NIXL_BACKEND_UCX='off'") as caught:
        selection.require()
    assert "DYN_KVBM_NIXL_BACKEND_GDS=true" in caught.value.hint


def test_a_selection_that_is_not_empty_can_be_used() -> None:
    """`require` returns the backends."""
    assert parse_backends(env(UCX=b"1", GDS=b"1")).require() == ("UCX", "GDS")


def test_two_spellings_that_differ_are_both_named() -> None:
    """A contradiction between two spellings is refused and names both variables."""
    with pytest.raises(SettingsError) as caught:
        parse(env(UCX=b"true", ucx=b"0"))
    (fault,) = caught.value.faults
    assert fault.variable == "DYN_KVBM_NIXL_BACKEND_UCX"
    assert "DYN_KVBM_NIXL_BACKEND_ucx='0'" in fault.problem


@pytest.mark.parametrize("name", sorted(OTHER_PLUGINS))
@pytest.mark.parametrize("value", [b"true", b"false"])
def test_plugins_that_nixl_has_are_refused_by_name(name: str, value: bytes) -> None:
    """A real but unsupported plug-in is refused, enabled or disabled, and the message says that NIXL has it."""
    with pytest.raises(SettingsError, match=f"{name}, a plug-in that NIXL has"):
        parse(env(**{name: value}))


@pytest.mark.parametrize(
    ("name", "meant"), [("GSD", "GDS"), ("UXC", "UCX"), ("UCXX", "UCX"), (" GDS", "GDS"), ("ucs", "UCX")]
)
def test_a_near_miss_gets_a_suggestion(name: str, meant: str) -> None:
    """A misspelt backend is refused with the one that was probably meant."""
    with pytest.raises(SettingsError, match=rf"did you mean {PREFIX}{meant}\?"):
        parse(env(**{name: b"1"}))


def test_a_stranger_gets_no_suggestion() -> None:
    """A name that resembles nothing is refused with the supported ones only."""
    with pytest.raises(SettingsError) as caught:
        parse(env(NOSUCH=b"1"))
    assert "did you mean" not in caught.value.message
    assert caught.value.faults[0].accepted == f"{PREFIX}UCX or {PREFIX}GDS"


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        (b"UCX", b"", "is empty"),
        (b"UCX", b"maybe", "neither on nor off"),
        (b"UCX", b"\xff", "is not UTF-8"),
        (b"", b"true", "names no backend"),
        (b"\xff", b"true", "has a name that is not UTF-8"),
        ("\N{LATIN SMALL LETTER DOTLESS I}".encode(), b"true", "names an unknown backend"),
    ],
)
def test_a_fault_says_what_is_wrong(variable: bytes, value: bytes, problem: str) -> None:
    """One fault is one line with the variable, the value, the problem and what is accepted."""
    with pytest.raises(SettingsError, match=problem) as caught:
        parse({PREFIX_BYTES + variable: value})
    (fault,) = caught.value.faults
    assert caught.value.message == f"{fault.variable}={fault.value} {fault.problem}. Accepted: {fault.accepted}"


def test_all_faults_come_at_once_in_a_stable_order() -> None:
    """Faults are sorted by variable, and a bad name does not hide a bad value."""
    with pytest.raises(SettingsError) as caught:
        parse(env(UCX=b"maybe", NOSUCH=b"", GDS=b"2"))
    assert [(f.variable.removeprefix(PREFIX), f.problem) for f in caught.value.faults] == [
        ("GDS", "is neither on nor off"),
        ("NOSUCH", "names an unknown backend"),
        ("NOSUCH", "is empty"),
        ("UCX", "is neither on nor off"),
    ]


@given(st.binary(), st.binary())
def test_no_byte_of_a_stranger_reaches_the_terminal(name: bytes, value: bytes) -> None:
    """Messages are printable ASCII lines of bounded length, whatever the variable holds."""
    message = outcome({PREFIX_BYTES + name: value})
    if isinstance(message, str):
        assert all(line.isascii() and line.isprintable() and len(line) < 600 for line in message.split("\n"))


def test_huge_input_gives_a_short_message() -> None:
    """Ten thousand bad variables with large values are refused in a message that can be read."""
    environment = {PREFIX_BYTES + b"X" * 1000 + str(i).encode(): b"\x1b" * 1000 for i in range(10_000)}
    with pytest.raises(SettingsError) as caught:
        parse(environment)
    assert len(caught.value.faults) == 20_000
    assert len(caught.value.message) < 20_000


def test_parse_is_the_protocol() -> None:
    """`parse` serves wherever a `ParseBackends` is expected."""
    implementation: ParseBackends = parse
    assert implementation({}) == ("UCX",)
