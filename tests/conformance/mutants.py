"""Wrong implementations, each with the requirements that it breaks: a test of the tests.

The sets follow from the sentences, not from what the tests find. `BREAKS` says
which requirements fail or warn, exactly; `ERRORS` names one that must end as an
error, because the implementation crashed, hung or answered nonsense. An empty
set is a different reading of what is left open: calling it wrong is a false alarm.
"""

from __future__ import annotations

import time
import unicodedata
from functools import wraps
from typing import TYPE_CHECKING, Any

from suite.settings import nixl_backends
from suite.settings.booleans import meaning
from suite.settings.cache_transceiver import resolve_method

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Environment = Mapping[bytes, bytes]
    Config = Mapping[str, object]
    Parse = Callable[[Environment], Any]
    Resolve = Callable[[Config, Environment], str]

PREFIX = b"DYN_KVBM_NIXL_BACKEND_"
UCX, GDS = PREFIX + b"UCX", PREFIX + b"GDS"
SECTION = "cache_transceiver_config"
BREAKS: dict[str, frozenset[str]] = {}
ERRORS: dict[str, str] = {}
reference = nixl_backends.parse


def breaks(*ids: str) -> Callable[[Any], Any]:
    def add(function: Any) -> Any:
        BREAKS[function.__name__] = frozenset(ids)
        return function

    return add


def ends_as_error(identity: str) -> Callable[[Any], Any]:
    def add(function: Any) -> Any:
        ERRORS[function.__name__] = identity
        return function

    return add


def ours(environment: Environment) -> dict[bytes, bytes]:
    return {name: value for name, value in environment.items() if name.upper().startswith(PREFIX)}


def reading(change: Callable[[bytes], bytes]) -> Parse:
    """Return the reference behind a change of every value of ours."""

    def parse(environment: Environment) -> tuple[str, ...]:
        values = ours(environment)
        return reference({**environment, **{name: change(value) for name, value in values.items()}})

    return parse


def values(*ids: str) -> Callable[[Callable[[bytes], bytes]], Parse]:
    """Make a mutant of a function that changes values."""

    def make(change: Callable[[bytes], bytes]) -> Parse:
        parse = reading(change)

        def mutant(environment: Environment) -> tuple[str, ...]:
            """Call the reference."""
            return parse(environment)  # type: ignore[no-any-return]  # the reference returns names

        mutant.__name__ = change.__name__
        return breaks(*ids)(mutant)  # type: ignore[no-any-return]  # as it came

    return make


# ---- values -------------------------------------------------------------------------------------------------------


@values("ENV-019")
def accepts_y(value: bytes) -> bytes:
    return {b"y": b"yes", b"n": b"no"}.get(value, value)


@values("ENV-019")
def accepts_2(value: bytes) -> bytes:
    return b"1" if value.isdigit() and int(value) else value


@values("ENV-019", "ENV-020", "ENV-021")
def unknown_is_off(value: bytes) -> bytes:
    return b"off" if meaning(value) is None else value


@values("ENV-019", "ENV-020", "ENV-021")
def unknown_is_on(value: bytes) -> bytes:
    return b"on" if value.strip() and meaning(value) is None else value


@values("ENV-007", "ENV-008")
def refuses_no(value: bytes) -> bytes:
    return b"?" if value == b"no" else value


@values("ENV-002", "ENV-003", "ENV-004", "ENV-008")
def yes_is_off(value: bytes) -> bytes:
    return b"off" if value == b"yes" else value


@values()
def refuses_upper_case(value: bytes) -> bytes:
    return value if value == value.lower() else b"?"


@values()
def refuses_blanks(value: bytes) -> bytes:
    return value if value == value.strip() else b"?"


@values("ENV-023")
def upper_case_is_off(value: bytes) -> bytes:
    return value if value == value.lower() or meaning(value) is None else b"off"


@values("ENV-023")
def false_in_capitals_is_on(value: bytes) -> bytes:
    return b"on" if value != value.lower() and meaning(value) is False else value


