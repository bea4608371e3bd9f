"""cache_transceiver_config and TRTLLM_*: the sentences of requirements/cfg.toml, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from conformance.properties import strategies
from conformance.properties.asking import documented, method, ours, said, same, strangers, transports
from conformance.properties.given import given
from conformance.properties.strategies import GDS, UCX
from conformance.requirement import requirement
from conformance.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conformance.implementation import Implementation

    Config = Mapping[str, object]
    Environment = Mapping[bytes, bytes]
    Observe = Callable[[str], None]

SECTION = "cache_transceiver_config"
SELECTORS = {name: f"TRTLLM_USE_{name}_KVCACHE".encode() for name in ("NIXL", "UCX", "MOONCAKE", "MPI")}
MISSPELT = b"TRTLLM_USE_UCX_KV_CACHE"
KNOWN = ("DEFAULT", "UCX", "NIXL", "MOONCAKE", "MPI")
DEFAULT: Config = {SECTION: {"backend": "DEFAULT"}}


def chosen(backend: object) -> dict[str, object]:
    """Return an engine configuration that names a backend and nothing else."""
    return {SECTION: {"backend": backend}}


def table(*cases: tuple[Config, Environment]) -> pytest.MarkDecorator:
    """Return fixed cases, each its own test."""
    return pytest.mark.parametrize(("config", "environment"), cases)


def _section(config: Config) -> dict[str, Any]:
    found = config.get(SECTION)
    return dict(found) if isinstance(found, dict) else {}


def _backend(config: Config) -> object:
    """Return the backend that is written, an empty text if none is."""
    return _section(config).get("backend", "")


def _left_open(environment: Environment) -> list[tuple[Config, Environment]]:
    """Return the case that leaves the choice open; versions without that key take it to say nothing (docs/semantics.md)."""
    return [(DEFAULT, environment)]


def _selected(environment: Environment) -> dict[str, bytes]:
    """Return the selectors that are there."""
    return {name: environment[variable] for name, variable in SELECTORS.items() if variable in environment}


def _is(implementation: Implementation, config: Config, environment: Environment, *wanted: str) -> None:
    found = method(implementation, config, environment)
    if found not in wanted:
        raise Violation(f"{found}, not {' or '.join(wanted)}", environment, config)


def _chooses(
    implementation: Implementation, config: Config, environment: Environment, values: Mapping[str, bytes], wanted: str
) -> None:
    """Require a method where the choice is open and exactly these selectors are set."""
    if _backend(config) == "DEFAULT" and _selected(environment) == values:
        _is(implementation, config, environment, wanted)


@requirement("CFG-001")
@table((chosen("UCX"), {}))
def test_ucx_is_direct(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Without further settings."""
    if _backend(config) == "UCX" and not ours(environment) and not _selected(environment):
        _is(implementation, config, environment, "ucx")


@requirement("CFG-002")
@table((DEFAULT, {MISSPELT: b"1"}))
def test_the_variable_of_the_page_does_not_enable_ucx(
    implementation: Implementation, config: Config, environment: Environment
) -> None:
    """R12's own example."""
    premise = _backend(config) == "DEFAULT" and environment.get(MISSPELT) == b"1" and not _selected(environment)
    if premise and method(implementation, config, environment) == "ucx":
        raise Violation("ucx, though only a variable asks for it", environment, config)


