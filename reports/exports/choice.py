"""`kvgauge report --format csv`, `otava`, ...: what writes each, and how a file of it is known. All take one run or several."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reports.recorded import Run


@dataclass(frozen=True)
class Export:
    """One form; `function` of its module returns the text, and what a reader should know of it."""

    module: str
    function: str
    mark: bytes  # in the head of every file of it that we write: nothing else is overwritten

    def render(self, runs: Sequence[Run]) -> tuple[str, tuple[str, ...]]:
        """Return the file, and notes; raises `BadInput` where there is nothing that may be exported."""
        function = cast(
            "Callable[[Sequence[Run]], tuple[str, tuple[str, ...]]]", getattr(import_module(self.module), self.function)
        )
        return function(runs)


EXPORTS: Mapping[str, Export] = MappingProxyType(
    {
        "csv": Export("reports.exports.points_csv", "render", b"time,run,version,launch,"),
        "otava": Export("reports.exports.otava", "render", b"time,run,version,"),
        "otava-config": Export("reports.exports.otava", "render_config", b"# kvgauge: tests for Apache Otava"),
        "mocker": Export("reports.exports.mocker", "render", b"# kvgauge: for Dynamo's mocker"),
    }
)