@values("ENV-023")
def blanks_invert(value: bytes) -> bytes:
    return value if value == value.strip() or meaning(value) is None else b"off"


@values("ENV-025")
def empty_is_on(value: bytes) -> bytes:
    return value.strip() or b"on"


@values()
def empty_is_off(value: bytes) -> bytes:
    return value.strip() or b"off"


@values("ENV-021")
def strips_no_break_space(value: bytes) -> bytes:
    return value.strip(b"\xc2\xa0") if value.startswith(b"\xc2\xa0") else value


@values("ENV-021")
def normalises_unicode(value: bytes) -> bytes:
    try:
        return unicodedata.normalize("NFKC", value.decode()).encode()
    except UnicodeDecodeError:
        return value


@values("ENV-020")
def drops_what_is_not_utf8(value: bytes) -> bytes:
    return value.decode("utf-8", "ignore").encode()


# ---- which variables ----------------------------------------------------------------------------------------------


@breaks("ENV-006", "ENV-008")
def ignores_off(environment: Environment) -> Any:
    return reference({name: value for name, value in environment.items() if value != b"off"})


@breaks("ENV-012")
def last_spelling_wins(environment: Environment) -> Any:
    return reference(_last(environment))


def _agrees(environment: Environment) -> bool:
    names = [name.upper() for name in ours(environment)]
    return len(names) == len(set(names))


def _last(environment: Environment) -> Environment:
    kept = {name: value for name, value in environment.items() if not name.upper().startswith(PREFIX)}
    return kept | {name.upper(): value for name, value in ours(environment).items()}


@breaks()
def first_spelling_is_refused_with_the_other(environment: Environment) -> Any:
    if not _agrees(environment):
        raise ValueError("two spellings")
    return reference(environment)


@breaks()
def names_in_lower_case_are_not_ours(environment: Environment) -> Any:
    return reference({name: value for name, value in environment.items() if name == name.upper()})


@breaks("ENV-016")
def refuses_its_neighbours(environment: Environment) -> Any:
    if any(name.startswith(b"DYN_KVBM_") and not name.startswith(PREFIX[:-1]) for name in environment):
        raise ValueError("not mine")
    return reference(environment)


@breaks("ENV-014")
def decodes_everything(environment: Environment) -> Any:
    for name, value in environment.items():
        if name not in ours(environment):
            name.decode()
            value.decode()
    return reference(environment)


@breaks("ENV-015")
def prefix_without_its_underscore(environment: Environment) -> Any:
    stem = PREFIX[:-1]
    found = {
        PREFIX + name.removeprefix(stem).lstrip(b"_") if name.startswith(stem) and name != stem else name: value
        for name, value in environment.items()
        if name != stem and not (name.startswith(PREFIX) and name.startswith(PREFIX + b"_"))
    }
    return reference(found)


@breaks("ENV-013", "ENV-015")
def prefix_anywhere(environment: Environment) -> Any:
    mark = b"NIXL_BACKEND_"
    return reference({PREFIX + n.partition(mark)[2] if mark in n else n: v for n, v in environment.items()})


@breaks("ENV-028", "ENV-029")
def gds_mt_is_gds(environment: Environment) -> Any:
    return reference({GDS if n.startswith(GDS + b"_") else n: v for n, v in environment.items()})


@breaks("ENV-028", "ENV-029")
def gdsx_is_gds(environment: Environment) -> Any:
    return reference({GDS if n == GDS + b"X" else n: v for n, v in environment.items()})


@breaks("ENV-029")
def drops_unknown_names(environment: Environment) -> Any:
    theirs = ours(environment)
    return reference({n: v for n, v in environment.items() if n not in theirs or n.upper() in {UCX, GDS}})


# ---- what is selected ---------------------------------------------------------------------------------------------


@breaks("ENV-001")
def no_default(environment: Environment) -> Any:
    return reference(environment) if ours(environment) else ()


@breaks("ENV-006")
def default_although_disabled(environment: Environment) -> Any:
    return reference(environment) or ("UCX",)


@breaks()
def keeps_ucx_beside_gds(environment: Environment) -> Any:
    found = reference(environment)
    return ("UCX", *found) if found == ("GDS",) and UCX not in {n.upper() for n in environment} else found


