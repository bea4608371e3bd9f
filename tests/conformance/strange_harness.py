"""A harness that misbehaves as its first argument says, once it is asked about the variable `NOW`; run as a script.

Apart from that it answers each question with the names of the variables in it.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CHUNK = b"x" * (1 << 20)


def say(found):
    print(found if isinstance(found, str) else json.dumps(found), flush=True)


def write_for_ever(descriptor, chunk=CHUNK):
    while True:
        os.write(descriptor, chunk)


def crash():
    sys.stderr.write("first words\nlast words \x1b[31m\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGSEGV)


def leave_children():
    child = subprocess.Popen(["/bin/sleep", "600"])
    Path(sys.argv[2]).write_text(str(child.pid), encoding="ascii")
    say({"backends": []})


def stop_listening_and_flood():
    os.close(0)
    write_for_ever(2)


def close_output():
    os.close(1)
    os.close(2)
    time.sleep(600)


def answer_late():
    time.sleep(1.0)
    say({"backends": ["LATE"]})


MISBEHAVE = {
    "silent": lambda: time.sleep(600),
    "late": answer_late,
    "crash": crash,
    "leave": lambda: sys.exit(3),
    "close": close_output,
    "children": leave_children,
    "a gigabyte without an end": lambda: write_for_ever(1),
    "a gigabyte of lines": lambda: write_for_ever(1, b"{}\n" * 20_000),
    "a gigabyte on stderr": lambda: write_for_ever(2),
    "deaf": stop_listening_and_flood,
    "binary": lambda: os.write(1, bytes(range(11, 256)) + b"\n"),
    "escapes": lambda: say("\x1b[31mred"),
    "two answers": lambda: say('{"backends": []}\n{"backends": []}'),
    "deep": lambda: say("[" * 100_000),
    "a list": lambda: say([1]),
    "null": lambda: say("null"),
    "NaN": lambda: say('{"backends": [NaN]}'),
    "nothing": lambda: say({}),
    "more": lambda: say({"backends": [], "extra": 1}),
    "a text": lambda: say({"backends": "UCX"}),
    "a number": lambda: say({"backends": [1]}),
    "a method": lambda: say({"method": "ucx"}),
    "many": lambda: say({"backends": ["x"] * 1001}),
    "long": lambda: say({"backends": ["x" * 10_001]}),
    "refusal of 3": lambda: say({"refused": 3}),
    "both": lambda: say({"refused": "x", "backends": []}),
}


def main():
    for line in sys.stdin:
        question = json.loads(line)
        if question["do"] == "start":
            told = {"kvgauge": 1, "name": "strange", "version": "1", "answers": ["backends", "method"]}
            say(told | {"environment": "question"})
        elif question["do"] == "stop":
            return
        else:
            names = [base64.b64decode(name).decode() for name, _ in question["environment"]]
            if "NOW" in names:
                MISBEHAVE[sys.argv[1]]()
            elif "NO" in names:
                say({"refused": "no \x1b[31m"})
            elif question["do"] == "method":
                say({"method": json.dumps(question["config"], sort_keys=True)})
            else:
                say({"backends": names})


if __name__ == "__main__":
    main()
