"""Search faulty transports, without pytest around them: `python sequence_check.py EXAMPLES NAME...`.

Prints a JSON object: name -> sentence -> the smallest sequence, and the script of it. The search ends when what
the fault is said to break is found.
"""

from __future__ import annotations

import json
import sys

from hypothesis import settings
from sequence_mutants import BREAKS

from conformance.machine.play import SENTENCES
from conformance.machine.script import script
from conformance.machine.steps import as_json
from conformance.properties.sequences import searched


def main(examples: str, *names: str) -> None:
    settings.register_profile("these", max_examples=int(examples), derandomize=True)
    settings.load_profile("these")
    told = {}
    for name in names:
        full = name if ":" in name else f"sequence_mutants:{name}"
        told[name] = {
            one: {**as_json(found.steps), "script": script(full, one, found.broken.what, found.steps)}
            for one, found in searched(full, BREAKS.get(name, SENTENCES), seconds=300.0, smaller_s=60.0).found.items()
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
