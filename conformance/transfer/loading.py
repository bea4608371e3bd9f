"""From a name to a transport: an entry point of `kvgauge.transports`, or `module:attribute`, perhaps with `?name=value`.

What has `traits` and `open` is a transport; so is a class of it, which is called with
the name, as an entry point's is. Anything else at `module:attribute` reads settings.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from suite.errors import BadInput
from suite.transports import base

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.transports.base import Transport

_MEMORY = ("host", "cuda")


@dataclass(frozen=True)
class Named:
    """`nixl:UCX?memory=cuda&UCX_TLS=tcp&num_threads=2`, taken apart."""

    transport: str
    memory: str  # of the regions: "host", "cuda"
    environment: Mapping[str, str]  # upper case names: variables of the workers
    settings: Mapping[str, str]  # others: what `Transport.open` is given


def taken_apart(spec: str) -> Named:
    """Return the parts of a name; an option without a value, or unknown memory, is a `BadInput`."""
    transport, _, query = spec.partition("?")
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=100))
    except ValueError as error:
        raise BadInput("bad-options", f"{spec[:100]!a}: {error}", "NAME?setting=value&VARIABLE=value") from None
    memory = options.pop("memory", "host")
    if memory not in _MEMORY:
        raise BadInput("bad-options", f"memory={memory[:40]!a}", f"accepted: {', '.join(_MEMORY)}")
    upper = {name: value for name, value in options.items() if name.isupper()}
    lower = {name: value for name, value in options.items() if not name.isupper()}
    return Named(transport, memory, MappingProxyType(upper), MappingProxyType(lower))


def is_transport(found: object) -> bool:
    """Tell whether something at `module:attribute` is a transport, or a class of one."""
    return callable(getattr(found, "open", None)) and (inspect.isclass(found) or hasattr(found, "traits"))


def transport_named(name: str) -> Transport:
    """Return the transport that a worker is to open."""
    if name in base.names():
        return base.load(name)
    module, _, attribute = name.partition(":")
    found: Any = import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return made(found, name)


def made(found: Any, name: str) -> Transport:
    """Return the transport itself."""
    transport: Transport = found(name) if isinstance(found, type) else found
    return transport
