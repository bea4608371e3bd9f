"""DYN_KVBM_NIXL_BACKEND_<BACKEND>=<value>: the sentences of requirements/env.toml, in their order."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from conformance.properties import strategies
from conformance.properties.asking import backends, backends_alive, documented, ours, said, same, strangers, utf8
from conformance.properties.given import given
from conformance.properties.strategies import BAD, GDS, INVISIBLE, LOOKALIKES, OFF, ON, PREFIX, RECASED, UCX, WORDS
from conformance.requirement import requirement
from conformance.verdict import Refused, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conformance.implementation import Implementation
    from conformance.properties.asking import Answer

    Environment = Mapping[bytes, bytes]
    Observe = Callable[[str], None]
    Ask = Callable[[Implementation, Environment], Answer]

BACKENDS = {"UCX": UCX, "GDS": GDS}
SURROUNDING = (b" ", b"\t", b"\n", b"\r")
BOTH = tuple(itertools.permutations((UCX, GDS)))
DOCUMENTED = strategies.settings()


def table(environments: Sequence[Environment]) -> pytest.MarkDecorator:
    """Return fixed cases; each is its own test, so that nothing can hide behind another."""
    return pytest.mark.parametrize("environment", environments, ids=map(_named, environments))


def _named(environment: Environment) -> str:
    shown = (f"{n.removeprefix(PREFIX)!r}={v!r}".replace("b'", "").replace("'", "") for n, v in environment.items())
    return " ".join(shown).encode("ascii", "backslashreplace").decode() or "nothing"


def _selects(implementation: Implementation, environment: Environment, *wanted: str) -> None:
    answer = backends(implementation, environment)
    missing = [name for name in wanted if answer is None or name not in answer]
    if missing:
        raise Violation(f"{' and '.join(missing)} not selected but: {said(answer)}", environment)


def _enables(environment: Environment, *names: str) -> bool:
    """Whether only documented settings are made, and these backends are switched on."""
    switched = documented(environment)
    return switched is not None and all(switched.get(name) for name in names)


@requirement("ENV-001")
@table([{}])
def test_ucx_by_default(implementation: Implementation, environment: Environment) -> None:
    """Nothing set."""
    if not ours(environment):
        _selects(implementation, environment, "UCX")


@requirement("ENV-002")
@table([{UCX: word} for word in ON])
def test_each_word_enables_ucx(implementation: Implementation, environment: Environment) -> None:
    """Four words."""
    if _enables(environment, "UCX"):
        _selects(implementation, environment, "UCX")


@requirement("ENV-003")
@table([{GDS: word} for word in ON])
def test_each_word_enables_gds(implementation: Implementation, environment: Environment) -> None:
    """Four words."""
    if _enables(environment, "GDS"):
        _selects(implementation, environment, "GDS")


@requirement("ENV-004")
@table([{first: one, second: other} for first, second in BOTH for one in ON for other in ON])
def test_both_are_selected(implementation: Implementation, environment: Environment) -> None:
    """Four words, twice, in both orders."""
    if _enables(environment, "UCX", "GDS"):
        _selects(implementation, environment, "UCX", "GDS")


@requirement("ENV-005")
@given(environment=DOCUMENTED)
def test_nothing_else_is_selected(implementation: Implementation, environment: Environment) -> None:
    """What is disabled is ENV-006's matter."""
    switched = documented(environment)
    answer = backends(implementation, environment) if switched is not None else None
    extra = (answer or frozenset()) - {"UCX"} - (switched or {}).keys()
    if extra:
        raise Violation(f"{', '.join(sorted(extra))} selected, but not enabled", environment)


def _nothing_disabled_is_selected(implementation: Implementation, environment: Environment) -> None:
    off = {name for name, on in (documented(environment) or {}).items() if not on}
    wrong = off & (backends(implementation, environment) or frozenset()) if off else set()
    if wrong:
        raise Violation(f"{', '.join(sorted(wrong))} selected, though disabled", environment)


