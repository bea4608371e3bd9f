"""`trtllm-installed`: an installed TensorRT-LLM, asked through its own `CacheTransceiverConfig`.

The class says what is refused and what `backend` is. What `DEFAULT` means is
decided when the engine starts, which needs a GPU: there our row of the same
release (`suite.settings.profiles`) answers, and without such a row nobody.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.implementations.harness import Harness
from conformance.verdict import ImplementationBroke, Refused
from suite.errors import BadInput, Missing
from suite.settings.cache_transceiver import SECTION, resolve_method
from suite.settings.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.requirement import Answers

PYTHON = "KVGAUGE_TRTLLM_PYTHON"
_HARNESS = Path(__file__).parent / "trtllm_installed_harness.py"
_EXPLICIT = "trtllm-pytorch-current"  # of a release without a row: what is written means the same in all of them
_IMPORT_S = 120.0


class TrtllmInstalled:
    """What TensorRT-LLM in the environment of KVGAUGE_TRTLLM_PYTHON, or in ours, makes of a configuration; `Missing` if it is in neither."""

    name = "trtllm-installed"
    answers: frozenset[Answers] = frozenset(("method",))

    def __init__(self) -> None:
        command = shlex.join([os.environ.get(PYTHON) or sys.executable, str(_HARNESS)])
        try:
            self._harness = Harness(command, deadline_s=_IMPORT_S)
        except Missing as missing:
            hint = f"pip install tensorrt-llm, here or in the environment whose interpreter {PYTHON} names"
            raise Missing("no-trtllm", f"{self.name}: {missing.message.splitlines()[-1].strip()}", hint) from None
        self._version = self._harness.note.removeprefix("tensorrt_llm ")
        self.profile = _release(self._version)
        self.note = (
            f"TensorRT-LLM {self._version}'s own configuration class; DEFAULT as written from reading its source"
        )

    def backends(self, environment: Mapping[bytes, bytes]) -> tuple[str, ...]:  # noqa: ARG002  the protocol's signature
        """Say that nobody should have asked."""
        raise ImplementationBroke(f"{self.name} answers for the method, not for backends")

    def method(self, config: Mapping[str, object], environment: Mapping[bytes, bytes]) -> str:
        """Return the method for a whole engine configuration."""
        said = self._harness.method(config, environment)
        if said == "DEFAULT" and self.profile not in PROFILES:
            raise Refused(f"what DEFAULT means in TensorRT-LLM {self._version} has not been read")
        row = self.profile if self.profile in PROFILES else _EXPLICIT
        try:
            return resolve_method({SECTION: {"backend": None if said == "null" else said}}, environment, row)
        except BadInput as error:
            raise Refused(str(error)) from error

    def close(self) -> None:
        """End the process."""
        self._harness.close()


def _release(version: str) -> str:
    """Return `trtllm-1.0rc` for 1.0.0rc3, `trtllm-1.1` for 1.1.2: a row of ours only where we read that release."""
    found = re.match(r"(\d+\.\d+)(?:\.\d+)?(rc)?", version)
    return f"trtllm-{found[1]}{found[2] or ''}" if found else "trtllm-unknown"