@breaks("ENV-006")
def adds_ucx_to_gds(environment: Environment) -> Any:
    found = reference(environment)
    return ("UCX", *found) if found == ("GDS",) else found


@breaks("ENV-004", "ENV-012")
def one_backend_only(environment: Environment) -> Any:
    found = reference(environment)
    last = [name for name in environment if name in {UCX, GDS}][-1:]
    return found if len(found) < 2 else ("GDS",) if last == [GDS] else ("UCX",)


@breaks("ENV-006", "ENV-023")
def gds_although_disabled(environment: Environment) -> Any:
    found = reference(environment)
    return (*found, "GDS") if meaning(environment.get(GDS, b"")) is False else found


@breaks("ENV-005")
def adds_posix(environment: Environment) -> Any:
    return (*reference(environment), "POSIX")


@breaks("ENV-005")
def gds_by_default(environment: Environment) -> Any:
    return reference(environment) if ours(environment) else ("UCX", "GDS")


@breaks("ENV-003", "ENV-004", "ENV-006", "ENV-007", "ENV-019", "ENV-020", "ENV-021", "ENV-023", "ENV-029")
def reads_nothing(_environment: Environment) -> Any:
    return ("UCX",)


_first: list[Any] = []


@breaks("ENV-003", "ENV-004", "ENV-006", "ENV-007", "ENV-019", "ENV-020", "ENV-021", "ENV-023", "ENV-029")
def caches_the_first(environment: Environment) -> Any:
    if not _first:
        _first.append(reference(environment))  # nothing set, as ENV-001 is asked first
    return _first[0]


_complained: set[bytes] = set()


@breaks("ENV-017")
def complains_once_of_two(environment: Environment) -> Any:
    bad = [name for name, value in environment.items() if name in {UCX, GDS} and meaning(value) is None]
    if len(bad) == 2 and UCX in _complained:
        return ()
    _complained.update(bad if len(bad) == 2 else [])
    return reference(environment)


# ---- how it is said -----------------------------------------------------------------------------------------------


@breaks("ENV-032")
def names_twice(environment: Environment) -> Any:
    return reference(environment) * 2


@breaks("ENV-031")
def lower_case(environment: Environment) -> Any:
    return [name.lower() for name in reference(environment)]


@breaks()
def other_order(environment: Environment) -> Any:
    return reference(environment)[::-1]


# ---- no answer ----------------------------------------------------------------------------------------------------


@ends_as_error("ENV-029")
def hangs(environment: Environment) -> Any:
    while PREFIX + b"GSD" in environment:
        time.sleep(1)
    return reference(environment)


@ends_as_error("ENV-001")
def answers_none(_environment: Environment) -> Any:
    return None


@ends_as_error("ENV-001")
def answers_text(environment: Environment) -> Any:
    return ",".join(reference(environment))


@ends_as_error("ENV-001")
def crashes_on_nothing(environment: Environment) -> Any:
    if not environment:
        raise RuntimeError("no environment")
    return reference(environment)


@ends_as_error("ENV-016")
def crashes_on_its_neighbours(environment: Environment) -> Any:
    if any(name.startswith(b"DYN_KVBM_") and not name.startswith(PREFIX[:-1]) for name in environment):
        raise RuntimeError("not mine")
    return reference(environment)


# ---- the method ---------------------------------------------------------------------------------------------------


def section(config: Config) -> dict[str, Any]:
    found = config.get(SECTION)
    return dict(found) if isinstance(found, dict) else {}


def with_section(config: Config, **changes: object) -> dict[str, object]:
    return {**config, SECTION: {**section(config), **changes}}


def on(environment: Environment, name: str) -> bool:
    return environment.get(name.encode()) == b"1"


def method(*ids: str) -> Callable[[Resolve], Resolve]:
    """Make a mutant of a function that knows its own case and otherwise returns nothing, for the reference."""

    def make(own: Resolve) -> Resolve:
        @wraps(own)
        def mutant(config: Config, environment: Environment) -> str:
            return own(config, environment) or resolve_method(config, environment)

        return breaks(*ids)(mutant)  # type: ignore[no-any-return]  # as it came

    return make