@requirement("ENV-006")
@table(
    [{name: word} for name in (UCX, GDS) for word in OFF]
    + [{first: word, second: b"true"} for first, second in BOTH for word in OFF]
)
def test_each_word_disables(implementation: Implementation, environment: Environment) -> None:
    """Alone, and beside the other one."""
    _nothing_disabled_is_selected(implementation, environment)


@requirement("ENV-006")
@given(environment=DOCUMENTED)
def test_disabled_is_never_selected(implementation: Implementation, environment: Environment) -> None:
    """Any settings."""
    _nothing_disabled_is_selected(implementation, environment)


@requirement("ENV-007")
@table([dict(pair) for a, b in BOTH for w in OFF for pair in (((a, w), (b, b"true")), ((b, b"true"), (a, w)))])  # fmt: skip
def test_one_is_disabled_beside_the_other(implementation: Implementation, environment: Environment) -> None:
    """Each backend, four words, in both orders."""
    switched = documented(environment) or {}
    if set(switched.values()) == {True, False}:
        _selects(implementation, environment, *(name for name, on in switched.items() if on))


def _means_as_true_or_false(implementation: Implementation, environment: Environment) -> None:
    switched = documented(environment)
    if switched:
        plain = {**environment, **{BACKENDS[name]: b"true" if on else b"false" for name, on in switched.items()}}
        because = "with true and false in place of the other words"
        same(backends(implementation, environment), backends(implementation, plain), because, environment)


@requirement("ENV-008")
@table([{name: word} for name in (UCX, GDS) for word in WORDS])
def test_words_are_synonyms(implementation: Implementation, environment: Environment) -> None:
    """Each word alone."""
    _means_as_true_or_false(implementation, environment)


@requirement("ENV-008")
@given(environment=DOCUMENTED)
def test_words_are_synonyms_everywhere(implementation: Implementation, environment: Environment) -> None:
    """Any settings."""
    _means_as_true_or_false(implementation, environment)


def _see(implementation: Implementation, environment: Environment, observe: Observe) -> None:
    observe(f"{_named(ours(environment))}: {said(backends(implementation, environment))}")


@requirement("ENV-009")
@table([{UCX: b"false"}, {GDS: b"false"}, {UCX: b"false", GDS: b"false"}])
def test_only_disabled(implementation: Implementation, environment: Environment, observe: Observe) -> None:
    """Either one, and both."""
    _see(implementation, environment, observe)


@requirement("ENV-010")
@table([{GDS: b"true"}])
def test_gds_alone(implementation: Implementation, environment: Environment, observe: Observe) -> None:
    """With or without UCX."""
    _see(implementation, environment, observe)


@requirement("ENV-011")
@table([{UCX: b"true", GDS: b"true"}, {GDS: b"true", UCX: b"true"}])
def test_order_of_the_answer(implementation: Implementation, environment: Environment, observe: Observe) -> None:
    """As it was answered."""
    try:
        observe(f"{_named(ours(environment))}: {', '.join(implementation.backends(environment))}")
    except Refused:
        observe("refused")


def _order_does_not_matter(implementation: Implementation, environment: Environment) -> None:
    turned = dict(reversed(list(environment.items())))
    answer = backends(implementation, environment)
    same(answer, backends(implementation, turned), "with the variables in the opposite order", environment)


@requirement("ENV-012")
@given(environment=DOCUMENTED)
def test_order_of_the_environment(implementation: Implementation, environment: Environment) -> None:
    """What the page describes."""
    _order_does_not_matter(implementation, environment)


@requirement("ENV-012")
@given(environment=strategies.spelt_twice() | strategies.with_one_bad())
def test_order_of_what_is_not_described(implementation: Implementation, environment: Environment) -> None:
    """Several spellings of a name, and bad values."""
    _order_does_not_matter(implementation, environment)


