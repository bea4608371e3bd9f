"""A sequence as a Python file that runs it again: complete, and pasted into a shell as it is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.requirement import registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.machine.steps import Step

_WIDTH = 110


def script(name: str, requirement: str, what: str, steps: Iterable[Step]) -> str:
    """Return the file. `what` may be a stranger's words: nothing of it gets out of its comment."""
    one = registry()[requirement]
    lines = [
        f"# {one.id} ({one.level}): {one.sentence}",
        *_comment(f"{name}: {what}"),
        "# Exit status 1: it is broken again.",
        "from conformance.machine.replay import playing",
        "",
        f"with playing({name!a}) as play:",
        *(f"    play.do({', '.join(map(_shown, (step.verb, *step.arguments)))})" for step in steps),
        "",
    ]
    return "\n".join(lines)


def pasted(text: str) -> str:
    """Return shell lines that run a script."""
    return f"python - <<'EOF'\n{text}EOF"


def _comment(text: str) -> list[str]:
    shown = ascii(text)[1:-1]
    return [f"# {shown[start : start + _WIDTH]}" for start in range(0, len(shown), _WIDTH)]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return ascii(value).replace("'", '"') if isinstance(value, str) else ascii(value)