@requirement("CFG-003")
@table((DEFAULT, {}))
def test_default_is_nixl_over_ucx(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Nothing set."""
    nothing_set = not ours(environment) and not _selected(environment) and MISSPELT not in environment
    if _backend(config) == "DEFAULT" and nothing_set:
        answer = transports(implementation, config, environment)
        if answer != frozenset({"nixl:UCX"}):
            raise Violation(f"{said(answer)}, not nixl:UCX", environment, config)


@requirement("CFG-004")
@table((DEFAULT, {GDS: b"true"}), (DEFAULT, {UCX: b"true", GDS: b"true"}), (DEFAULT, {UCX: b"false", GDS: b"true"}))
def test_default_uses_the_backends_enabled(
    implementation: Implementation, config: Config, environment: Environment
) -> None:
    """At least these: whether GDS alone keeps UCX is left open."""
    wanted = {f"nixl:{name}" for name, on in (documented(environment) or {}).items() if on}
    if _backend(config) == "DEFAULT" and wanted and not _selected(environment):
        answer = transports(implementation, config, environment)
        if answer is None or not wanted <= answer:
            raise Violation(
                f"{said(answer)}, without {', '.join(sorted(wanted - (answer or set())))}", environment, config
            )


def _see(implementation: Implementation, config: Config, environment: Environment, observe: Observe) -> None:
    observe(f"{dict(config)}: {said(transports(implementation, config, environment))}")


@requirement("CFG-005")
@table(({}, {}), ({SECTION: {}}, {}))
def test_no_backend(implementation: Implementation, config: Config, environment: Environment, observe: Observe) -> None:
    """Without the section, and with an empty one."""
    _see(implementation, config, environment, observe)


def _explicit_wins(implementation: Implementation, config: Config, environment: Environment) -> None:
    if _backend(config) in {"UCX", "NIXL"} and len(_section(config)) == 1 and not ours(environment):
        _is(implementation, config, environment, str(_backend(config)).lower())


@requirement("CFG-006")
@table(*((chosen(backend), {SELECTORS[name]: b"1"}) for backend in ("UCX", "NIXL") for name in SELECTORS))
def test_explicit_wins_over_a_selector(
    implementation: Implementation, config: Config, environment: Environment
) -> None:
    """Each alone."""
    _explicit_wins(implementation, config, environment)


@requirement("CFG-006")
@given(
    config=st.sampled_from(("UCX", "NIXL")).map(chosen),
    environment=st.dictionaries(st.sampled_from([*SELECTORS.values(), MISSPELT]), st.sampled_from((b"1", b"0", b""))),
)
def test_explicit_wins_over_all(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Any of them, set and not."""
    _explicit_wins(implementation, config, environment)


@requirement("CFG-007")
@table((chosen("UCX"), {UCX: b"false"}), (chosen("UCX"), {GDS: b"true"}), (chosen("UCX"), {UCX: b"off", GDS: b"on"}))
def test_ucx_does_not_read_the_backends_of_nixl(
    implementation: Implementation, config: Config, environment: Environment
) -> None:
    """Documented values only."""
    if _backend(config) == "UCX" and documented(environment) and not _selected(environment):
        _is(implementation, config, environment, "ucx")


NULLS: tuple[Config, ...] = ({SECTION: None}, chosen(None))


@requirement("CFG-008")
@table(*((config, env) for config in NULLS for env in ({}, *({v: b"1"} for v in (*SELECTORS.values(), MISSPELT, GDS)))))
def test_null_disables(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Whatever is set."""
    if config in NULLS:
        _is(implementation, config, environment, "disabled")


@requirement("CFG-009")
@table(
    *(
        (chosen(name), {})
        for name in ("GDS", "RDMA", "TCP", "nixl:UCX", "NIXL_UCX", "NIXL,UCX", "UCX ", "", 1, True, ["UCX"])
    )
)
def test_unknown_backends_are_refused(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Names of other things, and no names. Letter case is left alone: versions differ."""
    backend = _section(config).get("backend")
    if backend is not None and (not isinstance(backend, str) or backend.upper() not in KNOWN):
        _is(implementation, config, environment, "refused")


@requirement("CFG-010")
@table(
    *(({SECTION: {key: "UCX"}}, {}) for key in ("bakend", "backends", "Backend", "backend_type", "kv_transfer_timeout"))
)
def test_unknown_keys_are_refused(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Near the right one."""
    if _section(config).keys() & {"bakend", "backends", "Backend", "backend_type", "kv_transfer_timeout"}:
        _is(implementation, config, environment, "refused")


MISTYPED = ("cache_transciever_config", "cache_transceiver_conf", "cache_tranceiver_config", "cache-transceiver-config")


@requirement("CFG-011")
@table(*(({key: {"backend": "UCX"}}, {}) for key in MISTYPED))
def test_a_mistyped_section_is_refused(
    implementation: Implementation, config: Config, environment: Environment
) -> None:
    """Or else the default would be used."""
    if config.keys() & set(MISTYPED):
        _is(implementation, config, environment, "refused")


REST: tuple[dict[str, object], ...] = (
    {"kv_cache_config": {"enable_block_reuse": False}},
    {"max_batch_size": 8, "backend": "pytorch"},
    {"tensor_parallel_size": 2},
)


@requirement("CFG-012")
@table(*(({**rest, **chosen(backend)}, {}) for rest in REST for backend in ("DEFAULT", "UCX", "NIXL", None)))
def test_the_rest_of_the_engine(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Keys of TensorRT-LLM."""
    alone = {key: value for key, value in config.items() if not any(key in rest for rest in REST)}
    answer = transports(implementation, config, environment)
    same(answer, transports(implementation, alone, environment), "without the other keys", environment, config)


SELECTED = st.dictionaries(st.sampled_from(list(SELECTORS.values())), st.sampled_from((b"1", b"0", b"")), max_size=2)
CONFIGS: st.SearchStrategy[dict[str, object]] = st.sampled_from([chosen("DEFAULT"), chosen("UCX"), chosen("NIXL"), {}])


def _without(
    implementation: Implementation, config: Config, environment: Environment, names: set[bytes], what: str
) -> None:
    rest = {name: value for name, value in environment.items() if name not in names}
    answer = transports(implementation, config, environment)
    same(answer, transports(implementation, config, rest), f"without {what}", environment, config)


@requirement("CFG-013")
@given(
    config=CONFIGS, environment=strategies.among_strangers(SELECTED) | strategies.among_strangers(SELECTED, utf8=False)
)
def test_strangers_do_not_matter(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Text and not."""
    _without(implementation, config, environment, set(strangers(environment)), "the variables of other programs")


@requirement("CFG-014")
@table((DEFAULT, {MISSPELT: b"1"}), ({}, {MISSPELT: b"1"}))
def test_the_misspelt_variable(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Alone."""
    _without(implementation, config, environment, {MISSPELT}, MISSPELT.decode())


@requirement("CFG-014")
@given(config=CONFIGS, environment=SELECTED.map(lambda found: {MISSPELT: b"1", **found}))
def test_the_misspelt_variable_beside_others(
    implementation: Implementation, config: Config, environment: Environment
) -> None:
    """Beside those that releases read."""
    _without(implementation, config, environment, {MISSPELT}, MISSPELT.decode())


@requirement("CFG-015")
@table((DEFAULT, {SELECTORS["UCX"]: b"1"}))
def test_the_variable_of_the_releases(
    implementation: Implementation, config: Config, environment: Environment, observe: Observe
) -> None:
    """The page does not have it."""
    _see(implementation, config, environment, observe)


@requirement("CFG-016")
@table((DEFAULT, {UCX: b"false"}), (chosen("NIXL"), {UCX: b"false", GDS: b"false"}))
def test_nixl_without_a_backend(
    implementation: Implementation, config: Config, environment: Environment, observe: Observe
) -> None:
    """Refused, disabled, or UCX all the same."""
    _see(implementation, config, environment, observe)


# ---- releases: how an open choice is made -----------------------------------------------------------------------


@requirement("CFG-017")
@table(*_left_open({}))
def test_nothing_set_is_off(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Before there was a default."""
    _chooses(implementation, config, environment, {}, "disabled")


@requirement("CFG-018")
@table(*_left_open({}))
def test_nothing_set_is_ucx(implementation: Implementation, config: Config, environment: Environment) -> None:
    """The first default."""
    _chooses(implementation, config, environment, {}, "ucx")


@requirement("CFG-019")
@table(*_left_open({}))
def test_nothing_set_is_nixl(implementation: Implementation, config: Config, environment: Environment) -> None:
    """The default of today."""
    _chooses(implementation, config, environment, {}, "nixl")


@requirement("CFG-020")
@table(*_left_open({SELECTORS["UCX"]: b"1"}), *_left_open({SELECTORS["MPI"]: b"1"}))
def test_a_selector_alone(implementation: Implementation, config: Config, environment: Environment) -> None:
    """The two that all versions know."""
    _chooses(implementation, config, environment, {"UCX": b"1"}, "ucx")
    _chooses(implementation, config, environment, {"MPI": b"1"}, "mpi")


def _values(*values: bytes) -> list[tuple[Config, Environment]]:
    """Return cases with the MPI variable, as MPI is no version's default."""
    return [case for value in values for case in _left_open({SELECTORS["MPI"]: value})]


@requirement("CFG-021")
@table(*_values(b"0", b"false", b"true", b" "))
def test_any_value_sets_a_selector(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Also one that says no."""
    value = _selected(environment).get("MPI")
    if value:
        _chooses(implementation, config, environment, {"MPI": value}, "mpi")


def _not_set(implementation: Implementation, config: Config, environment: Environment) -> None:
    answer = transports(implementation, config, environment)
    rest = {name: value for name, value in environment.items() if name != SELECTORS["MPI"]}
    same(answer, transports(implementation, config, rest), "without that variable", environment, config)


@requirement("CFG-022")
@table(*_values(b"0", b"true", b"01", b"1 ", b"on"))
def test_only_1_sets_a_selector(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Exactly one character."""
    if _backend(config) == "DEFAULT" and _selected(environment).get("MPI", b"1") != b"1":
        _not_set(implementation, config, environment)


@requirement("CFG-023")
@table(*_values(b""))
def test_empty_is_not_set(implementation: Implementation, config: Config, environment: Environment) -> None:
    """As a shell sets a variable from one that is not set."""
    if _backend(config) == "DEFAULT" and _selected(environment).get("MPI", b"1") == b"":
        _not_set(implementation, config, environment)


def _pair(one: str, other: str) -> Sequence[tuple[Config, Environment]]:
    return _left_open({SELECTORS[one]: b"1", SELECTORS[other]: b"1"})


@requirement("CFG-024")
@table(*_pair("NIXL", "UCX"))
def test_nixl_before_ucx(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Where the two current paths disagree: PyTorch's side."""
    _chooses(implementation, config, environment, {"NIXL": b"1", "UCX": b"1"}, "nixl")


@requirement("CFG-025")
@table(*_pair("NIXL", "UCX"))
def test_ucx_before_nixl(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Where the two current paths disagree: C++'s side."""
    _chooses(implementation, config, environment, {"NIXL": b"1", "UCX": b"1"}, "ucx")


@requirement("CFG-026")
@table(*_pair("UCX", "MPI"))
def test_mpi_beside_ucx(implementation: Implementation, config: Config, environment: Environment) -> None:
    """UCX is the default there, so nobody reads its variable."""
    _chooses(implementation, config, environment, {"UCX": b"1", "MPI": b"1"}, "mpi")


@requirement("CFG-027")
@table(*_pair("UCX", "MPI"))
def test_ucx_before_mpi(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Both set."""
    _chooses(implementation, config, environment, {"UCX": b"1", "MPI": b"1"}, "ucx")


@requirement("CFG-028")
@table(*_left_open({SELECTORS["NIXL"]: b"1"}), *_pair("NIXL", "MPI"))
def test_nixl_is_consulted(implementation: Implementation, config: Config, environment: Environment) -> None:
    """Alone and beside MPI."""
    _chooses(implementation, config, environment, {"NIXL": b"1"}, "nixl")
    _chooses(implementation, config, environment, {"NIXL": b"1", "MPI": b"1"}, "nixl")


@requirement("CFG-029")
@table((DEFAULT, {SELECTORS["NIXL"]: b"1", SELECTORS["UCX"]: b"1"}))
def test_both_selectors(
    implementation: Implementation, config: Config, environment: Environment, observe: Observe
) -> None:
    """The environment of one server, read by its Python and by its C++ half."""
    _see(implementation, config, environment, observe)