def _strangers_do_not_matter(implementation: Implementation, environment: Environment, ask: Ask = backends) -> None:
    theirs = strangers(environment)
    without = backends(implementation, {name: value for name, value in environment.items() if name not in theirs})
    same(ask(implementation, environment), without, "without the variables of other programs", environment)


@requirement("ENV-013")
@table([{name: b"true"} for name in (b"PATH", b"UCX", b"GDS", b"NIXL_BACKEND_GDS", b"MY_NIXL_BACKEND_GDS")])
def test_a_stranger(implementation: Implementation, environment: Environment) -> None:
    """Names that come near."""
    _strangers_do_not_matter(implementation, {n: v for n, v in environment.items() if utf8(n) and utf8(v)})


@requirement("ENV-013")
@given(environment=strategies.among_strangers(DOCUMENTED))
def test_strangers(implementation: Implementation, environment: Environment) -> None:
    """Before and after ours."""
    _strangers_do_not_matter(implementation, {n: v for n, v in environment.items() if utf8(n) and utf8(v)})


@requirement("ENV-014")
@given(environment=strategies.among_strangers(DOCUMENTED, utf8=False))
def test_strangers_that_are_not_utf8(implementation: Implementation, environment: Environment) -> None:
    """Names and values."""
    _strangers_do_not_matter(implementation, environment, backends_alive)


RESEMBLING = tuple(
    name + b"GDS"
    for name in (PREFIX[:-1], PREFIX[:-1] + b"S_", b"X" + PREFIX, PREFIX.removeprefix(b"DYN_"), b"DYN_KVBM_NIXL_BACKND_",
                 b"DYN_KVBM_NIXL_", b"DYN_NIXL_BACKEND_", b"DYN_KVBM_BACKEND_", PREFIX.replace(b"_", b"-"))
)  # fmt: skip


@requirement("ENV-015")
@table([{name: b"true"} for name in RESEMBLING])
def test_resembling_prefix(implementation: Implementation, environment: Environment) -> None:
    """To refuse the name is right, too."""
    without = {name: value for name, value in environment.items() if name not in RESEMBLING}
    answer = backends(implementation, environment) or frozenset()
    if "GDS" in answer and "GDS" not in (backends(implementation, without) or ()):
        raise Violation("GDS selected by a variable of another name", environment)


NEIGHBOURS = {
    **{b"DYN_KVBM_" + name: b"maybe" for name in (b"CPU_CACHE_GB", b"DISK_CACHE_DIR", b"METRICS", b"NIXL_POSIX_API")},
    **dict.fromkeys((b"DYN_LOG", b"DYN_NAMESPACE", b"KVBM_NIXL_BACKENDS", b"TRTLLM_NIXL_KVCACHE_BACKEND"), b"GDS"),
    **{b"TRTLLM_USE_" + name: b"1" for name in (b"NIXL_KVCACHE", b"UCX_KVCACHE", b"UCX_KV_CACHE", b"MPI_KVCACHE")},
}


@requirement("ENV-016")
@table([{name: value, **more} for name, value in NEIGHBOURS.items() for more in ({}, {UCX: b"true", GDS: b"false"})])
def test_neighbours(implementation: Implementation, environment: Environment) -> None:
    """Alone and before ours."""
    without = {name: value for name, value in environment.items() if name not in NEIGHBOURS}
    answer = backends(implementation, environment)
    same(answer, backends(implementation, without), "without the variables beside the prefix", environment)


@requirement("ENV-017")
@table([{}, {UCX: b"true"}, {GDS: b"true"}, {UCX: b"false"}, {UCX: b"maybe"}, {UCX: b"maybe", GDS: b"maybe"}])
def test_the_same_again(implementation: Implementation, environment: Environment) -> None:
    """With something else, and nothing, in between."""
    first = backends(implementation, environment)
    for other in (environment, {GDS: b"true"}, {UCX: b"true", GDS: b"false"}, {GDS: b"?"}):
        backends(implementation, other)
        again = backends(implementation, environment)
        if again != first:
            raise Violation(f"{said(again)} at a later time, {said(first)} at first", environment)


