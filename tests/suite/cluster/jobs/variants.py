"""Faulty ways to print a job, written before the tests that find them out."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from suite.cluster.jobs import job, mpirun, slurm, torchrun

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Patch = Callable[[pytest.MonkeyPatch], None]

PRINTERS = (slurm, torchrun, mpirun)


def does_not_quote(patch: pytest.MonkeyPatch) -> None:
    for module in PRINTERS:
        patch.setattr(module, "line", " ".join)


def quotes_only_blanks(patch: pytest.MonkeyPatch) -> None:
    for module in PRINTERS:
        patch.setattr(module, "line", lambda words: " ".join(f'"{word}"' if " " in word else word for word in words))


def takes_any_partition(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(job, "_NAMES", re.compile(r".*", re.DOTALL))


def takes_any_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(job, "_TIME", re.compile(r"\S+"))


def takes_any_path(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(job, "_check_path", lambda option, text: None)  # noqa: ARG005  a stand-in


def prints_a_secret(patch: pytest.MonkeyPatch) -> None:
    for module in PRINTERS:
        patch.setattr(module, "NEW_TOKEN", f"KVGAUGE_TOKEN={secrets.token_hex(16)}")


def forgets_to_hand_on_the_token(patch: pytest.MonkeyPatch) -> None:
    for module in PRINTERS:
        patch.setattr(module, "TOKEN", "OTHER")


VARIANTS: dict[str, Patch] = {
    patch.__name__: patch
    for patch in (
        does_not_quote,
        quotes_only_blanks,
        takes_any_partition,
        takes_any_time,
        takes_any_path,
        prints_a_secret,
        forgets_to_hand_on_the_token,
    )
}
