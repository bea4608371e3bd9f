"""Records -> one HTML file; and `kvgauge run`, which needs every room.

For notebooks: `reports.load(run)` and `reports.load_samples(run)`. They are imported
when they are first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.frames import load, load_samples

__all__ = ["load", "load_samples"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from reports import frames

        return getattr(frames, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
