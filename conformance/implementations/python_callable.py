"""`my_pkg.settings:parse`: a function of the user's, called in this process.

With one argument it is asked for backends (`ParseBackends`), with two for the
method (`ResolveMethod`). `ValueError` is a refusal; anything else that it
raises, and an answer of another shape, is a fault of its own. It gets copies,
so that what it does to its arguments stays with it.

A call is interrupted after ten seconds, but a process cannot make its own C
code return: a parser that may hang there is better reached as `exec:`.
"""

from __future__ import annotations

import inspect
import re
import traceback
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.implementations.answers import checked_backends, checked_method, plain
from conformance.implementations.patience import Patience, TooLate, time_limit
from conformance.implementations.transport import from_object
from conformance.transfer.loading import is_transport
from conformance.verdict import ImplementationBroke, Refused
from suite.errors import BadInput
from suite.settings.faults import show

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.implementation import UnderTest
    from conformance.requirement import Answers

    Answer = TypeVar("Answer")

DEADLINE_S = 10.0
_PATH = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")
_FRAMES = 3
_HINT = "name a function: my_pkg.settings:parse"
_ARGUMENTS = "one argument (the environment) for backends, two (engine configuration, environment) for the method"


class PythonCallable:
    """One function, asked one of the two questions."""

    profile = "source-page"
    note = ""

    def __init__(
        self, name: str, function: Callable[..., object], answers: Answers, *, deadline_s: float = DEADLINE_S
    ) -> None:
        self.name = name
        self.answers: frozenset[Answers] = frozenset({answers})
        self._function = function
        self._patience = Patience(deadline_s)

    def backends(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
        """Return what the function selects."""
        return self._call(checked_backends, dict(environment))

    def method(self, config: Mapping[str, object], environment: Mapping[bytes, bytes]) -> str:
        """Return how the function moves the KV cache."""
        return self._call(checked_method, deepcopy(dict(config)), dict(environment))

    def close(self) -> None:
        """Nothing is held."""

    def _call(self, checked: Callable[[object], Answer], *arguments: object) -> Answer:
        """Return the checked answer; looking at it runs code of the user's, too."""
        with self._patience.waiting() as limit_s:
            try:
                with time_limit(limit_s):
                    return checked(self._answer(*arguments))
            except (Refused, KeyboardInterrupt):
                raise
            except ImplementationBroke as broke:
                raise ImplementationBroke(f"{self.name} {broke}") from None
            except TooLate:
                raise ImplementationBroke(f"{self.name} did not answer in {limit_s:.3g} s") from None
            except BaseException as error:  # also SystemExit, and pytest.skip, which would hide the verdict
                raise ImplementationBroke(f"{self.name} raised {_told(error)}") from error

    def _answer(self, *arguments: object) -> object:
        try:
            return self._function(*arguments)
        except ValueError as error:
            raise Refused(_told(error)) from error


def from_path(spec: str) -> UnderTest:
    """Return the function, or the transport, at `module:attribute`; a missing one, or one with other arguments, is a `BadInput`."""
    path, _, options = spec.partition("?")
    if not _PATH.fullmatch(path):
        raise BadInput("bad-implementation", f"{show(path)} names no function", _HINT)
    module, _, attribute = path.partition(":")
    found = _imported(module)
    for part in attribute.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise BadInput("no-function", f"{path}: {module} has no {attribute}", _HINT)
    if is_transport(found):
        return from_object(spec, found)
    if options:
        raise BadInput("bad-implementation", f"{show(spec)} is no transport, and only those have options", _HINT)
    return PythonCallable(path, found, _question(path, found))


def _imported(module: str) -> Any:
    """Import a module; whatever it does instead of being imported, it is a `BadInput` that says so."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            hint = 'is it installed, or its folder in pytest\'s pythonpath? (pyproject.toml: pythonpath = ["."])'
            raise BadInput("no-module", f"there is no module {error.name}", hint) from error
        raise BadInput("no-module", f"importing {module} failed: it needs the module {error.name}") from error
    except (Exception, SystemExit) as error:
        raise BadInput("no-module", f"importing {module} failed: {_told(error)}") from error


def _question(path: str, function: Callable[..., object]) -> Answers:
    """Return what a function can be asked, by how many arguments it must be given."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise BadInput("no-function", f"{path} cannot be called, or does not say with what", _HINT) from None
    positional = [one for one in parameters if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    needed = [one for one in positional if one.default is one.empty] or positional
    named = [one for one in parameters if one.kind is one.KEYWORD_ONLY and one.default is one.empty]
    if len(needed) not in {1, 2} or named:
        raise BadInput("wrong-arguments", f"{path}{plain(str(inspect.signature(function)))}", f"it takes {_ARGUMENTS}")
    return "backends" if len(needed) == 1 else "method"


def _told(error: BaseException) -> str:
    """Return an exception's type and words, and the last places that it came through, innermost last."""
    words = plain("".join(traceback.format_exception_only(error)).strip())
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    ours = {__file__, import_module.__code__.co_filename}
    return words + "".join(
        f"\n  {plain(Path(frame.filename).name)}, line {frame.lineno}, in {plain(frame.name)}"
        for frame in frames
        if frame.filename not in ours
    )