def _bad(environment: Environment) -> bool:
    """Whether one of our two variables has a value that is printable and no word in any letter case."""
    given = [environment[name] for name in (UCX, GDS) if name in environment]
    return any(value.isascii() and value.strip() and value.strip().lower() not in WORDS for value in given)


def _refuses(implementation: Implementation, environment: Environment, why: str, ask: Ask = backends) -> None:
    answer = ask(implementation, environment)
    if answer is not None:
        raise Violation(f"not refused, though {why}; selected: {said(answer)}", environment)


@requirement("ENV-019")
@table([{name: value} for name in (UCX, GDS) for value in BAD] + [{GDS: b"true", UCX: b"maybe"}])
def test_other_values_are_refused(implementation: Implementation, environment: Environment) -> None:
    """Alone, and after a good one."""
    if _bad(environment):
        _refuses(implementation, environment, "a value is none of the eight words")


@requirement("ENV-019")
@given(environment=strategies.with_one_bad())
def test_any_other_value_is_refused(implementation: Implementation, environment: Environment) -> None:
    """Alone and beside a good one."""
    if _bad(environment):
        _refuses(implementation, environment, "a value is none of the eight words")


@requirement("ENV-020")
@table([{name: value} for name in (UCX, GDS) for value in (b"\xff", b"on\xff", b"\xfftrue", b"\xc3", b"\xed\xa0\x80")])
def test_values_that_are_not_utf8(implementation: Implementation, environment: Environment) -> None:
    """The name is good, the value is not text."""
    if any(not utf8(environment.get(name, b"")) for name in (UCX, GDS)):
        _refuses(implementation, environment, "a value is not UTF-8", backends_alive)


@requirement("ENV-021")
@table(
    [{GDS: spelt.encode()} for mark in INVISIBLE for spelt in (f"{mark}true", f"on{mark}")]
    + [{GDS: word.encode()} for word in LOOKALIKES]
)
def test_what_only_looks_like_a_word(implementation: Implementation, environment: Environment) -> None:
    """Hardly seen in a terminal, and never meant."""
    value = environment.get(GDS, b"")
    control = any(byte < ord(" ") and bytes([byte]) not in strategies.BLANKS for byte in value)
    if utf8(value) and (control or not value.isascii()):
        _refuses(implementation, environment, "the value only looks like a word")


@requirement("ENV-022")
@table([{GDS: b"TRUE"}, {GDS: b"True"}, {GDS: b"YeS"}, {UCX: b"OFF"}, {GDS: b" on"}, {GDS: b"on\n"}, {GDS: b"\ttrue "}])
def test_case_and_blanks(implementation: Implementation, environment: Environment, observe: Observe) -> None:
    """Refused or read."""
    _see(implementation, environment, observe)


DISGUISED = (
    *RECASED,
    *(blank + word for word in WORDS for blank in SURROUNDING),
    *(w + b for w in WORDS for b in SURROUNDING),
)


@requirement("ENV-023")
@table([{GDS: spelt} for spelt in DISGUISED])
def test_no_word_means_its_opposite(implementation: Implementation, environment: Environment) -> None:
    """All letter cases, and blanks at either end."""
    value = environment.get(GDS, b"")
    answer = backends(implementation, environment) if value in DISGUISED else None
    on = value.strip().lower() in ON
    if answer is not None and ("GDS" in answer) != on:
        raise Violation(f"{value!r} is taken for its opposite; selected: {said(answer)}", environment)


@requirement("ENV-024")
@table([{name: value} for name in (UCX, GDS) for value in (b"", b" ")])
def test_empty(implementation: Implementation, environment: Environment, observe: Observe) -> None:
    """Set, to nothing."""
    _see(implementation, environment, observe)