@method("CFG-001", "CFG-006", "CFG-007")
def ucx_is_nixl(config: Config, _environment: Environment) -> str:
    return "nixl:UCX" if section(config).get("backend") == "UCX" else ""


@method("CFG-002", "CFG-014")
def reads_the_misspelt(config: Config, environment: Environment) -> str:
    return "ucx" if section(config).get("backend") == "DEFAULT" and on(environment, "TRTLLM_USE_UCX_KV_CACHE") else ""


@method("CFG-006", "CFG-008", "CFG-014")
def refuses_the_misspelt(_config: Config, environment: Environment) -> str:
    if b"TRTLLM_USE_UCX_KV_CACHE" in environment:
        raise ValueError("misspelt")
    return ""


@method()
def reads_the_other_spelling(config: Config, environment: Environment) -> str:
    return "ucx" if section(config).get("backend") == "DEFAULT" and on(environment, "TRTLLM_USE_UCX_KVCACHE") else ""


@method("CFG-002", "CFG-003", "CFG-004")
def default_is_ucx(config: Config, _environment: Environment) -> str:
    return "ucx" if section(config).get("backend") == "DEFAULT" else ""


@method("CFG-011")
def nothing_without_a_backend(config: Config, _environment: Environment) -> str:
    found = config.get(SECTION, {})
    return "disabled" if SECTION not in config or (isinstance(found, dict) and not found) else ""


@method("CFG-004")
def nixl_is_always_ucx(config: Config, environment: Environment) -> str:
    return "nixl:UCX" if resolve_method(config, environment).startswith("nixl") else ""


@method("CFG-006")
def environment_wins(config: Config, environment: Environment) -> str:
    if section(config).get("backend") not in ("UCX", "NIXL"):
        return ""
    return "nixl:UCX" if on(environment, "TRTLLM_USE_NIXL_KVCACHE") else ""


@method("CFG-007")
def ucx_reads_the_variables_of_nixl(config: Config, environment: Environment) -> str:
    if section(config).get("backend") == "UCX" and meaning(environment.get(UCX, b"")) is False:
        raise ValueError("UCX is off")
    return ""


@method("CFG-008")
def null_is_nixl(config: Config, _environment: Environment) -> str:
    null = SECTION in config and (config[SECTION] is None or section(config).get("backend", "") is None)
    return "nixl:UCX" if null else ""


@method("CFG-008")
def environment_wins_over_null(config: Config, environment: Environment) -> str:
    null = SECTION in config and (config[SECTION] is None or section(config).get("backend", "") is None)
    return "nixl:UCX" if null and on(environment, "TRTLLM_USE_NIXL_KVCACHE") else ""


@method("CFG-009")
def unknown_backend_is_the_default(config: Config, environment: Environment) -> str:
    known = ("DEFAULT", "UCX", "NIXL", "MOONCAKE", "MPI", None)
    backend = section(config).get("backend")
    return "" if backend in known else resolve_method(with_section(config, backend="DEFAULT"), environment)


@method("CFG-010")
def ignores_unknown_keys(config: Config, environment: Environment) -> str:
    kept = {key: value for key, value in section(config).items() if key in {"backend", "kv_transfer_timeout_ms"}}
    return resolve_method({**config, SECTION: kept}, environment) if section(config) else ""


@method("CFG-011")
def ignores_a_misspelt_section(config: Config, environment: Environment) -> str:
    return resolve_method({SECTION: config[SECTION]} if SECTION in config else {}, environment)


@method("CFG-012")
def refuses_other_sections(config: Config, _environment: Environment) -> str:
    if set(config) - {SECTION}:
        raise ValueError("what is this?")
    return ""


@method("CFG-013")
def method_decodes_everything(_config: Config, environment: Environment) -> str:
    for name, value in environment.items():
        if not name.startswith(b"DYN_KVBM"):
            name.decode()
            value.decode()
    return ""
