"""From what a command line names to an implementation."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.settings.faults import show
from suite.transports import base

if TYPE_CHECKING:
    from conformance.implementation import UnderTest

FORMS = "my_pkg.settings:parse, my_pkg.transport:transport, exec:COMMAND, exec-log:COMMAND --- REGEX"
_NAME_CHARACTERS = 80


def load(spec: str) -> UnderTest:
    """Return the implementation that `spec` names.

    What cannot be one is a `BadInput`; a command that is not there, a harness
    that does not work, or upstream code that is not installed, is a `Missing`.
    """
    from conformance.implementations import built_in, harness, log, where_installed

    if spec.startswith(log.PREFIX):
        return log.Log(spec.removeprefix(log.PREFIX))
    if spec.startswith(harness.PREFIX):
        return harness.Harness(spec.removeprefix(harness.PREFIX))
    known = {**built_in(), **where_installed()}
    if spec in known:
        return known[spec]()
    name = spec.partition("?")[0]
    if name in base.names():
        from conformance.implementations import transport

        return transport.from_name(spec)
    if ":" in name:
        from conformance.implementations.python_callable import from_path

        return from_path(spec)
    near = difflib.get_close_matches(spec[:_NAME_CHARACTERS], known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise BadInput(
        "unknown-implementation",
        f"no implementation {show(spec)}",
        f"{hint}built in: {', '.join(built_in())}; transports: {', '.join(base.names())}; where installed: {', '.join(where_installed())}; or {FORMS}",
    )
