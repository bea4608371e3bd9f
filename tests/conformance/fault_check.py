"""Run the sentences about faults over faulty transports, without pytest around them: `python fault_check.py MODULE:NAME...`.

Prints a JSON object: name -> the requirements that are broken. `NAME=XFER-701` tries that one only.
"""

from __future__ import annotations

import sys

import transfer_check

if __name__ == "__main__":
    transfer_check.SUBJECTS = ("faults",)
    transfer_check.main(sys.argv[1:])