@requirement("ENV-025")
@table([{GDS: b""}, {GDS: b" "}, {GDS: b"\t"}, {GDS: b"\n"}])
def test_empty_does_not_enable(implementation: Implementation, environment: Environment) -> None:
    """As a shell sets a variable from one that is not set."""
    empty = not environment.get(GDS, b"true").strip()
    if empty and "GDS" in (backends(implementation, environment) or ()):
        raise Violation("GDS selected by an empty value", environment)


@requirement("ENV-026")
@table(
    [{PREFIX + b"gds": b"true"}, {PREFIX + b"Gds": b"true"}, {GDS.lower(): b"true"}, {PREFIX.title() + b"GDS": b"true"}]
)
def test_case_of_names(implementation: Implementation, environment: Environment, observe: Observe) -> None:
    """The backend, all of it, and the prefix."""
    _see(implementation, environment, observe)


@requirement("ENV-027")
@table([{PREFIX + b"gds": one, GDS: other} for one, other in ((b"true", b"false"), (b"false", b"true"))])
def test_contradicting_spellings(implementation: Implementation, environment: Environment, observe: Observe) -> None:
    """Either one on."""
    _see(implementation, environment, observe)


OTHERS = (b"GDS_MT", b"GDSX", b"GDS2", b"GD", b"XGDS", b"_GDS", b"GDS_", b"GDS__MT", b"GDS MT", b"GDS-MT")


@requirement("ENV-028")
@table([{PREFIX + name: value} for name in OTHERS for value in (b"true", b"false")])
def test_other_names_are_not_gds(implementation: Implementation, environment: Environment) -> None:
    """Enabled and disabled."""
    other = ours(environment).keys() & {PREFIX + name for name in OTHERS} and GDS not in environment
    if other and "GDS" in (backends(implementation, environment) or ()):
        raise Violation("GDS selected by a variable of another name", environment)


UNKNOWN = (b"GSD", b"USX", b"UXC", b"POSIX", b"NOSUCH", b"GDS_MT", b"GDSX")


@requirement("ENV-029")
@table([{PREFIX + name: b"true"} for name in UNKNOWN])
def test_unknown_names_are_not_lost(implementation: Implementation, environment: Environment) -> None:
    """Mistyped ones, and plug-ins that NIXL has."""
    asked = {name.decode() for name in UNKNOWN if environment.get(PREFIX + name) in ON}
    answer = backends(implementation, environment) if asked else None
    if answer is not None and not asked <= answer:
        raise Violation(f"{', '.join(sorted(asked - answer))} lost; selected: {said(answer)}", environment)


@requirement("ENV-030")
@table(
    [{PREFIX + n: v} for n, v in ((b"GDS_MT", b"true"), (b"POSIX", b"false"), (b"", b"true"), (b"UCX_PARAM1", b"x"))]
)
def test_what_unknown_names_do(implementation: Implementation, environment: Environment, observe: Observe) -> None:
    """Refused, passed on, or read as something else."""
    _see(implementation, environment, observe)


def _named_as_they_are(implementation: Implementation, environment: Environment) -> tuple[str, ...]:
    try:
        return implementation.backends(environment) if documented(environment) is not None else ()
    except Refused:
        return ()


@requirement("ENV-031")
@given(environment=DOCUMENTED)
def test_letters_of_the_answer(implementation: Implementation, environment: Environment) -> None:
    """UCX, not ucx."""
    wrong = [n for n in _named_as_they_are(implementation, environment) if n not in BACKENDS and n.upper() in BACKENDS]
    if wrong:
        raise Violation(f"spelt otherwise: {', '.join(wrong)}", environment)


@requirement("ENV-032")
@given(environment=DOCUMENTED)
def test_named_once(implementation: Implementation, environment: Environment) -> None:
    """However it came about."""
    names = _named_as_they_are(implementation, environment)
    if len(names) != len(set(names)):
        raise Violation(f"named twice: {', '.join(names)}", environment)
